"""An architecture that is in no vocabulary: what its modules do tells where its neurons are."""

import copy

import pytest
import torch
from helpers.made_up import GROUPS, HEADS, WIDTH, Blurred, MadeUpConfig, MadeUpForCausalLM, make_made_up

from mwork_eval.errors import InputError
from mwork_eval.models.layout import Layout

PER_GROUP = 2 + HEADS // GROUPS


def test_every_neuron_is_found():
    layout = Layout.of(make_made_up())
    assert layout.shape.sizes == ({"q": 32, "k": 16, "v": 16, "o": 32, "gate": 40, "up": 40, "down": 40},) * 3
    rows = torch.arange(GROUPS * PER_GROUP * WIDTH).view(GROUPS, PER_GROUP, WIDTH)
    expected = {"v": rows[:, 0], "k": rows[:, 1], "q": rows[:, 2:]}
    for layer in range(3):
        heads = layout.attentions[layer][0].heads
        assert (heads.query, heads.groups, heads.width, heads.value_width) == (HEADS, GROUPS, WIDTH, WIDTH)
        for structure, of_it in expected.items():
            (block,) = layout.blocks[layer, structure]
            assert block.module is layout.layers[layer].gaze.everything
            assert torch.equal(block.channels, of_it.flatten())
        assert layout.blocks[layer, "o"][0].module is layout.layers[layer].gaze.back
        assert layout.blocks[layer, "down"][0].module is layout.layers[layer].think.narrow
        assert torch.equal(layout.blocks[layer, "up"][0].channels, torch.arange(40, 80))


def test_looking_leaves_the_model_as_it_was():
    model = make_made_up().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    implementation, hooks = model.config._attn_implementation, [m._forward_hooks.copy() for m in model.modules()]
    Layout.of(model)
    assert model.config._attn_implementation == implementation
    assert [m._forward_hooks for m in model.modules()] == hooks
    assert all(module.training for module in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_without_weights_unknown_names_are_not_understood():
    with torch.device("meta"):
        model = MadeUpForCausalLM(MadeUpConfig())
    with pytest.raises(InputError, match=r"layer 0 has gaze \(Gaze\) in which the projections of q, k, v and o"):
        Layout.of(model)


def test_queries_that_are_no_projection_are_not_understood():
    with pytest.raises(InputError, match=r"layer 0 has gaze \(Blurred\) .* cannot be told; .*CONTRIBUTING"):
        Layout.of(make_made_up(Blurred))


def test_a_model_without_layers_is_not_understood():
    model = copy.deepcopy(make_made_up())
    model.model.steps = torch.nn.Sequential(*model.model.steps)
    with pytest.raises(InputError, match="no list of decoder layers; found made_up"):
        Layout.of(model)
