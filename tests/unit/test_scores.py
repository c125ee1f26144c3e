"""Scores against the slow truth: zero the neuron, recompute the block, take the squared norm of the change."""

import pytest
import torch

from mwork_eval.detection import scores
from mwork_eval.detection.capture import run_document
from mwork_eval.detection.plnd import score_document
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.structures import COLUMN_STRUCTURES

IDS = torch.randint(2, 384, (11,), generator=torch.Generator().manual_seed(3)).tolist()


class Recorder:
    """Keeps what the capture shows."""

    def __init__(self) -> None:
        self.seen = {}
        self.hidden = {}

    def attention(self, layer, seen):
        self.seen[layer] = seen

    def feed_forward(self, layer, hidden):
        self.hidden[layer] = hidden


def block_outputs(layout: Layout, layer: int, component: str, call) -> torch.Tensor:
    """Return a block's output with the inputs of an untouched forward; `call` may change weights first."""
    block = layout.attention(layer) if component == "attn" else layout.layers[layer].mlp
    seen = {}

    def remember(module, args, kwargs):
        seen["args"], seen["kwargs"] = args, kwargs

    hook = block.register_forward_pre_hook(remember, with_kwargs=True)
    with torch.no_grad():
        layout.decoder(input_ids=torch.tensor([IDS]), use_cache=False)
        hook.remove()
        call()
        output = block(*seen["args"], **seen["kwargs"])
    return output[0] if isinstance(output, tuple) else output


def truth(layout: Layout, layer: int, structure: str) -> torch.Tensor:
    """Zero every neuron of a structure in turn and measure the change of its block's output."""
    component = "attn" if structure in "qkvo" else "ffn"
    weight = layout.weight(layer, structure)
    bias = layout.projection(layer, structure).bias
    before = block_outputs(layout, layer, component, lambda: None)
    found = []
    for neuron in range(layout.shape.sizes[layer][structure]):
        kept, kept_bias = weight.detach().clone(), None if bias is None else bias.detach().clone()
        index = (slice(None), neuron) if structure in COLUMN_STRUCTURES else neuron

        def zero(index=index, neuron=neuron):
            weight.data[index] = 0
            if bias is not None and structure not in COLUMN_STRUCTURES:
                bias.data[neuron] = 0

        after = block_outputs(layout, layer, component, zero)
        weight.data.copy_(kept)
        if bias is not None:
            bias.data.copy_(kept_bias)
        found.append((after - before).square().sum())
    return torch.stack(found)


@pytest.mark.parametrize("structure", ["v", "o", "gate", "up", "down"])
def test_closed_forms_equal_zeroing_the_neuron(layout, structure):
    found = score_document(layout, IDS)
    for layer in (0, 3):
        torch.testing.assert_close(found[layer, structure], truth(layout, layer, structure), rtol=1e-4, atol=1e-7)


def test_query_and_key_equal_the_papers_formula_spelt_out(layout):
    recorder = Recorder()
    run_document(layout, IDS, recorder)
    found = score_document(layout, IDS)
    for layer, seen in recorder.seen.items():
        heads, _, width = seen.query.shape
        per_group = heads // seen.key.shape[0]
        expected_q = torch.zeros(heads, width, dtype=torch.double)
        for head in range(heads):
            q, k = seen.query[head].double(), seen.key[head // per_group].double()
            raw = seen.scale * q @ k.T

            def weights(raw, seen=seen):
                capped = raw if seen.softcap is None else seen.softcap * torch.tanh(raw / seen.softcap)
                return torch.softmax(capped + seen.mask.double(), -1)

            for dim in range(width):
                without = raw - seen.scale * torch.outer(q[:, dim], k[:, dim])
                expected_q[head, dim] = (weights(without) - weights(raw)).square().sum()
        expected_k = expected_q.reshape(-1, per_group, width).sum(1)
        torch.testing.assert_close(found[layer, "q"].double(), expected_q.flatten(), rtol=5e-4, atol=1e-6)
        torch.testing.assert_close(found[layer, "k"].double(), expected_k.flatten(), rtol=5e-4, atol=1e-6)


def test_moments_and_recomputing_agree(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn(2, 30, 16, generator=generator), torch.randn(1, 30, 16, generator=generator)
    monkeypatch.setattr(scores, "_MOMENT_LIMIT", -1.0)
    slow = scores.query_key_scores(query, key, None, scale=0.1)
    monkeypatch.setattr(scores, "_MOMENT_LIMIT", 1.0)
    fast = scores.query_key_scores(query, key, None, scale=0.1)
    for quick, exact in zip(fast, slow, strict=True):
        torch.testing.assert_close(quick, exact, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_the_chunk_size_changes_nothing(chunk):
    generator = torch.Generator().manual_seed(1)
    query, key = torch.randn(2, 9, 8, generator=generator), torch.randn(2, 9, 8, generator=generator)
    one = scores.query_key_scores(query, key, None, scale=2.0, softcap=4.0, chunk=chunk)
    other = scores.query_key_scores(query, key, None, scale=2.0, softcap=4.0, chunk=8)
    for left, right in zip(one, other, strict=True):
        torch.testing.assert_close(left, right)


def test_grouped_values_add_up_before_the_norm():
    generator = torch.Generator().manual_seed(2)
    heads, output = torch.randn(4, 7, 3, generator=generator), torch.randn(5, 12, generator=generator)
    grouped = scores.value_scores(heads, output, groups=2)
    naive = scores.output_scores(heads, output).reshape(2, 2, 3).sum(1).flatten()
    removed = torch.zeros(7, 5)
    for head in (0, 1):
        removed += torch.outer(heads[head, :, 0], output[:, 3 * head])
    torch.testing.assert_close(grouped[0], removed.square().sum())
    assert not torch.allclose(grouped, naive)


def test_without_grouped_queries_o_repeats_v():
    generator = torch.Generator().manual_seed(4)
    heads, output = torch.randn(3, 7, 4, generator=generator), torch.randn(6, 12, generator=generator)
    torch.testing.assert_close(scores.value_scores(heads, output, groups=3), scores.output_scores(heads, output))


def test_capturing_changes_neither_output_nor_model(layout):
    ids = torch.tensor([IDS])
    with torch.no_grad():
        before = layout.decoder(input_ids=ids).last_hidden_state
    implementation = layout.model.config._attn_implementation
    recorder = Recorder()
    outputs = {}
    hook = layout.decoder.register_forward_hook(lambda m, a, out: outputs.update(last=out.last_hidden_state))
    run_document(layout, IDS, recorder)
    hook.remove()
    torch.testing.assert_close(outputs["last"], before, rtol=1e-4, atol=1e-5)
    assert layout.model.config._attn_implementation == implementation
    with torch.no_grad():
        torch.testing.assert_close(layout.decoder(input_ids=ids).last_hidden_state, before, rtol=0, atol=0)


def test_an_exception_in_the_sink_leaves_the_model_as_it_was(layout):
    class Failing(Recorder):
        def feed_forward(self, layer, hidden):
            raise RuntimeError("stop")

    implementation = layout.model.config._attn_implementation
    with pytest.raises(RuntimeError, match="stop"):
        run_document(layout, IDS, Failing())
    assert layout.model.config._attn_implementation == implementation
    assert not layout.projection(0, "down")._forward_pre_hooks
