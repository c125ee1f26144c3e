"""`mwork leaderboard`."""

from pathlib import Path

import click

EXPORTS = ("model-index", "eval-results", "dataset")


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FOLDER...")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the site.")
@click.option(
    "--export",
    "exports",
    multiple=True,
    type=click.Choice(EXPORTS),
    help="Also write OUT/export/NAME: metadata for model cards, .eval_results files, or a data set of all numbers.  "
    "[default: none]",
)
@click.option(
    "--with-masked", is_flag=True, help="Export masked scores too, under names that say what was deactivated."
)
def leaderboard(folders: tuple[Path, ...], out: Path, exports: tuple[str, ...], with_masked: bool) -> None:
    """Compare models on a static site: scores of comparable results, and what deactivating neurons changes.

    FOLDER is a results folder of `mwork ablate` or `mwork run`, one of lm_eval with any model, or a folder of such
    folders; also a results file of lm_eval. Scores share a column only if they are of the same documents, prompts and
    right answers. What cannot be read is left out and named; if nothing is left, the exit code is 2.
    """
    from mwork_eval.application.leaderboard import leaderboard as compare
    from mwork_eval.terminal.progress import TerminalProgress

    compare(folders, out=out, exports=exports, with_masked=with_masked, progress=TerminalProgress())
