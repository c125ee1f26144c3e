"""`mwork ablate`."""

from pathlib import Path
from typing import Any

import click

from mwork_eval.cli import steps
from mwork_eval.cli.options import languages_option, matrix_options, model_options, out_option


@click.command()
@model_options
@click.option("--neurons", required=True, help="Folder with a set per language, or a shipped one such as gemma3-270m.")
@languages_option("en,zh,es,de", "Languages; en must be among them.")
@click.option("--data", help="Folder of the upstream files, or embedded; MWORK_DATA or the hub if not given.")
@matrix_options
@out_option(None)
def ablate(
    model: str,
    neurons: str,
    languages: list[str],
    presets: tuple[str, ...],
    out: Path,
    device: str | None,
    dtype: str | None,
    device_map: str | None,
    revision: str | None,
    batch_size: int,
    **matrix: Any,
) -> None:
    """Run a matrix of settings x languages x tasks and report ∆Eng, ∆n-Eng and ∆.

    Every finished cell is on disk before the next starts; the same command goes on where the last one stopped.
    """
    options = steps.make_matrix_options(presets, languages, **matrix)
    from mwork_eval.languages import ENGLISH
    from mwork_eval.neurons.references import find_language_sets

    sets = find_language_sets(neurons, [language for language in languages if language != ENGLISH])
    steps.check_task_data(options)
    loaded = steps.load_for_matrix(model, device, dtype, batch_size, device_map=device_map, revision=revision)
    steps.ablate_sets(loaded, model, sets, options, out)
    steps.write_reports(out)
