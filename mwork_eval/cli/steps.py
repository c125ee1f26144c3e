"""The steps that commands are made of, with their progress bars: load, detect, ablate, report."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mwork_eval.cli.matrix_progress import has_report, matrix_progress, tell
from mwork_eval.errors import InputError
from mwork_eval.reports.formats.names import DEFAULT_FORMATS, TERMINAL

if TYPE_CHECKING:
    from mwork_eval.lm.model import MworkHF
    from mwork_eval.matrix.options import MatrixOptions
    from mwork_eval.neurons.neuron_set import NeuronSet


def make_matrix_options(presets: Sequence[str], languages: Sequence[str], **rest: Any) -> "MatrixOptions":
    """Turn the options of a matrix into one value; a preset must be named."""
    from mwork_eval.matrix.options import MatrixOptions
    from mwork_eval.matrix.presets import find_presets

    return MatrixOptions(find_presets(presets), languages=tuple(languages), **rest)


def with_set_draws(
    options: "MatrixOptions", neurons: str, sets: "dict[str, NeuronSet]", draws: int | None
) -> "MatrixOptions":
    """Add to a matrix the sets of random halves of the documents, which lie beside the sets; none if not asked for."""
    from dataclasses import replace

    from mwork_eval.neurons.drawn_sets import find_drawn_sets

    return options if draws is None else replace(options, set_draws=find_drawn_sets(neurons, sets, draws))


def check_task_data(options: "MatrixOptions") -> None:
    """Fail before a model loads if a task is unknown or its data is not there."""
    from mwork_eval.evaluation.evaluate import find_tasks

    families = [family for preset in options.presets for family in options.families(preset)]
    find_tasks([family.task(language) for family in families for language in family.languages], options.data)


def load_for_matrix(model: str, device: str | None, dtype: str | None, batch_size: int, **extra: Any) -> "MworkHF":
    """Load the model once for the whole matrix, unmasked."""
    from mwork_eval.lm.model import MworkHF
    from mwork_eval.models.loading import find_device

    given = {key: value for key, value in extra.items() if value is not None}
    if "device_map" in given:
        if find_device(device).type == "cpu":
            raise InputError("--device-map spreads a model over accelerators", found="none here")
        given["parallelize"] = True  # without it, `hf` ignores a device map
    return MworkHF(model, device=str(find_device(device)), dtype=dtype, batch_size=batch_size, **given)


def ablate_sets(
    model: "MworkHF",
    model_name: str,
    sets: "dict[str, NeuronSet]",
    options: "MatrixOptions",
    folder: Path,
    shard: tuple[int, int] = (0, 1),
) -> bool:
    """Compute the cells of a matrix that are not on disk yet, with a model in this process.

    Returns:
        Whether this process has a report to show; only the first of those that a launcher started has.
    """
    from mwork_eval.matrix.identity import ModelFacts
    from mwork_eval.matrix.manifest import record_matrix
    from mwork_eval.matrix.planning import plan_matrix
    from mwork_eval.matrix.runner import run_matrix

    facts, first = ModelFacts.of(model, model_name), model.rank == 0
    plan = plan_matrix(facts, sets, options)
    if first:
        record_matrix(folder, facts, sets, options, plan)
    with matrix_progress(plan, folder, shard, show=first) as advance:
        run_matrix(model, plan, folder, shard=shard, advance=advance, tell=tell)
    return first and has_report(plan, folder)


def write_reports(
    *folders: Path, formats: Sequence[str] = DEFAULT_FORMATS, out: Path | None = None, figures: bool = False
) -> None:
    """Show what results folders hold: on the terminal, and as files.

    Args:
        *folders: The results folders.
        formats: Names of report formats.
        out: Where the files go; into the folder if not given, which must then be one.
        figures: Whether to write the figures of a single folder as files too.
    """
    from rich.console import Console

    from mwork_eval.reports.files import write_report_figures, write_report_files
    from mwork_eval.reports.formats.terminal import print_results
    from mwork_eval.reports.plots import FORMATS
    from mwork_eval.results.tables import read_results

    results = [read_results(folder) for folder in folders]
    written = write_report_files(results, formats, out or folders[0])
    if figures:
        written += write_report_figures(results[0], FORMATS, (out or folders[0]) / "figures")
    if TERMINAL in formats:
        for of_folder in results:
            print_results(of_folder, Console(soft_wrap=False))
    if written:
        click.echo("written: " + ", ".join(map(str, written)), err=True)
