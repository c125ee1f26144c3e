"""Corpora, score tables and selection."""

import numpy as np
import pytest
from conftest import make_model
from helpers.plnd_scores import ScoreAccumulator

from mwork_eval.detection.corpus.batches import make_batches
from mwork_eval.detection.corpus.documents import DocumentRules, DocumentStream
from mwork_eval.detection.corpus.sources import Corpus
from mwork_eval.detection.detect import DetectOptions, score_languages
from mwork_eval.detection.partial import PartialScores, merge_shards
from mwork_eval.detection.plnd import select, statistics_of
from mwork_eval.detection.score_table import ScoreTable
from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.detection.selection import Selection, select_specific
from mwork_eval.detection.set_draws import draw_sets
from mwork_eval.detection.stability import measure_stability
from mwork_eval.errors import InputError
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.shape import ModelShape

SIZES = {"q": 6, "k": 2, "v": 2, "o": 6, "gate": 5, "up": 5, "down": 5}
SHAPE = ModelShape("llama", (SIZES, SIZES))


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


def ranked(documents) -> ScoreTable:
    """A table of one layer's q, from the scores of each document `[neurons]`."""
    shape = ModelShape("llama", ({"q": len(documents[0])},))
    accumulator = ScoreAccumulator(shape)
    for scores in documents:
        accumulator.add({(0, "q"): np.array(scores, np.float32)})
    return accumulator.table({"language": "zh", "fingerprint": "f", "method": "exact"})


def in_top_of_every(documents, count: int) -> set[int]:
    """The neurons among the first ``count`` of every document, the slow way."""
    tops = [set(sorted(range(len(one)), key=lambda n, one=one: -one[n])[:count]) for one in documents]
    return set.intersection(*tops)


def test_selection_by_fraction_takes_what_is_in_the_top_fraction_of_every_document():
    generator = np.random.default_rng(3)
    for lengths in ([200] * 6, [200] * 5 + [20], [5, 1000, 60]):
        common = generator.random(100) * 4
        documents = [length * (common + generator.random(100)) for length in lengths]
        found = select(ranked(documents), Selection(fraction=0.2, structures=("q",)))
        assert set(found.indices[0, "q"].tolist()) == in_top_of_every(documents, 20) != set()


def test_selection_by_fraction_does_not_depend_on_the_lengths_of_documents():
    """Scores are sums over tokens; a short document must not weigh more than a long one."""
    generator = np.random.default_rng(4)
    common = generator.random(200) * 3
    documents = [common + generator.random(200) for _ in range(6)]
    rule = Selection(fraction=0.1, structures=("q",))
    alike = select(ranked([200 * one for one in documents]), rule)
    unlike = select(ranked([200 * one for one in documents[:5]] + [20 * documents[5]]), rule)
    assert alike == unlike
    assert select(ranked([200 * one for one in documents]), Selection(top_k=20, structures=("q",))) == alike


def test_the_best_worst_rank_comes_first_and_then_the_highest_mean():
    documents = [[9, 8, 7, 6, 5, 1], [9, 6, 8, 7, 50, 1]]
    # ranks 0 1 2 3 4 5 and 1 4 2 3 0 5: the worst are 1 4 2 3 4 5; of 1 and 4 the second has the higher mean
    found = select(ranked(documents), Selection(fraction=5 / 6, structures=("q",)))
    assert found.indices[0, "q"].tolist() == [0, 2, 3, 4, 1]
    assert found.about["selection"]["by"] == "worst_rank"


def test_a_threshold_is_of_the_sum_in_every_document():
    documents = [[4.0, 3.0, 2.0], [0.5, 0.1, 0.4]]
    found = select(ranked(documents), Selection(threshold={"q": 0.4}, structures=("q",)))
    assert found.indices[0, "q"].tolist() == [0, 2]
    assert found.about["selection"]["by"] == "minimum"


def test_selection_by_threshold_and_top_k():
    scores = table()
    epsilon = float(np.median(scores.minimum[0, "q"]))
    by_threshold = select(scores, Selection(threshold={"q": epsilon}, structures=("q",)))
    assert set(by_threshold.indices[0, "q"].tolist()) == set(np.flatnonzero(scores.minimum[0, "q"] >= epsilon))
    by_rank = select(scores, Selection(top_k=4, structures=("q",)))
    assert set(by_rank.indices[0, "q"].tolist()) == set(np.flatnonzero(scores.worst_rank[0, "q"] < 4))


def test_specific_to_a_language():
    tables = [table(code, i, corpus={"name": f"corpus of {code}"}) for i, code in enumerate(("en", "zh", "es"))]
    rule = Selection(fraction=0.8)
    detected = {t.about["language"]: select(t, rule) for t in tables}
    english = select_specific(tables, rule)
    assert set(english) == {"zh", "es"}
    assert english["zh"] == detected["zh"] - detected["en"]
    assert english["zh"].about["subtracted"] == {"en": {"name": "corpus of en"}}
    assert beside(english["zh"]) == detected["zh"] & detected["en"]
    assert len(beside(english["zh"])) > 0
    common = select_specific(tables, Selection(fraction=0.8, specific="common"))
    assert common["en"] == detected["en"] - (detected["en"] & detected["zh"] & detected["es"])
    assert beside(common["en"]) == detected["en"] & detected["zh"] & detected["es"]
    everything = select_specific(tables, Selection(fraction=0.8, specific="none"))["zh"]
    assert everything == detected["zh"]
    assert len(beside(everything)) == 0


def beside(neurons: NeuronSet) -> NeuronSet:
    return NeuronSet(SHAPE, neurons.shared)


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
    with pytest.raises(InputError, match="unknown specific"):
        Selection(fraction=0.1, specific="german")


def test_corpus_errors(tmp_path):
    with pytest.raises(InputError, match="expected LANGUAGE=SOURCE"):
        Corpus.parse("zh.txt")
    with pytest.raises(InputError, match="unknown language"):
        Corpus.parse("xx=a.txt")
    with pytest.raises(InputError, match="no corpus for zh"):
        Corpus.parse(f"zh={tmp_path / 'missing.txt'}")
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


def stream_of(tokenizer, language: str = "en", documents: int | None = 3, **rules) -> DocumentStream:
    return DocumentStream(Corpus(language, "embedded"), tokenizer, DocumentRules(documents, 24, **rules))


def test_batches_hold_every_document_once_and_are_bounded():
    generator = np.random.default_rng(0)
    documents = [[number] * int(length) for number, length in enumerate(generator.integers(1, 60, 700))]
    batches = list(make_batches(documents, 100))
    assert sorted(number for batch in batches for number in batch.numbers) == list(range(700))
    for batch in batches:
        assert all(tokens[0] == number for tokens, number in zip(batch.token_ids, batch.numbers, strict=True))
        padded = len(batch.numbers) * max(map(len, batch.token_ids))
        assert padded <= 100 or len(batch.numbers) == 1
    assert sum(batch.tokens for batch in batches) == sum(map(len, documents))
    assert len(batches) < 700 / 2
    endless = make_batches(([1] * 5 for _ in iter(int, 1)), 20)
    assert len(next(endless).numbers) == 4


def test_scoring_a_corpus(tmp_path, tokenizer):
    layout = Layout.of(make_model("llama"))
    stream, advanced = stream_of(tokenizer), []
    found = score_languages(layout, "tiny", [stream], tmp_path, advance=lambda language, n: advanced.append(n))
    table = found.tables[0]
    assert sum(advanced) == 3
    assert table.about["documents"] == 3
    assert table.about["tokens"] == stream.tokens
    assert table.about["corpus"]["name"] == "embedded"
    assert table.about["corpus"]["digest"] == stream.digest
    assert table.about["method"] == "exact"
    one_by_one = [Scorer(layout).score([ids])[0][1, "q"] for ids in stream]
    np.testing.assert_allclose(table.minimum[1, "q"], np.min(one_by_one, axis=0), rtol=1e-4)
    assert table.minimum[0, "up"].tolist() == table.minimum[0, "down"].tolist() == table.minimum[0, "gate"].tolist()
    assert dict(ScoreTable.load(tmp_path / "scores/en.safetensors").about) == table.about
    assert [path.name for path in (tmp_path / "scores").iterdir()] == ["en.safetensors"]


def test_a_finished_language_is_not_scored_again(tmp_path, tokenizer, monkeypatch):
    layout = Layout.of(make_model("llama"))
    score_languages(layout, "tiny", [stream_of(tokenizer)], tmp_path)
    path = tmp_path / "scores" / "en.safetensors"
    first = path.read_bytes()

    def never(*_):
        raise AssertionError("scored again")

    monkeypatch.setattr(Scorer, "score", never)
    score_languages(layout, "tiny", [stream_of(tokenizer)], tmp_path)
    assert path.read_bytes() == first
    for changed, options in (
        (stream_of(tokenizer, documents=4), None),
        (stream_of(tokenizer, min_tokens=3), None),
        (stream_of(tokenizer), DetectOptions(method="paper")),
    ):
        with pytest.raises(AssertionError, match="scored again"):
            score_languages(layout, "tiny", [changed], tmp_path, options)


SMALL = 120_000
"""A memory budget under which every document of the tiny model goes alone."""


class StoppedError(Exception):
    pass


def stop_after(monkeypatch, calls: int) -> None:
    score, left = Scorer.score, [calls]

    def stopping(self, documents):
        left[0] -= 1
        if left[0] < 0:
            raise StoppedError
        return score(self, documents)

    monkeypatch.setattr(Scorer, "score", stopping)


def test_a_resumed_detection_equals_an_uninterrupted_one(tmp_path, tokenizer, monkeypatch):
    layout = Layout.of(make_model("llama"))
    options = DetectOptions(memory=SMALL, checkpoint_documents=2, resume=True)
    score_languages(layout, "tiny", [stream_of(tokenizer, documents=8)], tmp_path / "whole", options)
    with monkeypatch.context() as patch:
        stop_after(patch, 5)
        with pytest.raises(StoppedError):
            score_languages(layout, "tiny", [stream_of(tokenizer, documents=8)], tmp_path / "parts", options)
    checkpoint = tmp_path / "parts/scores/en.partial.safetensors"
    assert PartialScores.load(checkpoint).documents == 4
    for changed, message in (
        (stream_of(tokenizer, documents=7), "max_documents: 8 and 7"),
        (stream_of(tokenizer, documents=8, min_tokens=2), "corpus min_tokens: 16 and 2"),
    ):
        with pytest.raises(InputError, match=rf"cannot resume.*{message}"):
            score_languages(layout, "tiny", [changed], tmp_path / "parts", options)
    other = Layout.of(make_model("llama", seed=1))
    with pytest.raises(InputError, match="about fingerprint"):
        score_languages(other, "tiny", [stream_of(tokenizer, documents=8)], tmp_path / "parts", options)
    with monkeypatch.context() as patch:
        stop_after(patch, 4)
        score_languages(layout, "tiny", [stream_of(tokenizer, documents=8)], tmp_path / "parts", options)
    whole, parts = ((tmp_path / name / "scores/en.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
    assert not checkpoint.exists()


def test_a_changed_corpus_is_not_resumed(tmp_path, tokenizer, monkeypatch):
    layout = Layout.of(make_model("llama"))
    text = tmp_path / "en.txt"
    lines = [f"Document {n} has the words that make it long enough for a test of this kind." for n in range(6)]
    text.write_text("\n".join(lines))
    options = DetectOptions(memory=SMALL, checkpoint_documents=1, resume=True)
    stream = DocumentStream(Corpus("en", str(text)), tokenizer, DocumentRules(None, 24))
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(StoppedError):
            score_languages(layout, "tiny", [stream], tmp_path, options)
    text.write_text("\n".join(["Something else stands here and it is long enough as well, I think.", *lines[1:]]))
    with pytest.raises(InputError, match="cannot resume en; found other documents"):
        score_languages(layout, "tiny", [stream], tmp_path, options)


def test_shards_join_to_what_one_job_finds(tmp_path, tokenizer):
    layout = Layout.of(make_model("qwen3"))
    streams = [stream_of(tokenizer, documents=7)]
    whole = score_languages(layout, "tiny", streams, tmp_path / "whole", DetectOptions(memory=SMALL)).tables[0]
    files = [
        score_languages(
            layout, "tiny", streams, tmp_path / "shards", DetectOptions(memory=SMALL, shard=(index, 3))
        ).unfinished[0]
        for index in range(3)
    ]
    parts = [PartialScores.load(file) for file in files]
    assert [part.documents for part in parts] == [3, 2, 2]
    merged = merge_shards(parts[::-1], ["c", "b", "a"]).table()
    assert dict(merged.about) == dict(whole.about)
    for place in whole.minimum:
        np.testing.assert_array_equal(merged.minimum[place], whole.minimum[place])
        np.testing.assert_array_equal(merged.worst_rank[place], whole.worst_rank[place])
        np.testing.assert_allclose(merged.mean[place], whole.mean[place], rtol=1e-6)
    with pytest.raises(InputError, match=r"do not make up one corpus; found shards 1/3 2/3"):
        merge_shards(parts[:2], ["a", "b"])
    with pytest.raises(InputError, match=r"found shards 1/3 1/3 2/3"):
        merge_shards([parts[0], parts[0], parts[1]], ["a", "a", "b"])
    parts[1].complete = False
    with pytest.raises(InputError, match="b is unfinished; found 2 documents"):
        merge_shards(parts, ["a", "b", "c"])
    other = score_languages(
        layout, "tiny", [stream_of(tokenizer, documents=6)], tmp_path / "o", DetectOptions(memory=SMALL, shard=(1, 3))
    )
    with pytest.raises(InputError, match="a and b do not belong together; found run max_documents: 7 and 6"):
        merge_shards([parts[0], PartialScores.load(other.unfinished[0]), parts[2]], ["a", "b", "c"])


def test_a_damaged_shard_is_an_error(tmp_path):
    part = PartialScores(SHAPE, {"about": {"method": "exact"}})
    scores = {(layer, s): np.ones(n, np.float32) for layer in (0, 1) for s, n in SIZES.items()}
    part.group("all").add(statistics_of(scores))
    part.save(tmp_path / "a.safetensors")
    assert PartialScores.load(tmp_path / "a.safetensors").documents == 1
    (tmp_path / "a.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:-4])
    with pytest.raises(InputError, match="cannot be read"):
        PartialScores.load(tmp_path / "a.safetensors")


def test_set_draws_are_the_sets_of_random_halves(tmp_path, tokenizer):
    layout = Layout.of(make_model("llama"))
    streams = [stream_of(tokenizer, code, documents=12) for code in ("en", "zh")]
    rule = Selection(fraction=0.4)
    found = score_languages(layout, "tiny", streams, tmp_path, DetectOptions(groups="draws"))
    draws = draw_sets(found.parts, rule, 3)
    assert [list(sets) for sets in draws] == [["zh"]] * 3
    assert [sets["zh"].about["set_draw"] for sets in draws] == [
        {"draw": n, "documents": 6, "of": 12} for n in (1, 2, 3)
    ]
    assert len({sets["zh"].digest_unordered for sets in draws}) > 1
    again = draw_sets(found.parts, rule, 3)
    assert [sets["zh"].digest for sets in draws] == [sets["zh"].digest for sets in again]
    # The halves are of the documents, so a set of a half is what these documents alone select.
    part = found.parts["zh"]
    picked = np.random.default_rng([2, 1]).permutation(12)[:6]
    tables = [found.parts["en"].joined(*(f"{n:02d}" for n in np.random.default_rng([2, 0]).permutation(12)[:6]))]
    tables.append(part.joined(*(f"{n:02d}" for n in picked)))
    abouts = [found.parts["en"].table().about, part.table().about]
    slow = select_specific([t.table(about) for t, about in zip(tables, abouts, strict=True)], rule)["zh"]
    assert slow == draws[1]["zh"]
    # Groups do not change the scores of all documents.
    plain = score_languages(layout, "tiny", streams, tmp_path / "plain").tables[1]
    np.testing.assert_array_equal(plain.worst_rank[0, "q"], found.tables[1].worst_rank[0, "q"])
    few = [stream_of(tokenizer, code, documents=4) for code in ("en", "zh")]
    parts = score_languages(layout, "tiny", few, tmp_path / "few", DetectOptions(groups="draws")).parts
    with pytest.raises(
        InputError, match="too few documents of en to draw halves of them; found 4; expected at least 8"
    ):
        draw_sets(parts, rule, 3)


def test_stability_is_the_overlap_with_the_final_set(tmp_path, tokenizer):
    layout = Layout.of(make_model("llama"))
    streams = [stream_of(tokenizer, code, documents=6) for code in ("en", "zh")]
    rule = Selection(fraction=0.4)
    found = score_languages(layout, "tiny", streams, tmp_path, DetectOptions(groups="stability"))
    rows = measure_stability(found.parts, rule)
    assert set(rows) == {"zh"}
    assert [row.documents for row in rows["zh"]] == [1, 2, 4, 6]
    assert rows["zh"][-1].with_final == 1.0
    assert rows["zh"][0].of_halves is None
    final = select_specific(found.tables, rule)["zh"]
    few = [stream_of(tokenizer, code, documents=4) for code in ("en", "zh")]
    early = select_specific(score_languages(layout, "tiny", few, tmp_path / "few").tables, rule)["zh"]
    assert rows["zh"][2].neurons == len(early)
    assert rows["zh"][2].with_final == pytest.approx(len(early & final) / len(early | final))
    plain = score_languages(layout, "tiny", streams, tmp_path / "plain").tables[1]
    np.testing.assert_array_equal(plain.minimum[0, "q"], found.tables[1].minimum[0, "q"])
