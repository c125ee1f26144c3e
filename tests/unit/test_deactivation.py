"""Masks on weights and on activations: equal logits, and undone bit by bit."""

from contextlib import ExitStack

import accelerate
import numpy as np
import pytest
import torch
from conftest import make_model

from mwork_eval.errors import InputError
from mwork_eval.interventions.activations import zero_activations
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.interventions.weights import zero_weights
from mwork_eval.interventions.zero import zero_neurons
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.models.slice_editor import SliceEditor
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.structures import STRUCTURES

IDS = torch.tensor([[5, 9, 300, 17, 42, 8, 77, 120]])


def some_neurons(layout: Layout, structures=STRUCTURES, per_place: int = 3) -> NeuronSet:
    generator = np.random.default_rng(0)
    return NeuronSet(
        layout.shape,
        {
            (layer, structure): generator.choice(layout.shape.sizes[layer][structure], per_place, replace=False)
            for layer in range(layout.shape.layers)
            for structure in structures
            if structure in layout.shape.sizes[layer]
        },
    )


def logits(layout: Layout) -> torch.Tensor:
    with torch.no_grad():
        return layout.model(IDS).logits


def state(layout: Layout) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in layout.model.state_dict().items()}


@pytest.mark.parametrize("structure", STRUCTURES)
def test_zeroed_weights_equal_zeroed_activations(layout, structure):
    neurons = some_neurons(layout, (structure,))
    if not neurons.indices:
        pytest.skip(f"{layout.family} has no {structure}")
    untouched = logits(layout)
    with ExitStack() as undo:
        zero_activations(layout, neurons.indices, undo)
        by_activation = logits(layout)
    assert torch.equal(logits(layout), untouched)
    with zero_neurons(layout, neurons):
        torch.testing.assert_close(logits(layout), by_activation, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(untouched, by_activation)


def test_every_neuron_of_a_fused_matrix_is_where_the_family_keeps_it(layout):
    """Each parameter entry belongs to at most one neuron of q, k, v, gate, up, and all of them are covered."""
    for name in ("q", "k", "v", "gate", "up", "o", "down"):
        if (0, name) in layout.blocks:
            (block,) = layout.blocks[0, name]
            assert len(layout.weight(0, name)) == block.size == layout.shape.sizes[0][name]
    touched = sum(layout.weight(0, name).numel() for name in "qkv")
    module = layout.blocks[0, "q"][0].module
    if module is layout.blocks[0, "k"][0].module:
        assert touched == module.weight.numel()
        with torch.no_grad():
            for name in "qkv":
                (block,) = layout.blocks[0, name]
                block.weight[block.positions(torch.arange(block.size))] = 0
        assert not module.weight.any()


def test_a_quantised_projection_is_masked_by_activation():
    class Packed(torch.nn.Module):
        """An 8-bit projection: its weight is no plain matrix of numbers."""

        def __init__(self, plain):
            super().__init__()
            self.in_features, self.out_features = plain.in_features, plain.out_features
            self.scale = float(plain.weight.detach().abs().max()) / 127
            packed = (plain.weight / self.scale).round().to(torch.int8)
            self.weight = torch.nn.Parameter(packed, requires_grad=False)

        def forward(self, x):
            return x @ (self.weight.float() * self.scale).T

    packed, plain = Layout.of(make_model("llama")), Layout.of(make_model("llama"))
    for layer, other in zip(packed.layers, plain.layers, strict=True):
        for parent, name in ((layer.self_attn, "q_proj"), *((layer.mlp, f"{s}_proj") for s in ("gate", "up", "down"))):
            setattr(parent, name, Packed(getattr(parent, name)))
            twin = getattr(other.self_attn if name == "q_proj" else other.mlp, name)
            replaced = getattr(parent, name)
            twin.weight.data.copy_(replaced.weight.float() * replaced.scale)
    packed = Layout.of(packed.model)
    assert not packed.in_memory
    assert packed.shape == plain.shape
    neurons = some_neurons(plain)
    with zero_neurons(packed, neurons), zero_neurons(plain, neurons):
        torch.testing.assert_close(logits(packed), logits(plain), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(logits(packed), logits(Layout.of(make_model("llama"))))
    with pytest.raises(InputError, match=r"found packed weights.*without quantisation"):
        packed.weight(0, "down")


@pytest.mark.parametrize("family", ["llama", "phi3", "mixtral"])
def test_offloaded_weights_are_masked_by_activation(family):
    plain = Layout.of(make_model(family))
    neurons = some_neurons(plain)
    offloaded = Layout.of(accelerate.cpu_offload(make_model(family), execution_device=torch.device("cpu")))
    assert not offloaded.in_memory
    assert fingerprint_of(offloaded.model) == fingerprint_of(plain.model)
    before = logits(offloaded)
    with zero_neurons(offloaded, neurons), zero_neurons(plain, neurons):
        torch.testing.assert_close(logits(offloaded), logits(plain), rtol=1e-5, atol=1e-5)
    assert torch.equal(logits(offloaded), before)


def test_weights_come_back_bit_identical(layout):
    before = state(layout)
    with zero_neurons(layout, some_neurons(layout)):
        assert state(layout) != before
    assert state(layout) == before


def test_weights_come_back_after_an_exception(layout):
    before = state(layout)
    with pytest.raises(RuntimeError, match="inside"), zero_neurons(layout, some_neurons(layout)):
        raise RuntimeError("inside")
    assert state(layout) == before


def test_an_empty_set_changes_nothing(layout):
    before = state(layout)
    with zero_neurons(layout, NeuronSet(layout.shape, {})):
        assert state(layout) == before
    assert state(layout) == before


def test_biases_are_zeroed_too():
    layout = Layout.of(make_model("qwen2"))
    neurons = some_neurons(layout, ("q",), 2)
    with zero_neurons(layout, neurons):
        for (layer, _), indices in neurons.indices.items():
            assert not layout.blocks[layer, "q"][0].bias[np.array(indices)].any()
    assert layout.blocks[0, "q"][0].bias.all()


def test_gate_up_and_down_are_one_switch():
    layout = Layout.of(make_model("llama"))
    outputs = []
    for structure in ("gate", "up", "down"):
        with zero_neurons(layout, NeuronSet(layout.shape, {(1, structure): np.array([4, 7])})):
            outputs.append(logits(layout))
    torch.testing.assert_close(outputs[0], outputs[1])
    torch.testing.assert_close(outputs[0], outputs[2])


def test_a_failing_mask_leaves_the_weights_alone():
    layout = Layout.of(make_model("llama"))
    layout.blocks[3, "up"][0].module.weight = torch.nn.Parameter(
        torch.empty(40, 24, device="meta"), requires_grad=False
    )
    layout = Layout.of(layout.model)
    neurons = some_neurons(layout, ("q", "up"))
    before = layout.weight(0, "q").clone()
    with pytest.raises(InputError, match=r"layers\.3\.up cannot be written"), SliceEditor() as undo:
        zero_weights(layout, neurons.indices, undo)
    assert torch.equal(layout.weight(0, "q"), before)


@pytest.mark.parametrize("kind", [("zero", None), ("scale", 0.5), ("scale", 0.0)])
def test_a_set_of_another_shape_is_refused(kind):
    llama, qwen = Layout.of(make_model("llama")), Layout.of(make_model("qwen3"))
    with pytest.raises(InputError, match="another model"):
        Intervention(some_neurons(llama), *kind).apply(qwen)
