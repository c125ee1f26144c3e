"""`mwork report`."""

from pathlib import Path

import click

from mwork_eval.cli.improvement_steps import write_improvements
from mwork_eval.reports.formats.names import DEFAULT_FORMATS, FORMATS, parse_formats


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FOLDER...")
@click.option(
    "--formats",
    default=",".join(DEFAULT_FORMATS),
    callback=lambda _, __, value: parse_formats(value),
    help=f"Some of {','.join(FORMATS)}.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the files; the results folder if not given. Needed for several.",
)
@click.option("--figures", is_flag=True, help="Also the figures as SVG and PNG, in a folder figures; extra [plot].")
def report(folders: tuple[Path, ...], formats: tuple[str, ...], out: Path | None, figures: bool) -> None:
    """Show the tables of one results folder or more, and write them as report.FORMAT.

    report.html is one file that needs no network: findings in words, tables, figures, and the answers side by side.
    Folders of `mwork enhance --evaluate`, such as one per language, give the mean over tasks of each language (the
    paper's Table 6) and, with --figures, the gain by documents over languages (Figure 4), as improvements.FORMAT.
    """
    from mwork_eval.application.report import check_folders, write_reports
    from mwork_eval.terminal.report import show_report

    distinct = tuple(dict.fromkeys(folders))
    if check_folders(distinct, out, figures):
        write_improvements(distinct, formats=formats, out=out or distinct[0], figures=figures)
        return
    show_report(write_reports(*distinct, formats=formats, out=out, figures=figures), formats)
