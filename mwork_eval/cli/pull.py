"""`mwork sets pull`."""

from pathlib import Path

import click

from mwork_eval.cli.options import out_option
from mwork_eval.terminal.lines import answer, tell


@click.command()
@click.argument("repository", metavar="hub:USER/NAME[@REVISION]")
@out_option(None)
def pull(repository: str, out: Path) -> None:
    """Fetch all sets, scores, deltas and results of a repository on the hub into a folder.

    Each file is checked against the repository's index. What is in the folder already is not fetched again, and an
    interrupted pull goes on. `mwork report OUT/results/NAME --out REPORTS`, `mwork leaderboard OUT/results`,
    `mwork select OUT` and `--neurons OUT/neurons` then work without the hub.
    """
    from mwork_eval.application.pull import pull as pull_repository
    from mwork_eval.terminal.progress import TerminalProgress

    pulled = pull_repository(repository, out=out, progress=TerminalProgress())
    there = len(pulled.files) - len(pulled.fetched)
    tell(f"{len(pulled.fetched)} files fetched, {there} there already, {len(pulled.removed)} removed")
    answer(f"{out}: {pulled.reference}")
