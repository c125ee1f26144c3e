"""Gradients and deltas of a few neurons of every structure, for every architecture."""

import numpy as np
import pytest
import torch
from helpers.architectures import build, members, token_ids
from helpers.not_reached import NOT_REACHED
from torch import nn

from mwork_eval.enhancement.training import SelectedModel, collate
from mwork_eval.errors import InputError
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.weight_deltas.delta import WeightDelta, apply_delta, load_delta, save_delta
from mwork_eval.weight_deltas.parts import TrainedParts, parts_of

DOCUMENTS = [token_ids(0, 20), token_ids(1, 13)]


def layout_of(member: str) -> Layout:
    try:
        return Layout.of(build(member))
    except InputError as error:
        if member not in NOT_REACHED:
            raise
        pytest.skip(str(error))


def some_neurons(layout: Layout) -> NeuronSet:
    places = {
        (layer, structure): np.unique(np.array([0, size // 3, size // 2, size - 2, size - 1], np.int32))
        for layer, sizes in enumerate(layout.shape.sizes)
        for structure, size in sizes.items()
        if structure not in ("gate", "down")
    }
    return NeuronSet(layout.shape, places)


def own_loss(model) -> torch.Tensor:
    total = [
        nn.functional.cross_entropy(model(torch.tensor([ids])).logits[0, :-1], torch.tensor(ids[1:]), reduction="none")
        for ids in DOCUMENTS
    ]
    return torch.cat(total).mean()


@pytest.mark.parametrize("member", members())
def test_gradients_are_those_of_the_whole_matrices(member):
    layout = layout_of(member)
    model = layout.model
    expected_loss = own_loss(model)
    expected_loss.backward()
    full = {name: parameter.grad for name, parameter in model.named_parameters()}
    model.zero_grad()
    trained = TrainedParts(parts_of(layout, some_neurons(layout)))
    chosen = SelectedModel(model, layout, trained)
    with trained.attached():
        loss = chosen(**collate(DOCUMENTS))["loss"]
        loss.backward()
    assert float(loss) == pytest.approx(float(expected_loss), rel=1e-5)
    assert all(parameter.grad is None for parameter in model.parameters())
    # In the place of the weights, gradients are read as the weights are.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.zeros(()) if full[name] is None else full[name])
    least = 1e-2 * max(float(gradient.abs().max()) for gradient in full.values() if gradient is not None)
    for part in trained.parts:
        for name, expected in part.read().items():
            found = trained.of(part)[name].grad
            if found is None:  # no token was sent to these experts
                found = torch.zeros_like(expected)
            # A bias of keys moves no attention weight: what is left there is rounding.
            scale = max(least, float(expected.abs().max()))
            assert float((found - expected).abs().max()) < 1e-4 * scale, (part.name, part.block.start, name)


@pytest.mark.parametrize("member", members())
def test_deltas_survive_the_disk_and_leave_the_model_as_it_was(member, tmp_path):
    layout = layout_of(member)
    before = {name: tensor.clone() for name, tensor in layout.model.state_dict().items()}
    trained = TrainedParts(parts_of(layout, some_neurons(layout)))
    with torch.no_grad():
        for value in trained.values.values():
            value.add_(torch.randn_like(value))
    save_delta(WeightDelta.of(layout, trained, {}), tmp_path / "delta.safetensors")
    delta = load_delta(tmp_path / "delta.safetensors")
    for (layer, structure), indices in some_neurons(layout).indices.items():
        assert delta.tensors[f"layers.{layer}.{structure}.neurons"].tolist() == indices.tolist()
    applied = apply_delta(layout, delta)
    changed = {name: tensor.clone() for name, tensor in layout.model.state_dict().items()}
    applied.close()
    after = layout.model.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    trained.write()
    assert all(torch.equal(after[name], tensor) for name, tensor in changed.items())
    assert any(not torch.equal(changed[name], tensor) for name, tensor in before.items())
