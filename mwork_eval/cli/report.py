"""`mwork report`."""

from pathlib import Path

import click

from mwork_eval.errors import InputError
from mwork_eval.reports.formats.names import DEFAULT_FORMATS, FORMATS, TERMINAL, parse_formats
from mwork_eval.terminal.lines import tell_written

_ENHANCEMENTS = "improvements"
"""Name of the files of a report on enhancements, without their endings."""


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
        _report_enhancements(distinct, formats, out or distinct[0], figures)
        return
    show_report(write_reports(*distinct, formats=formats, out=out, figures=figures), formats)


def _report_enhancements(folders: tuple[Path, ...], formats: tuple[str, ...], out: Path, figures: bool) -> None:
    """Show what training changed, the mean over tasks per language (Table 6), and write it as `improvements.*`."""
    from mwork_eval.application.enhancement_results import mean_changes
    from mwork_eval.reports.plots import FORMATS, write_figures
    from mwork_eval.terminal.console import make_console
    from mwork_eval.terminal.enhancement import print_enhancement

    if not {"md", "json", TERMINAL} & set(formats):
        raise InputError("no such report of fine-tuning", found=",".join(formats), expected="terminal, md or json")
    found = mean_changes(folders)
    written = found.write(out, _ENHANCEMENTS, [name for name in formats if name in ("json", "md")])
    if figures:
        written += write_figures({_ENHANCEMENTS: found.figure}, out, FORMATS)
    if TERMINAL in formats:
        print_enhancement(found.tables, make_console(), found.about)
    if written:
        tell_written(written)
