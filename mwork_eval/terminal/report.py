"""What is said of a report: its tables, and where its files are."""

from collections.abc import Sequence

from mwork_eval.application.report import WrittenReport
from mwork_eval.reports.formats.names import DEFAULT_FORMATS, TERMINAL
from mwork_eval.terminal.console import make_console
from mwork_eval.terminal.lines import tell_written
from mwork_eval.terminal.matrix import print_results


def show_report(report: WrittenReport, formats: Sequence[str] = DEFAULT_FORMATS) -> None:
    """Print the tables of a report, if asked for, and name its files.

    Args:
        report: The report.
        formats: The formats asked for.
    """
    if TERMINAL in formats:
        for results in report.results:
            print_results(results, make_console())
    tell_written(report.files)
