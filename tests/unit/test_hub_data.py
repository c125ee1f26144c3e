"""Task data from the hub: what is asked for, cut and said when there is no network."""

import json
import re
from typing import Any

import datasets
import pytest
from helpers.benchmark_files import summary

from mwork_eval.benchmarks import data as task_data
from mwork_eval.benchmarks.data import load
from mwork_eval.benchmarks.rows import BENCHMARKS
from mwork_eval.errors import InputError
from mwork_eval.languages import table

pytestmark = pytest.mark.usefixtures("no_other_source")

HUB_ROWS: dict[str, list[dict[str, Any]]] = {
    "xquad": [{"id": "1", "context": "c", "question": "q", "answers": {"text": ["a"], "answer_start": [0]}}],
    "mgsm": [{"text": "Frage?\t3"}],
    "xcsqa": [
        {
            "id": "1",
            "lang": "en",
            "question": {"stem": "s", "choices": {"label": ["A", "B"], "text": ["a", "b"]}},
            "answerKey": "B",
        }
    ],
    "xlsum": [summary()],
    "bpb": [{"id": "1", "url": "", "title": "t", "text": "One sentence here. " * 100}] * 500,
}


def test_each_benchmark_asks_the_hub_for_its_pinned_files(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []
    for benchmark, rows in HUB_ROWS.items():

        def fake(rows: list[dict[str, Any]] = rows, **arguments: Any) -> list[dict[str, Any]]:
            calls.append(arguments)
            return rows

        monkeypatch.setattr(datasets, "load_dataset", fake)
        docs = load(benchmark, "zh")["test"]
        assert len(docs) == min(len(rows), task_data.HUB_ARTICLES)
        assert docs[0]["language"] == "zh"
    assert calls == [
        {
            "path": "google/xquad",
            "name": "xquad.zh",
            "revision": "51adfef1c1287aab1d2d91b5bead9bcfb9c68583",
            "split": "validation",
        },
        {
            "path": "text",
            "data_files": "hf://datasets/juletxara/mgsm@f52417ca77bd71e9888ddc29f92587660725d2b4/mgsm_zh.tsv",
            "split": "train",
        },
        {
            "path": "parquet",
            "data_files": "hf://datasets/INK-USC/xcsr@refs/convert/parquet/X-CSQA-zh/validation/*.parquet",
            "split": "train",
        },
        {
            "path": "parquet",
            "data_files": "hf://datasets/csebuetnlp/xlsum@refs/convert/parquet/chinese_simplified/test/*.parquet",
            "split": "train",
        },
        {
            "path": "wikimedia/wikipedia",
            "name": "20231101.zh",
            "revision": "b04c8d1ceb2f5cd4588862100d08de323dccfbaa",
            "split": "train",
            "streaming": True,
        },
    ]


def test_hub_articles_are_cut_at_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "load_dataset", lambda **arguments: iter(HUB_ROWS["bpb"]))
    text = load("bpb", "en")["test"][0]["text"]
    assert text.endswith("here.")
    assert task_data.HUB_ARTICLE_CHARACTERS - 20 < len(text) <= task_data.HUB_ARTICLE_CHARACTERS


@pytest.mark.parametrize("streaming", [False, True])
def test_no_network_is_one_line_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch, streaming: bool) -> None:
    def fail(**arguments: Any) -> Any:
        raise ConnectionError("no route\nto host")

    def fail_later(**arguments: Any) -> Any:
        yield {"text": "One document."}
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(datasets, "load_dataset", fail_later if streaming else fail)
    with pytest.raises(InputError) as caught:
        load("bpb", "de")
    message = str(caught.value)
    assert "the held-out text in German from the Hugging Face hub; found ConnectionError: no route" in message
    assert "--metadata data=embedded" in message
    assert "MWORK_DATA" in message
    assert "\n" not in message


def test_every_benchmark_is_pinned_in_every_language() -> None:
    for benchmark, entry in BENCHMARKS.items():
        pinned = re.search(r"[0-9a-f]{40}|refs/convert/parquet", json.dumps(entry.hub))
        assert pinned, benchmark
        for language in entry.languages:
            assert language in table.rows() or benchmark == "xquad"
            for pattern in [*entry.files, *(value for value in entry.hub.values() if isinstance(value, str))]:
                assert "{" not in entry.fill(pattern, language)
    assert set(BENCHMARKS["xlsum"].names) == set(BENCHMARKS["xlsum"].languages)
