"""`mwork ablate`."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from mwork_eval.cli import matrix_steps, steps
from mwork_eval.cli.options import (
    languages_option,
    machine_options,
    matrix_options,
    model_options,
    out_option,
    whole_options,
)


@click.command()
@model_options
@click.option("--neurons", required=True, help="Folder with a set per language, or a shipped one such as gemma3-270m.")
@languages_option("en,zh,es,de", "Languages; en must be among them.")
@click.option(
    "--data", envvar="MWORK_DATA", help="Folder of the upstream files, or embedded; MWORK_DATA or the hub if not given."
)
@matrix_options
@whole_options
@machine_options
@out_option(None)
def ablate(
    model: str,
    neurons: str,
    languages: list[str],
    presets: tuple[str, ...],
    shard: tuple[int, int],
    engine: str,
    workers: int | None,
    dry_run: bool,
    set_draws: int | None,
    out: Path,
    device: str | None,
    dtype: str | None,
    device_map: str | None,
    revision: str | None,
    batch_size: int,
    **matrix: Any,
) -> None:
    """Run a matrix of settings x languages x tasks and report ∆Eng, ∆n-Eng and ∆.

    Every finished cell is on disk before the next starts; the same command goes on where the last one stopped, and
    reuses whatever is valid. Several processes, also on several machines, can work on one folder: each computes
    other cells. Under `accelerate launch` or torchrun the processes share the documents of each cell.
    """
    options = steps.make_matrix_options(presets, languages, **matrix)
    matrix_steps.check_engine(engine, workers)
    from mwork_eval.languages.table import ENGLISH
    from mwork_eval.matrix.whole import check_counts, check_draws
    from mwork_eval.neurons.references import find_language_sets

    sets = find_language_sets(neurons, [language for language in languages if language != ENGLISH])
    steps.check_task_data(options)
    options = steps.with_set_draws(options, neurons, sets, set_draws)
    check_counts(sets, options)
    check_draws(sets, options)
    if dry_run:
        matrix_steps.print_matrix_estimate(model, revision, sets, options, out, device=device, dtype=dtype)
        return
    load = partial(steps.load_for_matrix, model, device, dtype, batch_size, device_map=device_map, revision=revision)
    if engine == "ray":
        shown = matrix_steps.ablate_sets_with_ray(load, model, sets, options, out, shard, workers)
    else:
        shown = steps.ablate_sets(load(), model, sets, options, out, shard)
    if shown:
        steps.write_reports(out)
