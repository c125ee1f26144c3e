"""Records in files: shards, checkpoints, groups of documents, what is taken and what is scored again, and limits."""

import numpy as np
import pytest
from conftest import make_model, make_tokenizer
from helpers.detections import stream_of

import mwork_eval as mw
from mwork_eval.application.progress import Silent
from mwork_eval.detection.detect import DetectOptions, score_languages
from mwork_eval.detection.estimate import estimate_cost
from mwork_eval.detection.partial import PartialScores, merge_shards
from mwork_eval.detection.recording.gradient_pass import GradientPass
from mwork_eval.detection.recording.registry import RECORDS, parse_records
from mwork_eval.detection.score_table import ScoreTable
from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.errors import InputError
from mwork_eval.models.layout import Layout

ALL = tuple(RECORDS)
HOW = {"max_docs": 6, "max_tokens": 24, "progress": Silent()}


@pytest.fixture(scope="module")
def layout() -> Layout:
    return Layout.of(make_model("qwen3"))


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


def score(layout, tokenizer, folder, documents=7, **options):
    streams = [stream_of(tokenizer, documents=documents)]
    return score_languages(layout, "tiny", streams, folder, DetectOptions(**options))


@pytest.fixture(scope="module")
def whole(layout, tokenizer) -> ScoreTable:
    return score(layout, tokenizer, None, recorded=ALL, memory=2**20).tables[0]


def assert_same(found: ScoreTable, expected: ScoreTable) -> None:
    assert dict(found.about) == dict(expected.about)
    assert found.values.keys() == expected.values.keys()
    for column, places in expected.values.items():
        assert found.values[column].keys() == places.keys()
        for place, values in places.items():
            assert found.values[column][place].dtype == values.dtype
            tolerance = 1e-5 * float(abs(values).max())
            np.testing.assert_allclose(found.values[column][place], values, rtol=1e-4, atol=tolerance)


def test_a_file_keeps_every_record_and_one_without_is_as_before(tmp_path, layout, tokenizer, whole):
    whole.save(tmp_path / "en.safetensors")
    assert_same(ScoreTable.load(tmp_path / "en.safetensors"), whole)
    assert b'\\"version\\":2' in (tmp_path / "en.safetensors").read_bytes()
    assert whole.about["recorded"] == ["activations", "responses", "attributions"]
    plain = score(layout, tokenizer, tmp_path, memory=2**20).tables[0]
    assert b'\\"version\\":1' in (tmp_path / "scores/en.safetensors").read_bytes()
    assert plain.about.keys() & {"recorded", "activation_tokens", "not_recorded"} == set()
    assert set(plain.values) == {"minimum", "mean", "worst_rank"}
    for column, places in plain.values.items():  # bit by bit
        for place, values in places.items():
            np.testing.assert_array_equal(whole.values[column][place], values)


@pytest.mark.parametrize("missing", ["over_zero", "activation_square", "responses", "attribution"])
def test_a_file_that_lacks_a_column_of_its_records_is_an_error(tmp_path, whole, missing):
    values = {column: dict(places) for column, places in whole.values.items()}
    del values[missing][1, "k"]
    ScoreTable(whole.shape, values, whole.about).save(tmp_path / "en.safetensors")
    with pytest.raises(InputError, match=rf"is incomplete; found layers\.1\.k\.{missing}: none"):
        ScoreTable.load(tmp_path / "en.safetensors")


def test_shards_join_in_the_order_of_the_corpus(tmp_path, layout, tokenizer, whole, monkeypatch):
    monkeypatch.setattr("mwork_eval.detection.detect._MOST_TOKENS", 50)  # two documents a batch
    by_twos = score(layout, tokenizer, None, recorded=ALL, memory=2**20).tables[0]
    assert_same(by_twos, whole)
    files = [
        score(layout, tokenizer, tmp_path, recorded=ALL, memory=2**20, shard=(index, 3)).unfinished[0]
        for index in range(3)
    ]
    parts = [PartialScores.load(file) for file in files]
    assert [part.documents for part in parts] == [3, 2, 2]
    assert_same(merge_shards(parts[::-1], ["c", "b", "a"]).table(), by_twos)


def test_a_resumed_detection_writes_the_same_bytes(tmp_path, layout, tokenizer, monkeypatch):
    how = {"recorded": ALL, "memory": 2**20, "checkpoint_documents": 1, "resume": True}
    monkeypatch.setattr("mwork_eval.detection.detect._MOST_TOKENS", 50)  # two documents a batch
    score(layout, tokenizer, tmp_path / "whole", **how)
    original, left = Scorer.score, [2]

    def stopping(self, documents, *rest):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return original(self, documents, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Scorer, "score", stopping)
        with pytest.raises(KeyboardInterrupt):
            score(layout, tokenizer, tmp_path / "parts", **how)
    assert PartialScores.load(tmp_path / "parts/scores/en.partial.safetensors").documents == 4
    score(layout, tokenizer, tmp_path / "parts", **how)
    whole, parts = ((tmp_path / name / "scores/en.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_groups_of_documents_have_records_of_their_own(layout, tokenizer, whole):
    part = score(layout, tokenizer, None, recorded=ALL, memory=2**20, groups="draws").parts["en"]
    assert_same(part.table(), whole)
    half = part.joined("02", "05").table(whole.about)
    assert half.about["documents"] == 2
    for place, rows in whole.responses.items():
        np.testing.assert_allclose(half.responses[place], rows[[2, 5]], rtol=1e-4, atol=1e-6)
    assert half.about["activation_tokens"] == 2 * 24


def test_a_file_with_less_is_scored_again_and_one_with_more_is_taken(tmp_path, layout, tokenizer, monkeypatch):
    how = {"documents": 3, "memory": 2**20}
    score(layout, tokenizer, tmp_path, **how)
    more = score(layout, tokenizer, tmp_path, recorded=("activations", "responses"), **how)
    assert "en" in more.parts
    monkeypatch.setattr(Scorer, "score", None)  # nothing is scored any more
    for recorded in ((), ("responses",), ("activations", "responses")):
        found = score(layout, tokenizer, tmp_path, recorded=recorded, **how)
        assert found.parts == {}
        assert_same(found.tables[0], more.tables[0])
    with pytest.raises(TypeError):
        score(layout, tokenizer, tmp_path, recorded=ALL, **how)


def test_rows_that_do_not_fit_are_refused_before_the_pass(layout, tokenizer, monkeypatch):
    monkeypatch.setattr(Scorer, "score", None)
    row = 4 * sum(n for sizes in layout.shape.sizes for name, n in sizes.items() if name in (*"qkvo", "up"))
    with pytest.raises(InputError, match=r"responses of en do not fit into memory.*found 7 documents of"):
        score(layout, tokenizer, None, recorded=("responses",), memory=7 * row - 1)
    with pytest.raises(TypeError):  # they fit, and the pass begins
        score(layout, tokenizer, None, recorded=("responses",), memory=7 * row)
    with pytest.raises(TypeError):  # the corpus has fewer documents than may be taken
        score(layout, tokenizer, None, documents=10**6, recorded=("responses",), memory=100 * row)
    with pytest.raises(TypeError):
        score(layout, tokenizer, None, recorded=("activations",), memory=row)


def test_what_records_cost_is_known_before(layout, tokenizer):
    def cost(**options):
        return estimate_cost(layout, stream_of(tokenizer, documents=4), DetectOptions(**options))

    plain, row = (
        cost(),
        4 * sum(n for sizes in layout.shape.sizes for name, n in sizes.items() if name in (*"qkvo", "up")),
    )
    assert cost(recorded=("activations", "responses")) == plain
    with pytest.raises(InputError, match="responses of en do not fit"):
        cost(recorded=("responses",), memory=4 * row - 1)
    weights = sum(block.weight.numel() for block in layout.all_blocks) + layout.model.lm_head.weight.numel()
    assert cost(recorded=ALL).operations - plain.operations == 4 * weights * plain.tokens  # forwards and back


def test_the_model_is_as_it_was_after_an_exception(layout):
    model = layout.model
    next(model.parameters()).requires_grad_(False)
    learning = [parameter.requires_grad for parameter in model.parameters()]
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
    gradients, last = GradientPass(layout), layout.layers[-1]

    def fail(*_):
        raise RuntimeError("in the last layer")

    breaks = last.register_forward_hook(fail)
    try:
        with pytest.raises(RuntimeError, match="in the last layer"):
            gradients.attributions([3, 4, 5], 0, {})
    finally:
        breaks.remove()
    assert [parameter.requires_grad for parameter in model.parameters()] == learning
    assert sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()) == hooks
    assert all(parameter.grad is None for parameter in model.parameters())
    assert gradients.attributions([3, 4, 5], 0, {})[1, "q"].any()


def test_records_are_named_in_python(tmp_path, tokenizer):
    texts = {"en": "embedded"}
    found = mw.detect(make_model("llama"), tokenizer, texts, record="all", out=tmp_path, **HOW)
    table = found.tables["en"]
    assert table.about["recorded"] == list(ALL)
    assert table.responses[0, "up"].shape == (6, table.shape.sizes[0]["up"])
    np.testing.assert_allclose(table.responses[0, "up"].mean(0), table.activation_mean[0, "up"], rtol=1e-3, atol=1e-6)
    some = mw.detect(make_model("llama"), tokenizer, texts, record=["responses"], **HOW)
    assert some.tables["en"].about["recorded"] == ["responses"]
    assert parse_records("attributions, activations,scores") == ("activations", "attributions")
    for wrong in ("entropy", ["responses", "entropy"]):
        with pytest.raises(InputError, match=r"unknown record; found entropy; expected some of activations,responses,"):
            mw.detect(make_model("llama"), tokenizer, texts, record=wrong, **HOW)
