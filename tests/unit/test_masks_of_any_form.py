"""Masks of feed-forwards in any form: by weights, by activations, and what they mean."""

from contextlib import ExitStack

import numpy as np
import pytest
import torch
import transformers
from helpers.architectures import build, token_ids
from helpers.feed_forward_modules import FORMS, Routed, Tensors, model_with

from mwork_eval.errors import InputError
from mwork_eval.interventions.activations import zero_activations
from mwork_eval.interventions.switches import as_switches
from mwork_eval.interventions.zero import zero_neurons
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.models.products import watch_experts, watch_projection
from mwork_eval.neurons.neuron_set import NeuronSet

IDS = [5, 40, 3, 22, 17, 60, 9, 33, 2, 48, 11]


def logits(model, ids=IDS):
    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits


def members_of(layout, structure, count=5):
    generator = np.random.default_rng(0)
    sizes = {layer: sizes[structure] for layer, sizes in enumerate(layout.shape.sizes)}
    return {(n, structure): np.sort(generator.choice(size, count, replace=False)) for n, size in sizes.items()}


def without(layout, indices):
    """Zero what goes into the last products, neuron by neuron, whatever the structure is called."""
    undo = ExitStack()
    for (layer, structure), members in indices.items():
        for part, block in zip(layout.feed_forwards[layer], layout.blocks[layer, structure], strict=True):
            width = block.size // max(block.experts, 1)

            def drop(expert, hidden, block=block, members=members, width=width):
                first = block.start + expert * width
                own = members[(members >= first) & (members < first + width)] - first
                return hidden.index_fill(-1, torch.from_numpy(own), 0)

            if part.kind == "experts":
                watch_experts(part.module, undo, before=drop)
            else:
                watch_projection(part.blocks["down"].module, undo, before=drop)
    return undo


@pytest.mark.parametrize("structure", ["gate", "up", "down"])
@pytest.mark.parametrize("name", FORMS)
def test_masks_by_weights_equal_masks_by_activations(name, structure):
    model = model_with(FORMS[name][0])
    layout = Layout.of(model)
    indices = members_of(layout, structure)
    untouched, fingerprint = logits(model), fingerprint_of(model)
    with ExitStack() as undo:
        zero_activations(layout, indices, undo)
        by_activations = logits(model)
    assert torch.equal(logits(model), untouched)
    with zero_neurons(layout, NeuronSet(layout.shape, indices)):
        by_weights = logits(model)
    torch.testing.assert_close(by_activations, by_weights, rtol=1e-4, atol=1e-5)
    assert (by_weights - untouched).abs().max() > 1e-2
    assert fingerprint_of(model) == fingerprint
    assert torch.equal(logits(model), untouched)
    if "before" not in name:  # a norm comes between the neurons and the columns of down
        with without(layout, indices):
            torch.testing.assert_close(logits(model), by_weights, rtol=1e-4, atol=1e-5)


def test_masks_one_inside_another_add_up():
    model = model_with(Routed)
    layout = Layout.of(model)
    indices = members_of(layout, "down", 8)
    halves = [{place: members[half::2] for place, members in indices.items()} for half in (0, 1)]
    with ExitStack() as undo:
        zero_activations(layout, indices, undo)
        expected = logits(model)
    with ExitStack() as undo:
        for half in halves:
            zero_activations(layout, half, undo)
        assert torch.equal(logits(model), expected)


def test_a_row_that_does_not_switch_its_neuron_off_is_left_to_one_that_does():
    layout = Layout.of(model_with(Routed))
    one = np.array([3, 20])
    assert list(as_switches(layout, {(1, "up"): one})) == [(1, "gate")]
    assert list(as_switches(layout, {(1, "gate"): one, (1, "down"): one})) == [(1, "gate"), (1, "down")]
    both = as_switches(layout, {(1, "up"): one, (1, "gate"): np.array([3, 5])})
    assert both.keys() == {(1, "gate")}
    assert both[1, "gate"].tolist() == [3, 5, 20]
    plain = Layout.of(model_with(FORMS["dense"][0]))
    assert list(as_switches(plain, {(0, "up"): one})) == [(0, "up")]


def test_models_of_one_form_with_other_activations_are_told_apart():
    """The sigmoid of zero is one half, so that a zero row of gate leaves the neuron on; SiLU of zero is zero."""
    written = []
    for activation in ("silu", "sigmoid"):
        config = transformers.LlamaConfig(
            vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
            hidden_act=activation,
        )  # fmt: skip
        layout = Layout.of(transformers.LlamaForCausalLM(config))
        written += as_switches(layout, {(0, "gate"): np.array([3])})
    assert written == [(0, "gate"), (0, "up")]


@pytest.mark.parametrize(
    ("member", "structure", "written"),
    [
        ("gpt_oss", "up", "gate"),
        ("minimax_m3_vl_text", "up", "gate"),
        ("gemma3n_text", "gate", "up"),
        ("bitnet", "gate", "gate"),
        ("bloom", "up", "up"),
        ("nemotron_h", "up", "up"),
        ("apertus", "up", "up"),
    ],
)
def test_what_is_written_to_switch_a_neuron_off(member, structure, written):
    layout = Layout.of(build(member))
    layer = min(layer for layer, name in layout.blocks if name == "up")
    indices = {(layer, structure): np.array([1, 4])}
    assert list(as_switches(layout, indices)) == [(layer, written)]
    model, ids = layout.model, token_ids()
    untouched = logits(model, ids)
    with zero_neurons(layout, NeuronSet(layout.shape, indices)):
        by_weights = logits(model, ids)
    if member != "bitnet":
        with without(layout, indices):
            torch.testing.assert_close(logits(model, ids), by_weights, rtol=1e-4, atol=1e-4)
    assert torch.equal(logits(model, ids), untouched)


def test_experts_whose_last_product_is_not_seen_are_an_error():
    class Copied(Tensors):
        def forward(self, states, index, weights):
            both = states @ self.gate_up_proj[0]
            return self._apply_gate(both) @ (self.down_proj[0] + 0)

    model = model_with(lambda: Routed(Copied))
    layout = Layout.of(model)
    with ExitStack() as undo:
        zero_activations(layout, {(0, "down"): np.array([1])}, undo)
        with pytest.raises(InputError, match="last product was not seen"):
            logits(model)
    assert not any("forward" in module.__dict__ for module in model.modules())
