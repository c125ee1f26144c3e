"""Corpora, score tables and selection."""

import json

import numpy as np
import pytest
from conftest import make_model, make_tokenizer

from mwork_eval.detection.corpora import Corpus, Sample, sample_documents
from mwork_eval.detection.detect import score_language, score_languages
from mwork_eval.detection.score_table import ScoreAccumulator, ScoreTable
from mwork_eval.detection.selection import Selection, select, select_specific
from mwork_eval.errors import InputError
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.shape import ModelShape

SIZES = {"q": 6, "k": 2, "v": 2, "o": 6, "gate": 5, "up": 5, "down": 5}
SHAPE = ModelShape("llama", (SIZES, SIZES))


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


def table(language: str = "zh", seed: int = 0, documents: int = 4, **about) -> ScoreTable:
    generator = np.random.default_rng(seed)
    accumulator = ScoreAccumulator(SHAPE)
    for _ in range(documents):
        accumulator.add({(layer, s): generator.random(n, np.float32) for layer in (0, 1) for s, n in SIZES.items()})
    return accumulator.table({"language": language, "fingerprint": "f", "method": "paper", **about})


def test_running_statistics_equal_those_of_all_documents():
    generator = np.random.default_rng(5)
    scores = generator.random((7, 6)).astype(np.float32)
    accumulator = ScoreAccumulator(SHAPE)
    for row in scores:
        accumulator.add({(layer, s): row[:n] for layer in (0, 1) for s, n in SIZES.items()})
    found = accumulator.table({})
    ranks = (-scores).argsort(1, kind="stable").argsort(1, kind="stable")
    np.testing.assert_array_equal(found.minimum[0, "q"], scores.min(0))
    np.testing.assert_allclose(found.mean[1, "q"], scores.mean(0), rtol=1e-6)
    np.testing.assert_array_equal(found.worst_rank[0, "q"], ranks.max(0))
    assert found.about["documents"] == 7


def test_scores_that_are_not_finite_are_refused():
    bad = {(layer, s): np.full(n, np.nan, np.float32) for layer in (0, 1) for s, n in SIZES.items()}
    with pytest.raises(ValueError, match="not finite"):
        ScoreAccumulator(SHAPE).add(bad)
    with pytest.raises(ValueError, match="no document"):
        ScoreAccumulator(SHAPE).table({})


def test_score_file_round_trip(tmp_path):
    original = table(corpus={"name": "语料"})
    original.save(tmp_path / "zh.safetensors")
    loaded = ScoreTable.load(tmp_path / "zh.safetensors")
    assert dict(loaded.about) == dict(original.about)
    for statistic in ("minimum", "mean", "worst_rank"):
        for place, values in getattr(original, statistic).items():
            np.testing.assert_array_equal(getattr(loaded, statistic)[place], values)
    (tmp_path / "zh.safetensors").write_bytes((tmp_path / "zh.safetensors").read_bytes()[:-3])
    with pytest.raises(InputError, match="cannot be read"):
        ScoreTable.load(tmp_path / "zh.safetensors")


def test_selection_by_fraction_takes_the_highest_minima():
    scores = table()
    neurons = select(scores, Selection(fraction=0.5, structures=("q", "up")))
    for layer in (0, 1):
        minimum = scores.minimum[layer, "q"]
        assert neurons.indices[layer, "q"].tolist() == np.argsort(-minimum)[:3].tolist()
    assert neurons.by_structure() == {"q": 6, "up": 4}


def test_selection_by_threshold_and_top_k():
    scores = table()
    epsilon = float(np.median(scores.minimum[0, "q"]))
    by_threshold = select(scores, Selection(threshold={"q": epsilon}, structures=("q",)))
    assert set(by_threshold.indices[0, "q"].tolist()) == set(np.flatnonzero(scores.minimum[0, "q"] >= epsilon))
    by_rank = select(scores, Selection(top_k=4, structures=("q",)))
    assert set(by_rank.indices[0, "q"].tolist()) == set(np.flatnonzero(scores.worst_rank[0, "q"] < 4))


def test_specific_to_a_language():
    tables = [table(code, i, corpus={"name": f"corpus of {code}"}) for i, code in enumerate(("en", "zh", "es"))]
    rule = Selection(fraction=0.5)
    detected = {t.about["language"]: select(t, rule) for t in tables}
    english = select_specific(tables, rule)
    assert set(english) == {"zh", "es"}
    assert english["zh"] == detected["zh"] - detected["en"]
    assert english["zh"].about["subtracted"] == {"en": {"name": "corpus of en"}}
    common = select_specific(tables, Selection(fraction=0.5, specific="common"))
    assert common["en"] == detected["en"] - (detected["en"] & detected["zh"] & detected["es"])
    assert select_specific(tables, Selection(fraction=0.5, specific="none"))["zh"] == detected["zh"]


def test_selection_errors():
    rule = Selection(fraction=0.5)
    with pytest.raises(InputError, match="English was not scored"):
        select_specific([table("zh"), table("es", 1)], rule)
    with pytest.raises(InputError, match="different models"):
        select_specific([table("en"), table("zh", 1, fingerprint="g")], rule)
    with pytest.raises(InputError, match="different methods"):
        select_specific([table("en"), table("zh", 1, method="exact")], rule)
    with pytest.raises(InputError, match="no neuron is specific to zh"):
        select_specific([table("en", 0), table("zh", 0)], rule)
    for bad in ({}, {"fraction": 0.1, "top_k": 3}, {"fraction": 0.0}, {"top_k": 0}, {"threshold": {"q": 1.0}}):
        with pytest.raises(InputError):
            Selection(**bad)
    with pytest.raises(InputError, match="nothing selected; found no neuron of zh"):
        select_specific([table("zh")], Selection(threshold={"q": 9.0}, structures=("q",), specific="none"))
    with pytest.raises(InputError, match="unknown --specific"):
        Selection(fraction=0.1, specific="german")


def test_corpora_are_read(tmp_path, tokenizer):
    text = tmp_path / "zh.txt"
    text.write_text("第一篇文章，内容足够长，可以使用。\n\n短\n第二篇文章也足够长，可以使用。\n", encoding="utf-8")
    jsonl = tmp_path / "zh.jsonl"
    jsonl.write_text("".join(json.dumps({"body": f"{i} " * 30}) + "\n" for i in range(5)), encoding="utf-8")
    sample = sample_documents(Corpus("zh", str(text)), tokenizer, max_documents=9, max_tokens=20)
    assert [len(ids) for ids in sample.token_ids] == [20, 20]
    assert sample.skipped == 1
    assert sample.tokens == 40
    first = sample_documents(Corpus("zh", f"{jsonl}#body"), tokenizer, max_documents=3, max_tokens=50)
    shuffled = sample_documents(Corpus("zh", f"{jsonl}#body"), tokenizer, max_documents=3, max_tokens=50, seed=4)
    again = sample_documents(Corpus("zh", f"{jsonl}#body"), tokenizer, max_documents=3, max_tokens=50, seed=4)
    assert shuffled.digest == again.digest != first.digest


def test_corpus_errors(tmp_path, tokenizer):
    with pytest.raises(InputError, match="expected LANGUAGE=SOURCE"):
        Corpus.parse("zh.txt")
    with pytest.raises(InputError, match="unknown language"):
        Corpus.parse("xx=a.txt")
    with pytest.raises(InputError, match="no corpus for zh"):
        Corpus.parse(f"zh={tmp_path / 'missing.txt'}")
    short = tmp_path / "short.txt"
    short.write_text("a\nb\nc\n" + "long enough to be of use here, surely\n")
    with pytest.raises(InputError, match="too few usable documents; found 1"):
        sample_documents(Corpus("en", str(short)), tokenizer, max_documents=9, max_tokens=50)
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"text": "fine"}\n{"body": 1}\n')
    with pytest.raises(InputError, match="record 2"):
        list(Corpus("en", str(broken)).documents())
    latin = tmp_path / "latin.txt"
    latin.write_bytes("größe".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8"):
        list(Corpus("de", str(latin)).documents())


def test_a_hub_corpus_without_network_is_one_clear_error():
    with pytest.raises(InputError, match="cannot be read"):
        list(Corpus("en", "hub:nobody/nothing-of-this-name").documents())


def test_scoring_a_corpus(tmp_path, tokenizer):
    layout = Layout.of(make_model("llama"))
    sample = sample_documents(Corpus("en", "embedded"), tokenizer, max_documents=3, max_tokens=24)
    advanced = []
    found = score_language(layout, "tiny", sample, advance=advanced.append)
    assert sum(advanced) == sample.tokens
    assert found.about["documents"] == 3
    assert found.about["corpus"]["name"] == "embedded"
    one_by_one = [
        score_language(layout, "tiny", Sample(sample.corpus, (ids,), "", 0, None, 24)) for ids in sample.token_ids
    ]
    np.testing.assert_array_equal(
        found.minimum[1, "q"], np.min([single.minimum[1, "q"] for single in one_by_one], axis=0)
    )
    assert found.minimum[0, "up"].tolist() == found.minimum[0, "down"].tolist() == found.minimum[0, "gate"].tolist()


def test_a_finished_language_is_not_scored_again(tmp_path, tokenizer, monkeypatch):
    layout = Layout.of(make_model("llama"))
    sample = sample_documents(Corpus("en", "embedded"), tokenizer, max_documents=2, max_tokens=24)
    score_languages(layout, "tiny", [sample], tmp_path)
    path = tmp_path / "scores" / "en.safetensors"
    first = path.read_bytes()

    def never(*_):
        raise AssertionError("scored again")

    monkeypatch.setattr("mwork_eval.detection.plnd.score_document", never)
    score_languages(layout, "tiny", [sample], tmp_path)
    assert path.read_bytes() == first
    other = sample_documents(Corpus("en", "embedded"), tokenizer, max_documents=2, max_tokens=25)
    with pytest.raises(AssertionError, match="scored again"):
        score_languages(layout, "tiny", [other], tmp_path)
