"""`mwork report`."""

from pathlib import Path

import click

from mwork_eval.cli import steps


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def report(folder: Path) -> None:
    """Print the tables of a results folder and write report.md and report.json into it."""
    steps.write_reports(folder)
