"""What one pass records, against a plain pass of each document with plain hooks, and autograd on whole tensors."""

import numpy as np
import pytest
import torch
from helpers.architectures import build, token_ids
from helpers.slow_activations import see

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
    ["llama", "gemma3_text", "phi3", "opt", "gpt2", "bloom", "gptj", "qwen3_next", "mixtral", "gpt_oss", "apertus"],
)
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


def close(found, expected, tolerance):
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=tolerance)
