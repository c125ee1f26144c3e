"""A limit of one benchmark: the cells of that limit, all documents of the others, and a manifest that says so."""

import json

import pytest
from helpers.commands import invoke

from mwork_eval.application.ablate import ablate
from mwork_eval.application.progress import Silent
from mwork_eval.application.read_results import read_results
from mwork_eval.errors import InputError

pytest_plugins = ["helpers.matrix_fixtures"]

MATRIX = {"languages": ["en", "zh"], "seeds": [1], "data": "embedded", "progress": Silent(), "device": "cpu"}


def cells(folder):
    return {path.name for path in (folder / "cells").iterdir()}


def test_a_limit_of_one_benchmark(tiny_llama, neurons, tmp_path):
    given = {"model": str(tiny_llama), "neurons": neurons, "tasks": ["bpb", "xcsqa_letter"], **MATRIX}
    limited = ablate(**given, limit={"bpb": 2}, out=tmp_path / "limited")
    manifest = json.loads((tmp_path / "limited/manifest.json").read_text())
    assert (manifest["limit"], manifest["limits"]) == (None, {"bpb": 2})
    assert manifest["presets"][0]["limits"] == {"bpb": 2}
    requests = {name: entry["count"] for name, entry in manifest["requests"].items()}
    assert requests == {"bpb_en": 2, "bpb_zh": 2, "xcsqa_letter_en": 24 * 5, "xcsqa_letter_zh": 24 * 5}
    # A cell is that of the same documents under any other limit.
    ablate(**given | {"tasks": "bpb"}, limit=2, out=tmp_path / "all")
    assert cells(tmp_path / "all") < cells(tmp_path / "limited")
    assert "limits" not in json.loads((tmp_path / "all/manifest.json").read_text())
    assert len(read_results(tmp_path / "limited").tables) == len(limited.tables) == 2
    invoke("report", tmp_path / "limited")
    assert json.loads((tmp_path / "limited/report.json").read_text())["limits"] == {"bpb": 2}
    invoke("report", tmp_path / "all")
    assert "limits" not in json.loads((tmp_path / "all/report.json").read_text())


def test_a_limit_of_another_benchmark_is_an_error(tiny_llama, neurons):
    with pytest.raises(
        InputError, match="a `limit` of what is no task of the matrix; found xquad; expected some of bpb"
    ):
        ablate(str(tiny_llama), neurons=neurons, tasks="bpb", limit={"xquad": 3}, **MATRIX)
