"""The report of a matrix."""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console

from mwork_eval.languages.pivot import Pivot
from mwork_eval.reports import (
    detector_wording,
    dose_wording,
    language_wording,
    set_draw_wording,
    square_wording,
    wording,
)
from mwork_eval.reports.legend import legends
from mwork_eval.results.detector_tables import DetectorTable, read_detector_tables
from mwork_eval.results.doses import read_doses
from mwork_eval.results.set_draws import read_set_draws
from mwork_eval.results.squares import Square, read_squares
from mwork_eval.results.tables import DeltaTable, Results
from mwork_eval.terminal.console import TextTable, print_whole, say
from mwork_eval.terminal.lines import shown

_TABLE_WIDTH = 120
_OWN = "◆ "


def print_results(results: Results, console: Console) -> None:
    """Print the paper-style tables, their notes, the language scores and the legend; the cells are in the files."""
    console.width = max(console.width, _TABLE_WIDTH)
    say(console, wording.summary(results))
    for table in results.tables:
        say(console)
        rows = (wording.brief_cells(row, table) for row in table.rows)
        _print_table(wording.title(table), wording.brief_columns(Pivot(table.pivot)), rows, console)
        say(console, wording.notes(table), style="dim")
        say(console)
        _print_language_scores(table, console)
    for square in read_squares(results):
        say(console)
        _print_square(square, console)
    for dose in read_doses(results):
        say(console)
        _print_table(
            dose_wording.title(dose), dose_wording.columns(dose), dose_wording.rows(dose, intervals=False), console
        )
        say(console, dose_wording.notes(dose), style="dim")
    for draws in read_set_draws(results):
        say(console)
        _print_table(set_draw_wording.title(draws), set_draw_wording.COLUMNS, set_draw_wording.rows(draws), console)
        say(console, set_draw_wording.notes(draws), style="dim")
    for detectors in read_detector_tables(results):
        _print_detectors(detectors, console)
    say(console)
    say(console, legends([results]), style="dim")
    if results.unfinished:
        say(
            console,
            f"{results.unfinished} cells are not computed yet; `{wording.command(results)}` goes on.",
            style="yellow",
        )


def _print_language_scores(table: DeltaTable, console: Console) -> None:
    """Print the scores of each mask language; of its answers only how many were in a wrong language."""
    with_answers = language_wording.has_answers(table)
    columns = language_wording.columns(table) + language_wording.ANSWER_COLUMNS[:with_answers]
    rows = (
        language_wording.cells(*row, table) + language_wording.answer_cells(row[-1])[:with_answers]
        for row in language_wording.language_rows(table)
    )
    _print_table(language_wording.title(table), columns, rows, console)


def _print_detectors(detectors: DetectorTable, console: Console) -> None:
    """Print a comparison of detectors, and how many neurons they share on average over languages."""
    say(console)
    columns, rows = detector_wording.columns(detectors, brief=True), detector_wording.rows(detectors, brief=True)
    _print_table(detector_wording.title(detectors), columns, rows, console)
    say(console, detector_wording.notes(detectors), style="dim")
    for overlap in detectors.overlaps[:1]:
        say(console)
        _print_table(
            detector_wording.overlap_title(overlap, detectors),
            detector_wording.overlap_columns(overlap),
            detector_wording.overlap_rows(overlap),
            console,
        )
    say(console, detector_wording.finding(detectors))


def _print_square(square: Square, console: Console) -> None:
    """Print a square without the intervals of its changes."""
    rows = square_wording.rows(square, intervals=False)
    texts = [square_wording.emphasised(row, f"{_OWN}{{}}".format) for row in rows]
    _print_table(square_wording.title(square), square_wording.columns(square), texts, console)
    notes = f"{_OWN}the mask's own language. {square_wording.notes(square)}"
    say(console, notes, style="dim")


def _print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], console: Console) -> None:
    lines = [[shown(cell) for cell in line] for line in (columns, *rows)]
    needed = sum(max(map(cell_len, column)) + 2 for column in zip(*lines, strict=True)) + 1
    # One blank between columns, where two would make the table wider than the terminal.
    padding = (0, 1, 0, 0) if needed <= console.width else (0, 0, 0, 0)
    drawn = TextTable(title=title, title_style="bold", box=SIMPLE_HEAD, padding=padding)
    for column in columns:
        drawn.add_column(column, justify="left" if column in ("setting", "detector") else "right", no_wrap=True)
    for row in lines[1:]:
        drawn.add_row(*row)
    print_whole(drawn, console)
