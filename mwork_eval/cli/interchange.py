"""`mwork sets import` and `mwork sets export`."""

from pathlib import Path
from typing import Any

import click

from mwork_eval.cli.options import languages_option, out_option, trust_option
from mwork_eval.interchange.registry import FORMATS
from mwork_eval.terminal.lines import answer, tell

_FORMAT = click.Choice(list(FORMATS))


@click.command(name="import")
@click.argument("file", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--format", type=_FORMAT, required=True, help="Which tool's file it is.")
@languages_option(None, "Languages in the order of the file.  [default: those that the file names]")
@click.option(
    "--model", help="Default model, local folder, or hub id; its weights are not read.  [default: see --like]"
)
@click.option("--like", help="A neuron set of the model, in place of --model.  [default: see --model]")
@click.option("--key", help="Of kinit: which of its results.  [default: all together]")
@out_option(None)
@click.option("--revision", help="Branch, tag or commit of a hub model.  [default: its main branch]")
@trust_option
def import_sets(file: tuple[Path, ...], out: Path, **options: Any) -> None:
    """Make neuron sets of another tool's FILE and write OUT/LANGUAGE.safetensors.

    Nothing in FILE is executed, and every index is checked against the model. Several files are one for each language.
    Which weights the neurons were found in is not known afterwards, so masks want --force (force=True in lm_eval).
    """
    from mwork_eval.application import import_sets as importing
    from mwork_eval.application.sets import share_of
    from mwork_eval.neurons.references import SUFFIX

    sets = importing.import_sets(file, out=out, **options)
    for language, neurons in sets.items():
        answer(f"{out / language}{SUFFIX}: {share_of(neurons)}")
    for what, count in importing.left_out_of(sets.values()).items():
        tell(f"left out: {count} {what}")


@click.command(name="export")
@click.argument("references", nargs=-1, required=True, metavar="SETS...")
@click.option("--format", type=_FORMAT, required=True, help="Which tool's file to write; kojima is only read.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write.")
@languages_option(None, "Which sets, in the order of the file.  [default: all, as given]")
@click.option("--model", help="Name of the model, where how wide its heads are matters (damo).  [default: not known]")
@click.option("--force", is_flag=True, help="Leave out neurons that the format cannot hold.")
def export_sets(references: tuple[str, ...], out: Path, **options: Any) -> None:
    """Write neuron sets as another tool's file.

    SETS are folders of sets (gemma3-270m, runs/qwen3), or single ones (gemma3-270m/zh, runs/zh.safetensors).
    """
    from mwork_eval.application import export_sets as exporting

    left_out = exporting.export_sets(list(references), out=out, **options)
    answer(f"{out}: written as {options['format']}")
    for structure, count in left_out.items():
        tell(f"left out: {count} neurons of {structure}")
