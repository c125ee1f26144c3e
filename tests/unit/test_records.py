"""The seam of records: another one is one module and one row, and everything else works with it."""

import copy
import pickle

import numpy as np
import pytest
from conftest import make_model, make_tokenizer
from helpers.detections import stream_of

import mwork_eval as mw
from mwork_eval.application.progress import Silent
from mwork_eval.detection.detect import DetectOptions, score_languages
from mwork_eval.detection.partial import PartialScores, merge_shards
from mwork_eval.detection.recording import registry
from mwork_eval.detection.score_table import ScoreTable
from mwork_eval.detection.scoring.methods import check_method
from mwork_eval.models.layout import Layout

HOW = {"max_docs": 8, "max_tokens": 24, "progress": Silent()}


@pytest.fixture(autouse=True)
def loudest(monkeypatch):
    monkeypatch.setitem(registry.RECORDS, "loudness", "helpers.loudness_record")


def test_another_record_is_recorded_and_read_again(tmp_path):
    model, tokenizer, texts = make_model("llama"), make_tokenizer(), {"en": "embedded", "zh": "embedded"}
    plnd = mw.detect(model, tokenizer, texts, **HOW)
    found = mw.detect(model, tokenizer, texts, record="loudness", out=tmp_path, set_draws=2, **HOW)
    np.testing.assert_allclose(found.tables["zh"].loudness[2, "v"], plnd.tables["zh"].mean[2, "v"], rtol=1e-6)
    assert (found.tables["zh"].peak[2, "v"] >= plnd.tables["zh"].minimum[2, "v"]).all()
    read = ScoreTable.load(tmp_path / "scores" / "zh.safetensors")
    np.testing.assert_array_equal(read.peak[3, "q"], found.tables["zh"].peak[3, "q"])
    assert read.about["loudest"] == float(max(peak.max() for peak in read.peak.values()))


def test_its_shards_are_joined_as_it_declares(tmp_path, monkeypatch):
    monkeypatch.setattr("mwork_eval.detection.detect._MOST_TOKENS", 50)  # two documents a batch
    layout, tokenizer = Layout.of(make_model("llama")), make_tokenizer()

    def score(folder, shard):
        options = DetectOptions(shard=shard, recorded=("loudness",))
        return score_languages(layout, "tiny", [stream_of(tokenizer, documents=8)], folder, options)

    whole = score(None, (0, 1)).tables[0]
    parts = [PartialScores.load(score(tmp_path, (index, 2)).unfinished[0]) for index in (0, 1)]
    assert all(part.documents for part in parts)
    merged = merge_shards(parts, ["1", "2"]).table()
    for place, peak in whole.peak.items():
        np.testing.assert_array_equal(merged.peak[place], peak)
        np.testing.assert_allclose(merged.loudness[place], whole.loudness[place], rtol=1e-12)


def test_a_table_has_its_columns_and_no_others(tmp_path):
    found = mw.detect(make_model("llama"), make_tokenizer(), {"en": "embedded"}, out=tmp_path, **HOW)
    table = found.tables["en"]
    for other in (copy.deepcopy(table), pickle.loads(pickle.dumps(table))):
        np.testing.assert_array_equal(other.mean[0, "q"], table.mean[0, "q"])
    with pytest.raises(AttributeError, match="no 'loudness'"):
        _ = table.loudness


def test_an_unknown_record_or_method_is_named(tmp_path, monkeypatch):
    texts = {"en": "embedded"}
    with pytest.raises(mw.InputError, match=r"unknown method of detection; found 'guess'; expected exact or paper or"):
        mw.detect(make_model("llama"), make_tokenizer(), texts, method="guess", **HOW)
    with pytest.raises(mw.InputError, match=r"unknown method of detection; found guess"):
        check_method("guess")
    mw.detect(make_model("llama"), make_tokenizer(), texts, record="loudness", out=tmp_path, **HOW)
    monkeypatch.delitem(registry.RECORDS, "loudness")
    with pytest.raises(mw.InputError, match="unknown record; found loudness; expected some of activations"):
        ScoreTable.load(tmp_path / "scores" / "en.safetensors")
