"""The seam of detectors: a second one is one module and one row, and everything else works with it."""

import copy
import pickle

import numpy as np
import pytest
from conftest import make_model, make_tokenizer

import mwork_eval as mw
from mwork_eval.application.progress import Silent
from mwork_eval.detection import detector
from mwork_eval.detection.corpus.documents import DocumentRules, DocumentStream
from mwork_eval.detection.corpus.sources import Corpus
from mwork_eval.detection.detect import DetectOptions, score_languages
from mwork_eval.detection.partial import PartialScores, merge_shards
from mwork_eval.detection.score_table import ScoreTable
from mwork_eval.models.layout import Layout


@pytest.fixture(autouse=True)
def loudest(monkeypatch):
    monkeypatch.setitem(detector.DETECTORS, "loudest", "helpers.loudest_detector")


def test_a_second_detector_detects_and_is_read_again(tmp_path):
    model, tokenizer, texts = make_model("llama"), make_tokenizer(), {"en": "embedded", "zh": "embedded"}
    how = {"max_docs": 8, "max_tokens": 24, "progress": Silent()}
    plnd = mw.detect(model, tokenizer, texts, **how)
    found = mw.detect(model, tokenizer, texts, method="loudest", out=tmp_path, set_draws=2, **how)
    np.testing.assert_allclose(found.tables["zh"].loudness[2, "v"], plnd.tables["zh"].mean[2, "v"], rtol=1e-6)
    assert (found.tables["zh"].peak[2, "v"] >= plnd.tables["zh"].minimum[2, "v"]).all()
    sets = found.select()
    assert sets["zh"].indices[1, "v"].tolist() == [int(np.argmax(plnd.tables["zh"].mean[1, "v"]))]
    read = ScoreTable.load(tmp_path / "scores" / "zh.safetensors")
    np.testing.assert_array_equal(read.peak[3, "q"], found.tables["zh"].peak[3, "q"])
    assert mw.read_neurons(tmp_path / "draws" / "1" / "zh").shape == sets["zh"].shape


def test_its_shards_are_joined_as_it_declares(tmp_path):
    layout, tokenizer = Layout.of(make_model("llama")), make_tokenizer()

    def score(folder, shard):
        stream = DocumentStream(Corpus("en", "embedded"), tokenizer, DocumentRules(8, 24))
        return score_languages(layout, "tiny", [stream], folder, DetectOptions("loudest", 120_000, shard))

    whole = score(None, (0, 1)).tables[0]
    parts = [PartialScores.load(score(tmp_path, (index, 2)).unfinished[0]) for index in (0, 1)]
    merged = merge_shards(parts, ["1", "2"]).table()
    for place, peak in whole.peak.items():
        np.testing.assert_array_equal(merged.peak[place], peak)
        np.testing.assert_allclose(merged.loudness[place], whole.loudness[place], rtol=1e-12)


def test_a_table_has_its_columns_and_no_others(tmp_path):
    texts = {"en": "embedded"}
    found = mw.detect(make_model("llama"), make_tokenizer(), texts, max_docs=2, out=tmp_path, progress=Silent())
    table = found.tables["en"]
    for other in (copy.deepcopy(table), pickle.loads(pickle.dumps(table))):
        np.testing.assert_array_equal(other.mean[0, "q"], table.mean[0, "q"])
    with pytest.raises(AttributeError, match="no 'loudness'"):
        _ = table.loudness


def test_an_unknown_method_is_named(tmp_path, monkeypatch):
    texts, how = {"en": "embedded"}, {"max_docs": 2, "progress": Silent()}
    with pytest.raises(mw.InputError, match=r"unknown method of detection; found 'guess'; expected exact or paper or"):
        mw.detect(make_model("llama"), make_tokenizer(), texts, method="guess", **how)
    mw.detect(make_model("llama"), make_tokenizer(), texts, method="loudest", out=tmp_path, **how)
    monkeypatch.delitem(detector.DETECTORS, "loudest")
    with pytest.raises(mw.InputError, match="unknown method of detection; found loudest"):
        ScoreTable.load(tmp_path / "scores" / "en.safetensors")
