"""Masks on weights: equal to masking activations, and undone bit by bit."""

import numpy as np
import pytest
import torch
from conftest import make_model

from mwork_eval.deactivation.weights import WeightMask, deactivated
from mwork_eval.errors import InputError
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.structures import COLUMN_STRUCTURES, STRUCTURES

IDS = torch.tensor([[5, 9, 300, 17, 42, 8, 77, 120]])


def some_neurons(layout: Layout, structures=STRUCTURES, per_place: int = 3) -> NeuronSet:
    generator = np.random.default_rng(0)
    return NeuronSet(
        layout.shape,
        {
            (layer, structure): generator.choice(layout.shape.sizes[layer][structure], per_place, replace=False)
            for layer in range(layout.shape.layers)
            for structure in structures
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
    hooks = []
    for (layer, name), indices in neurons.indices.items():
        module, at = layout.projection(layer, name), torch.from_numpy(np.array(indices)).long()
        if name in COLUMN_STRUCTURES:

            def before(_, args, at=at):
                return (args[0].index_fill(-1, at, 0),)

            hooks.append(module.register_forward_pre_hook(before))
        else:
            hooks.append(module.register_forward_hook(lambda _, __, out, at=at: out.index_fill(-1, at, 0)))
    by_activation = logits(layout)
    for hook in hooks:
        hook.remove()
    untouched = logits(layout)
    with deactivated(layout, neurons):
        torch.testing.assert_close(logits(layout), by_activation, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(untouched, by_activation)


def test_weights_come_back_bit_identical(layout):
    before = state(layout)
    with deactivated(layout, some_neurons(layout)):
        assert state(layout) != before
    assert state(layout) == before


def test_weights_come_back_after_an_exception(layout):
    before = state(layout)
    with pytest.raises(RuntimeError, match="inside"), deactivated(layout, some_neurons(layout)):
        raise RuntimeError("inside")
    assert state(layout) == before


def test_an_empty_set_changes_nothing(layout):
    before = state(layout)
    with deactivated(layout, NeuronSet(layout.shape, {})):
        assert state(layout) == before
    assert state(layout) == before


def test_biases_are_zeroed_too():
    layout = Layout.of(make_model("qwen2"))
    neurons = some_neurons(layout, ("q",), 2)
    with deactivated(layout, neurons):
        for (layer, _), indices in neurons.indices.items():
            assert not layout.projection(layer, "q").bias[np.array(indices)].any()
    assert layout.projection(0, "q").bias.all()


def test_gate_up_and_down_are_one_switch():
    layout = Layout.of(make_model("llama"))
    outputs = []
    for structure in ("gate", "up", "down"):
        with deactivated(layout, NeuronSet(layout.shape, {(1, structure): np.array([4, 7])})):
            outputs.append(logits(layout))
    torch.testing.assert_close(outputs[0], outputs[1])
    torch.testing.assert_close(outputs[0], outputs[2])


def test_a_failing_mask_leaves_the_weights_alone():
    layout = Layout.of(make_model("llama"))
    last = layout.projection(3, "up")
    last.weight = torch.nn.Parameter(last.weight.to("meta"), requires_grad=False)
    neurons = some_neurons(layout, ("q", "up"))
    before = layout.weight(0, "q").clone()
    with pytest.raises(InputError, match="offloaded"):
        WeightMask(layout, neurons)
    assert torch.equal(layout.weight(0, "q"), before)


def test_a_set_of_another_shape_is_refused():
    llama, qwen = Layout.of(make_model("llama")), Layout.of(make_model("qwen3"))
    with pytest.raises(InputError, match="another model"):
        WeightMask(qwen, some_neurons(llama))
