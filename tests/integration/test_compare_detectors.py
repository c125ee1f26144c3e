"""`mwork compare-detectors` and `mw.compare_detectors` on a tiny model: detection, matrix, report, leaderboard."""

import json
import shutil
from contextlib import contextmanager

import pytest
from helpers.commands import mwork
from helpers.comparisons import with_records

import mwork_eval as mw
from mwork_eval.application.detection import save_scores
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.neurons.files import load_neuron_set
from mwork_eval.results.store import CellStore

DETECTORS = ["plnd", "lape", "random"]
COMMON = ["--count", "4", "--data", "embedded", "--limit", "2", "--seeds", "1,2", "--device", "cpu"]


@pytest.fixture(scope="module")
def loaded(tiny_llama):
    return mw.load_model(str(tiny_llama), device="cpu")


@pytest.fixture(scope="module")
def scores(loaded, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scores")
    model, tokenizer = loaded
    found = mw.detect(model, tokenizer, dict.fromkeys(("en", "zh", "es"), "embedded"), max_docs=4, out=folder)
    return folder, found


@pytest.fixture(scope="module")
def compared(loaded, scores, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    recorded = with_records(scores[1])
    matrix = mw.compare_detectors(
        *loaded,
        recorded,
        detectors=DETECTORS,
        count=4,
        counts=[2],
        limit=4,
        data="embedded",
        seeds=[1],
        structures="up",
        out=folder,
    )
    return matrix, recorded


def test_each_detector_deactivates_its_own_sets(compared):
    matrix, recorded = compared
    manifest = json.loads((matrix.folder / "manifest.json").read_text())
    assert manifest["sets"] == {}
    for preset in manifest["presets"]:
        for count, part in ((4, "cells"), (2, "dose")):
            expected = recorded.select(count=count, detector=preset["name"], structures="up")
            for language in ("zh", "es"):
                (cell,) = (
                    cell
                    for cell in manifest[part]
                    if (cell["preset"], cell["setting"], cell["mask_language"], cell["language"])
                    == (preset["name"], "LS all", language, language)
                )
                masked = CellStore(matrix.folder).read(cell["identity"]).about.masked
                assert masked["total"] == count
                assert masked["digest"] == Intervention(expected[language]).digest
                if part == "cells":
                    kept = load_neuron_set(matrix.folder / "neurons" / preset["name"] / f"{language}.safetensors")
                    assert kept == expected[language]
                    assert preset["sets"][language]["digest"] == kept.digest


def test_the_table_and_the_figure_are_there(compared):
    matrix, _ = compared
    (table,) = matrix.detectors
    assert list(table.detectors) == DETECTORS
    assert {row.language for row in table.rows} == {None, "zh", "es"}
    assert all((row.difference is None) == (row.detector == "plnd") for row in table.rows)
    assert [point.count for point in table.curves["lape"]] == [2]
    assert len(matrix.figure("detectors").axes) == 3
    frame = matrix.to_pandas()
    assert (frame["quantity"] == "detector_delta").sum() == len(table.rows)


def test_without_a_folder_the_numbers_are_the_same(loaded, compared):
    matrix, recorded = compared
    again = mw.compare_detectors(
        *loaded, recorded, detectors="plnd,lape", count=4, limit=4, data="embedded", seeds=[1], structures="up"
    )
    rows = {(row.detector, row.language): row.delta.value for row in matrix.detectors[0].rows}
    for row in again.detectors[0].rows:
        assert row.delta.value == pytest.approx(rows[row.detector, row.language])


def test_the_command_goes_on_and_adds_detectors(tiny_llama, scores, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("COLUMNS", "200")
    out = tmp_path / "out"

    def compare(*extra: object, code: int = 0) -> str:
        return mwork("compare-detectors", scores[0], "--model", tiny_llama, *COMMON, "--out", out, *extra, code=code)

    said = compare("--dry-run")
    # 3 baselines, and 3 masks (LS, R with two seeds) of 2 languages on their own and English, of 2 detectors
    assert "27 cells, 0 finished, 27 to compute" in said
    assert "lape (needs activations)" in caplog.text
    assert not out.exists()
    said = compare("--detectors", "plnd", "--shard", "1/2")
    assert "15 cells, 8 to compute in part 1 of 2" in said
    said = compare("--detectors", "plnd")
    assert "15 cells, 7 to compute" in said
    assert "Detectors on bpb, LS all" in said
    said = compare("--detectors", "random")
    assert "15 cells, 12 to compute" in said
    report = json.loads((out / "report.json").read_text())
    assert [*report["detectors"][0]["detectors"]] == ["plnd", "random"]
    assert {"report.md", "report.html"} <= {path.name for path in out.iterdir()}
    mwork("leaderboard", out, "--out", tmp_path / "site")
    (page,) = (tmp_path / "site" / "models").glob("*/index.html")
    assert "Detectors on bpb, LS all" in page.read_text(encoding="utf-8")


def test_a_missing_record_is_told_before_a_model_loads(scores, tmp_path):
    said = mwork(
        "compare-detectors", scores[0], "--model", tmp_path / "nowhere", "--detectors", "lape", "--out", tmp_path / "o",
        code=2,
    )  # fmt: skip
    assert "the detector lape needs a record that the scores lack" in said
    assert "detect again with --record activations" in said


def test_another_comparison_replaces_the_sets_of_its_detectors(loaded, compared, tmp_path):
    matrix, recorded = compared
    folder = shutil.copytree(matrix.folder, tmp_path / "o")
    mw.compare_detectors(*loaded, recorded, detectors="lape", count=3, limit=4, data="embedded", seeds=[1], out=folder)
    sets = {name: len(load_neuron_set(folder / "neurons" / name / "zh.safetensors")) for name in ("plnd", "lape")}
    assert sets == {"plnd": 4, "lape": 3}
    (table,) = mw.read_results(folder).detectors
    assert {row.detector: row.neurons for row in table.rows} == dict.fromkeys(DETECTORS, 4) | {"lape": 3}
    assert set(table.overlaps[0].jaccard) == set(DETECTORS)


def test_two_commands_lead_from_texts_to_the_table(tiny_llama, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    mwork(
        "detect", "--model", tiny_llama, "--languages", "en,zh,es", "--max-docs", "6", "--record", "all", "--fraction",
        "0.2", "--device", "cpu", "--out", tmp_path / "scores",
    )  # fmt: skip
    said = mwork(
        "compare-detectors", tmp_path / "scores", "--model", tiny_llama, "--count", "2", "--data", "embedded",
        "--limit", "2", "--seeds", "1", "--device", "cpu", "--out", tmp_path / "out",
    )  # fmt: skip
    assert "Detectors on bpb, LS all" in said
    (table,) = mw.read_results(tmp_path / "out").detectors
    assert list(table.detectors) == [
        "plnd", "lape", "lape-lambda", "average-precision", "activation-difference", "attribution", "random",
    ]  # fmt: skip
    assert {row.neurons for row in table.rows} == {2}
    assert table.detectors["attribution"] != table.detectors["plnd"]


def test_a_detector_is_told_its_arguments(loaded, compared, tmp_path):
    _, recorded = compared
    told, labels = {"average-precision": {"ends": "top"}}, []

    class Heard:
        def tell(self, message):
            pass

        @contextmanager
        def bar(self, what, total, *, show=True):
            yield lambda label, amount: labels.append(label)

    matrix = mw.compare_detectors(
        *loaded, recorded, detectors="average-precision,random", arguments=told, count=3, limit=2, data="embedded",
        seeds=[1], structures="up", out=tmp_path / "o", progress=Heard(),
    )  # fmt: skip
    first, second = json.loads((matrix.folder / "manifest.json").read_text())["presets"]
    expected = recorded.select(count=3, detector="average-precision", arguments=told["average-precision"])
    for language, entry in first["sets"].items():
        assert entry["digest"] == expected[language].digest
        assert entry["about"]["selection"]["arguments"]["ends"] == "top"
    assert second["sets"]["zh"]["about"]["selection"]["arguments"] == {"seed": 0}
    assert "average-precision · LS all · zh · bpb_zh" in labels
    assert "random · R all · zh seed 1 · bpb_zh" in labels
    assert "baseline · bpb_zh" in labels


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["lape:bar=2"], "unusable argument of the detector lape"),
        (["random:seed=1"], "arguments of a detector that is not compared"),
        (["bar=0.9"], "cannot read --detector-args"),
        (["lape:bar=0.9", "lape:filter=0.9"], "cannot read --detector-args"),
    ],
)
def test_wrong_arguments_of_detectors_end_before_a_model_loads(scores, tmp_path, given, said):
    told = [part for one in given for part in ("--detector-args", one)]
    found = mwork(
        "compare-detectors", with_records_in(scores, tmp_path), "--model", tmp_path / "nowhere", "--detectors",
        "plnd,lape", *told, "--out", tmp_path / "o", code=2,
    )  # fmt: skip
    assert said in found


def with_records_in(scores, tmp_path):
    save_scores(with_records(scores[1]), tmp_path / "scores")
    return tmp_path / "scores"
