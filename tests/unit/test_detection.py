"""The loop of detection: batches, corpora scored at once, after an interruption, and in shards."""

import numpy as np
import pytest
from conftest import make_model
from helpers.detections import SHAPE, SIZES, stream_of

from mwork_eval.detection.corpus.batches import make_batches
from mwork_eval.detection.corpus.documents import DocumentRules, DocumentStream
from mwork_eval.detection.corpus.sources import Corpus
from mwork_eval.detection.detect import DetectOptions, score_languages
from mwork_eval.detection.partial import PartialScores, merge_shards
from mwork_eval.detection.recording.scores import statistics_of
from mwork_eval.detection.score_table import ScoreTable
from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.errors import InputError
from mwork_eval.models.layout import Layout


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


def test_a_table_has_the_scores_of_each_document_and_says_what_was_read(tmp_path, tokenizer):
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

    def stopping(self, documents, *rest):
        left[0] -= 1
        if left[0] < 0:
            raise StoppedError
        return score(self, documents, *rest)

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
    part = PartialScores(SHAPE, {"about": {"method": "exact", "language": "zh", "corpus": {"name": "c"}}})
    scores = {(layer, s): np.ones(n, np.float32) for layer in (0, 1) for s, n in SIZES.items()}
    part.group("all").add(statistics_of(scores))
    part.save(tmp_path / "a.safetensors")
    assert PartialScores.load(tmp_path / "a.safetensors").documents == 1
    (tmp_path / "a.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:-4])
    with pytest.raises(InputError, match="cannot be read"):
        PartialScores.load(tmp_path / "a.safetensors")
