"""What one pass records, against a plain pass of each document with plain hooks, and autograd on whole tensors."""

import numpy as np
import pytest
import torch
from helpers.architectures import build, token_ids
from helpers.detections import stream_of
from helpers.feed_forward_modules import CentredBefore, model_with
from helpers.slow_activations import see

from mwork_eval.detection.detect import DetectOptions, score_languages
from mwork_eval.detection.recording.accumulator import ScoreAccumulator
from mwork_eval.detection.recording.pass_recorder import PassRecorder
from mwork_eval.detection.recording.registry import RECORDS
from mwork_eval.models.layout import Layout

ALL = tuple(RECORDS)
DOCUMENTS = [token_ids(1, 20), token_ids(2, 13), token_ids(3, 16)]
NUMBERS = [2, 0, 1]
BOS = DOCUMENTS[1][0]
assert [tokens[0] == BOS for tokens in DOCUMENTS] == [False, True, False]


def record(model, recorded=ALL):
    layout = Layout.of(model)
    collected = ScoreAccumulator(layout.shape, recorded)
    for found in PassRecorder(layout, "exact", 2**29, recorded).observe(DOCUMENTS, NUMBERS, BOS):
        collected.add(found)
    return collected.table({"recorded": list(recorded)})


@pytest.mark.parametrize(
    "member",
    [
        "llama", "gemma3_text", "phi3", "opt", "gpt2", "bloom", "gptj", "falcon", "bamba", "qwen3_next", "deepseek_v3",
        "mixtral", "qwen3_moe", "gpt_oss", "apertus",
    ],
)  # fmt: skip
def test_records_are_those_of_plain_passes_document_by_document(member):
    model = build(member)
    table = record(model)
    assert table.about.get("not_recorded") is None
    seen = [see(model, tokens) for tokens in DOCUMENTS]
    counted = [slice(int(tokens[0] == BOS), None) for tokens in DOCUMENTS]
    tokens = sum(len(tokens) for tokens in DOCUMENTS) - 1
    assert table.about["activation_tokens"] == tokens

    def each(what, place):
        return [
            getattr(one, what)(place, len(ids))[own] for one, ids, own in zip(seen, DOCUMENTS, counted, strict=True)
        ]

    places = set(seen[0].values) | {(layer, "up") for layer in seen[0].routed}
    assert places == set(table.over_zero) == set(table.responses) == set(table.attribution)
    for place in sorted(places):
        activations = each("activation", place)
        whole = torch.cat(activations).double()
        scale = float(whole.abs().max())
        close(table.activation_mean[place], whole.mean(0), 1e-5 * scale)
        close(table.activation_square[place], whole.square().mean(0), 1e-5 * scale**2)
        rows = torch.stack([activations[NUMBERS.index(number)].mean(0) for number in range(3)])
        close(table.responses[place], rows, 1e-5 * scale)
        counts = torch.cat(each("over_zero", place)).sum(0).numpy()
        # What is zero but for rounding may fall on either side.
        near = (torch.cat(activations).abs() < 1e-6 * scale).sum(0).numpy() if place[1] != "up" else 0
        assert (abs(table.over_zero[place] - counts) <= near).all(), place
        expected = torch.stack([one.mean(0) for one in each("contribution", place)]).mean(0)
        assert expected.any(), place
        close(table.attribution[place], expected, 1e-4 * float(expected.max()))
    for layer in seen[0].residual:
        states = torch.cat([one.residual[layer][own] for one, own in zip(seen, counted, strict=True)])
        close(table.activation_mean[layer, "residual"], states.mean(0), 1e-5 * float(states.abs().max()))


def test_what_cannot_be_recorded_is_named_and_zero(caplog, tokenizer):
    model = model_with(CentredBefore)  # a neuron changes others before the last product
    model.resize_token_embeddings(len(tokenizer))
    layout = Layout.of(model)
    options = DetectOptions(recorded=ALL)
    (table,) = score_languages(layout, "tiny", [stream_of(tokenizer)], None, options).tables
    missing = [f"layers.{layer}.up" for layer in range(layout.shape.layers)]
    assert table.about["not_recorded"] == missing
    assert caplog.text.count(f"{', '.join(missing)} cannot be recorded") == 1
    for column in ("over_zero", "activation_mean", "activation_square", "responses", "attribution"):
        assert not table.values[column][0, "up"].any()
        assert table.values[column][0, "v"].any()
    assert table.responses[0, "up"].shape == (3, layout.shape.sizes[0]["up"])
    counts = record(build("dbrx"))  # experts in a form of their own, whose gate is not seen
    assert counts.about["not_recorded"] == ["layers.0.up.over_zero", "layers.1.up.over_zero"]
    assert not counts.over_zero[0, "up"].any()
    assert counts.activation_mean[0, "up"].any()


def test_an_activation_stands_before_a_norm_that_comes_before_down():
    model = build("bitnet")
    seen = []
    norms = [layer.mlp.ffn_sub_norm for layer in model.model.layers]
    undo = [norm.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()[0])) for norm in norms]
    with torch.no_grad():
        for tokens in DOCUMENTS:
            model(input_ids=torch.tensor([tokens]))
    for one in undo:
        one.remove()
    table = record(model, ("activations",))
    for layer in range(len(norms)):
        own = [seen[len(norms) * n + layer][int(ids[0] == BOS) :] for n, ids in enumerate(DOCUMENTS)]
        close(table.activation_mean[layer, "up"], torch.cat(own).mean(0), 1e-5 * float(torch.cat(own).abs().max()))


def close(found, expected, tolerance):
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=tolerance)
