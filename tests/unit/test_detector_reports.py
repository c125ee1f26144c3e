"""Detectors compared, in every report format, on the page and on the leaderboard."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import jsonschema
import pytest
from helpers.detector_folders import COUNTS, MASKS, MEMBERS, make_detector_folder
from helpers.report_folders import make_folder

import mwork_eval
from mwork_eval.application.leaderboard import leaderboard
from mwork_eval.reports import detector_wording
from mwork_eval.reports.figures import FigureName, report_figures
from mwork_eval.reports.formats.csv import as_csv
from mwork_eval.reports.formats.json import as_json
from mwork_eval.reports.formats.latex import as_latex
from mwork_eval.reports.formats.markdown import as_markdown
from mwork_eval.reports.html.detectors import detector_curves
from mwork_eval.reports.html.page import as_html
from mwork_eval.results.detector_tables import read_detector_tables
from mwork_eval.results.matrix_folder import MatrixFolder
from mwork_eval.results.summaries.report_file import Report
from mwork_eval.results.tables import read_results

SCHEMA = json.loads((Path(mwork_eval.__file__).parent / "reports" / "report.schema.json").read_text(encoding="utf-8"))
NAME = FigureName("detectors", None, "bpb", "LS all")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return read_results(make_detector_folder(tmp_path_factory.mktemp("detectors")))


@pytest.fixture(scope="module")
def table(results):
    (found,) = read_detector_tables(results)
    return found


def test_json_has_the_numbers_and_fits_its_schema(results, table):
    report = json.loads(as_json(results))
    jsonschema.validate(report, SCHEMA)
    (found,) = report["detectors"]
    assert [row["delta"]["value"] for row in found["rows"]] == [row.delta.value for row in table.rows]
    assert found["detectors"] == {"plnd": "1 forward", "lape": "1 forward", "attribution": "1 forward, 1 backward"}
    assert [point["count"] for point in found["curves"]["lape"]] == list(COUNTS)
    assert report["preset_sets"].keys() == set(MEMBERS)


def test_another_pivot_has_its_own_keys(tmp_path):
    report = json.loads(as_json(read_results(make_detector_folder(tmp_path, masks=("es",), pivot="zh"))))
    jsonschema.validate(report, SCHEMA)
    row = report["detectors"][0]["rows"][0]
    assert "pivot" in row
    assert "english" not in row
    assert "pivot" in row["control"]


def test_reports_of_other_folders_say_nothing_of_detectors(tmp_path):
    results = read_results(make_folder(tmp_path))
    report = json.loads(as_json(results))
    assert not {"detectors", "preset_sets"} & report.keys()
    assert "etector" not in as_markdown(results) + as_latex(results) + as_csv(results)
    assert not [name for name in report_figures(results) if name.kind == "detectors"]


def test_csv_has_a_row_per_number(results, table):
    rows = [row for row in csv.DictReader(io.StringIO(as_csv(results))) if row["quantity"].startswith("detector_")]
    deltas = [(row["preset"], row["mask_language"] or None) for row in rows if row["quantity"] == "detector_delta"]
    assert deltas == [(row.detector, row.language) for row in table.rows]
    from_first = [row for row in rows if row["quantity"] == "detector_delta_from_plnd"]
    assert [float(row["low"]) for row in from_first] == [
        row.difference.low for row in table.rows if row.difference is not None
    ]
    overlaps = [row for row in rows if row["quantity"] == "detector_overlap_with_lape"]
    assert len(overlaps) == len(MEMBERS) * (1 + len(MASKS))


@pytest.mark.parametrize("write", [as_markdown, as_latex, as_html])
def test_every_format_has_the_table(write, results, table):
    text = write(results)
    assert "Detectors on bpb, LS all" in text
    assert "1 forward, 1 backward" in text
    assert "Neurons that detectors share on bpb, LS all: mean over zh, es" in text
    for row in detector_wording.rows(table, brief=write is as_latex):
        interval = row[5].partition(" ")[2]
        assert interval.replace("[", "{[}").replace("]", "{]}") in text if write is as_latex else interval in text


def test_what_is_missing_is_computed_by_the_same_command(tmp_path):
    results = read_results(make_detector_folder(tmp_path, without="lape"))
    assert "cells are not computed yet; <code>mwork compare-detectors</code> goes on." in as_html(results)


def test_the_finding_says_which_detector_does_more(table):
    found = detector_wording.finding(table)
    assert found.startswith("Detectors on bpb, LS all: the highest ∆ is that of plnd, +")
    assert "Below plnd: lape, attribution." in found
    assert "Above" not in found


def test_the_figure_has_a_panel_per_change_and_a_line_per_detector(results):
    figure = report_figures(results)[NAME]()
    assert [len(axes.lines) for axes in figure.axes] == [1 + len(MEMBERS)] * 3
    markers = {line.get_marker() for line in figure.axes[0].lines[1:]}
    assert len(markers) == len(MEMBERS)
    shown = dict(zip(MEMBERS, figure.axes[0].lines[1:], strict=True))
    assert list(shown["plnd"].get_ydata()) == [
        point.delta.value for point in next(read_detector_tables(results)).curves["plnd"]
    ]


def test_the_page_draws_the_same_lines_told_apart_by_shape(table):
    panels = detector_curves(table)
    assert list(panels) == ["∆ = English - own", "the mask's language (own)", "English"]
    for svg in panels.values():
        root = ET.fromstring(svg)
        marks = [one.get("d") for one in root.iter("path") if "mark" in one.get("class", "")]
        assert len(set(marks)) == len(MEMBERS)
        assert len(marks) == len(MEMBERS) * len(COUNTS)
        assert len(list(root.iter("polygon"))) == 1


def test_the_leaderboard_shows_the_table_of_a_model(tmp_path, results, table):
    make_detector_folder(tmp_path / "one")
    leaderboard([tmp_path / "one"], out=tmp_path / "site")
    (page,) = (tmp_path / "site" / "models").glob("*/index.html")
    text = page.read_text(encoding="utf-8")
    assert "Detectors on bpb, LS all" in text
    assert detector_wording.finding(table).partition(":")[0] in text
    rows = list(csv.DictReader(io.StringIO((page.parent / "detectors.csv").read_text(encoding="utf-8"))))
    assert [float(row["delta"]) for row in rows] == [row.delta.value for row in table.rows]
    assert [row["difference"] for row in rows if row["detector"] == "plnd"] == [""] * (1 + len(MASKS))


def test_a_report_of_other_sets_is_computed_anew(tmp_path):
    folder = make_detector_folder(tmp_path, counts=())
    report = Report.model_validate_json(as_json(read_results(folder)))
    assert report.belongs_to(MatrixFolder(folder).manifest)
    report.preset_sets["lape"]["zh"] = "of another set"
    assert not report.belongs_to(MatrixFolder(folder).manifest)
