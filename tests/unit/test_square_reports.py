"""How reports show squares and dose curves, in every format."""

import csv
import io
import json
from importlib.resources import files

import jsonschema
import pytest
from helpers.square_folders import COUNTS, LANGUAGES, MASKS, make_square_folder
from rich.console import Console

from mwork_eval.reports import square_wording
from mwork_eval.reports.formats.csv import as_csv
from mwork_eval.reports.formats.json import as_json
from mwork_eval.reports.formats.latex import as_latex
from mwork_eval.reports.formats.markdown import as_markdown
from mwork_eval.reports.html.page import as_html
from mwork_eval.results.squares import read_squares
from mwork_eval.results.tables import read_results
from mwork_eval.terminal.matrix import print_results

pytest_plugins = ["helpers.square_fixtures"]


def test_tables_are_shown_while_the_rest_is_missing(tmp_path, square_results):
    found = read_results(make_square_folder(tmp_path, without="LS all"))
    assert found.tables == square_results.tables
    assert list(read_squares(found)) == []
    assert found.unfinished == len(MASKS) * 2
    without_control = read_results(make_square_folder(tmp_path / "r", without="R all"))
    (square,) = read_squares(without_control)
    assert square.random is None
    assert square.spread is None
    assert [row.name for row in square_wording.rows(square, intervals=False)] == [*MASKS, "mean"]
    assert "andom" not in square_wording.notes(square)
    assert as_html(without_control).count('class="damage frame"') == len(MASKS)


def test_json_follows_its_schema(square_results):
    schema = json.loads((files("mwork_eval.reports") / "report.schema.json").read_text())
    report = json.loads(as_json(square_results))
    jsonschema.Draft202012Validator(schema).validate(report)
    (square,), (dose,) = report["squares"], report["doses"]
    assert set(square["effects"]["changes"]["zh"]) == set(LANGUAGES)
    assert len(dose["points"]) == len(COUNTS) * (len(MASKS) + 1)
    assert {cell["neurons"] for cell in report["cells"]} == {None, *COUNTS}
    assert len(report["cells"]) == len(LANGUAGES) + len(MASKS) * 4 * (len(LANGUAGES) + 2 * len(COUNTS))


def test_csv_has_every_number_with_its_interval(square_results, square, dose):
    rows = list(csv.DictReader(io.StringIO(as_csv(square_results))))

    def one(**wanted):
        (row,) = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
        return tuple(float(row[key]) for key in ("value", "low", "high"))

    change = square.effects.changes["zh"]["es"]
    found = one(quantity="cross_change", setting="LS all", mask_language="zh", language="es")
    assert found == pytest.approx((change.value, change.low, change.high))
    mean = square.effects.mean_specificity
    found = one(quantity="specificity", setting="LS all", mask_language="")
    assert found == pytest.approx((mean.value, mean.low, mean.high))
    spread = square.spread.changes["es"]
    found = one(quantity="cross_change_range", setting="R all", language="es")
    assert found == pytest.approx((spread.mean, spread.low, spread.high))
    point = dose.curve("de")[1]
    found = one(quantity="dose_delta", mask_language="de", neurons="30")
    assert found == pytest.approx((point.delta.value, point.delta.low, point.delta.high))
    found = one(quantity="dose_delta_range", setting="R all", mask_language="de", neurons="30")
    assert found[1:] == pytest.approx((point.control.delta.low, point.control.delta.high))


def test_texts_show_the_square_and_the_curves(square_results, square):
    own = square.effects.changes["zh"]["zh"].value
    markdown, latex = as_markdown(square_results), as_latex(square_results)
    assert "## existence on bpb: every mask on every language, LS all" in markdown
    assert f"**{own:+.3f} [" in markdown
    assert "| mask | en | zh | es | de | specificity |" in markdown
    assert "| zh | 30 |" in markdown
    assert f"\\textbf{{{own:+.3f}}}" in latex
    assert r"\label{tab:cross-existence-bpb-LS-all}" in latex
    assert r"\label{tab:dose-existence-bpb-LS-all}" in latex
    console = Console(width=120, record=True, file=io.StringIO())
    print_results(square_results, console)
    said = console.export_text()
    assert f"{own:+.3f}" in said
    assert "random, range" in said
    assert "bpb (existence, LS all): on average a mask damages its own language more than the others" in flat(said)


def flat(text):
    return " ".join(text.split())


def test_the_page_draws_them(square_results, square):
    page = as_html(square_results)
    assert "<p>bpb (existence, LS all): on average a mask damages" in flat(page).partition("how sure")[0]
    assert page.count('class="damage frame"') == len(MASKS)
    assert page.count("dose-delta") > len(MASKS)
    assert "zh masked, es documents:" in page
    assert 'aria-label="LS all on bpb: change in bits per byte of every language under every mask"' in page
    assert '"nan"' not in page


def test_figures_are_files(square_results, tmp_path):
    pytest.importorskip("matplotlib")
    from mwork_eval.reports.files import write_report_figures

    names = {path.name for path in write_report_figures(square_results, ("svg",), tmp_path)}
    assert {"cross-existence-bpb-LS-all.svg", "dose-existence-bpb-LS-all.svg"} <= names
    drawn = (tmp_path / "cross-existence-bpb-LS-all.svg").read_text()
    (square,) = read_squares(square_results)
    for of_mask in square.effects.changes.values():
        assert all(f">{change.value:+.3f}<" in drawn for change in of_mask.values())
