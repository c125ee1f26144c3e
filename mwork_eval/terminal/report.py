"""What is said of a report: its tables, and where its files are."""

from collections.abc import Sequence

from rich.console import Console

from mwork_eval.application.report import WrittenReport
from mwork_eval.reports.formats.names import DEFAULT_FORMATS, TERMINAL
from mwork_eval.terminal.matrix import print_results
from mwork_eval.terminal.progress import TerminalProgress


def show_report(report: WrittenReport, formats: Sequence[str] = DEFAULT_FORMATS) -> None:
    """Print the tables of a report, if asked for, and name its files.

    Args:
        report: The report.
        formats: The formats asked for.
    """
    if TERMINAL in formats:
        for results in report.results:
            print_results(results, Console(soft_wrap=False))
    if report.files:
        TerminalProgress().tell("written: " + ", ".join(map(str, report.files)))
