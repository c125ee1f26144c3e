"""Answers of different engines: said in every file, in no table together, and compared by the gate only if asked."""

import csv
import json
from pathlib import Path

import pytest
from helpers.commands import mwork
from helpers.gate_folders import answers, make_results
from helpers.report_folders import make_folder

import mwork_eval as mw
from mwork_eval.results.lm_eval_content import LmEvalContent
from mwork_eval.results.manifest import Manifest
from mwork_eval.results.store import MANIFEST

VLLM = {"name": "vllm", "version": "0.32.0", "dtype": "torch.float32", "tensor_parallel_size": 2}


def by_vllm(folder: Path) -> Path:
    """Let a results folder say that vLLM computed it."""
    manifest = Manifest.read(folder / MANIFEST)
    manifest.model_copy(update={"engine": VLLM}).save(folder / MANIFEST)
    assert Manifest.read(folder / MANIFEST).engine == VLLM
    return folder


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("hf", "vllm"):
        make_results(tmp_path / name, {("xquad", "en"): answers(40, 30), ("xquad", "zh"): answers(40, 20)})
    return tmp_path / "hf", by_vllm(tmp_path / "vllm")


def test_the_gate_compares_engines_only_if_asked(folders: tuple[Path, Path]) -> None:
    plain, other = folders
    assert mw.check(other, other).passed
    found = mw.check(other, plain)
    assert found.exit_code == 2
    (problem,) = found.problems
    assert problem.reason.startswith("another engine; found vllm; expected transformers; score both with one engine")
    allowed = mw.check(other, plain, any_engine=True)
    assert allowed.passed
    assert "OLD was computed by transformers, NEW by vllm." in allowed.notes
    assert "--any-engine" in mwork("check", other, "--baseline", plain, code=2)
    mwork("check", other, "--baseline", plain, "--any-engine")


def test_a_written_baseline_knows_its_engine(folders: tuple[Path, Path], tmp_path: Path) -> None:
    plain, other = folders
    mwork("check", other, "--write-baseline", tmp_path / "baseline")
    assert mw.check(other, tmp_path / "baseline").passed
    assert mw.check(plain, tmp_path / "baseline").exit_code == 2


def test_results_of_lm_eval_know_their_engine() -> None:
    def asking(**more: object) -> dict[str, str]:
        return LmEvalContent.model_validate({"n-samples": {"t": {"effective": 1}}, "results": {"t": {}}, **more}).asking

    assert asking(model_source="hf") == asking(model_source="mwork-hf") == asking() == {}
    assert asking(model_source="vllm") == {"engine": "vllm"}
    assert asking(model_source="else", config={"mwork": {"engine": VLLM}}) == {"engine": "vllm"}


def test_reports_name_the_engine(tmp_path: Path) -> None:
    sentence = "Engine: vllm 0.32.0, float32, 2 x tensor parallel."
    for folder, expected in ((make_folder(tmp_path / "hf"), False), (by_vllm(make_folder(tmp_path / "vllm")), True)):
        mwork("report", folder)
        assert (sentence in (folder / "report.md").read_text()) is expected
        assert ("engine" in json.loads((folder / "report.json").read_text())) is expected


def test_the_leaderboard_has_a_column_for_each_engine(tmp_path: Path) -> None:
    folders = make_folder(tmp_path / "hf", model="a"), by_vllm(make_folder(tmp_path / "vllm", model="b"))
    for folder in folders:
        mwork("report", folder)
    mwork("leaderboard", *folders, "--out", tmp_path / "board")
    with (tmp_path / "board" / "scores.csv").open() as file:
        columns = {
            row["model"]: {(row["task"], row["documents_digest"], row["prompting"])} for row in csv.DictReader(file)
        }
    assert columns["a"].isdisjoint(columns["b"])
    assert all(prompting == "engine=vllm" for *_, prompting in columns["b"])
