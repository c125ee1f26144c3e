"""Scores of feed-forwards in any form equal zeroing a neuron and running the block again."""

import pytest
import torch
from helpers.feed_forward_modules import EXPERTS, FORMS, Routed, Together, block_calls, model_with

from mwork_eval.detection.scoring.feed_forward_forms import containers_of, find_forms
from mwork_eval.detection.scoring.norms import RootMeanSquare
from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.errors import InputError
from mwork_eval.models.layout import Layout

IDS = [5, 40, 3, 22, 17, 60, 9, 33, 2, 48, 11]
SHORT = [7, 21, 50, 4, 13, 38]


def change_without(model, layout, layer, structure, neuron, states):
    """Zero what belongs to a neuron of one structure, run the block again, and measure in double precision."""
    block = model.model.layers[layer].mlp.double()
    try:
        with torch.no_grad():
            before = block(states.double())
            ((own, chosen),) = Layout.of(model).located((layer, structure), torch.tensor([neuron]))
            at = own.positions(chosen)
            kept = own.weight[at].clone(), None if own.bias is None else own.bias[at].clone()
            own.weight[at] = 0
            if own.bias is not None:
                own.bias[at] = 0
            change = (block(states.double()) - before).square().sum()
            own.weight[at] = kept[0]
            if own.bias is not None:
                own.bias[at] = kept[1]
    finally:
        block.float()
    return change.item()


def states_of(model, layer, ids):
    with block_calls(model, layer) as seen, torch.no_grad():
        model.model(input_ids=torch.tensor([ids]))
    return seen[0]


@pytest.mark.parametrize("name", FORMS)
def test_scores_equal_zeroing_and_recomputing(name):
    make, kind = FORMS[name]
    model = model_with(make)
    layout = Layout.of(model)
    assert find_forms(layout, IDS)[0, 0].kind == kind
    found = Scorer(layout).score([IDS, SHORT])
    for document, ids in enumerate([IDS, SHORT]):
        for layer in range(2):
            states = states_of(model, layer, ids)
            for structure in ("gate", "up", "down"):
                if structure == "up" and name in ("tensors", "norm after", "layer norm after"):
                    continue  # one is added to what comes up, so that a zero row does not switch a neuron off
                scores = found[document][layer, structure]
                assert len(scores) == layout.shape.sizes[layer][structure]
                for neuron in [0, 3, len(scores) // 2, len(scores) - 2, int(scores.argmax())]:
                    expected = change_without(model, layout, layer, structure, neuron, states)
                    assert float(scores[neuron]) == pytest.approx(expected, rel=1e-4, abs=1e-5 * float(scores.mean()))


def test_a_switch_is_scored_as_zero_before_the_last_product_where_one_is_added_to_up():
    layout = Layout.of(model_with(Routed))
    found = Scorer(layout).score([IDS])[0]
    assert found[0, "up"] is found[0, "gate"] is found[0, "down"]


def test_a_norm_before_the_last_product_gives_columns_of_down_scores_of_their_own():
    found = Scorer(Layout.of(model_with(FORMS["norm before"][0]))).score([IDS])[0]
    assert found[0, "up"] is found[0, "gate"]
    assert abs(found[0, "up"] / found[0, "down"] - 1).max() > 0.1


def test_a_factor_is_found_where_the_block_multiplies():
    forms = find_forms(Layout.of(model_with(FORMS["multiplied"][0])), IDS)
    assert forms[0, 0].factor == pytest.approx(0.3, rel=1e-5)
    assert find_forms(Layout.of(model_with(FORMS["dense"][0])), IDS)[0, 0].factor == 1


def test_parts_share_the_block_that_holds_nothing_else():
    layout = Layout.of(model_with(FORMS["list of experts"][0]))
    (container,) = containers_of(layout, 0)
    assert container.module is layout.layers[0].mlp
    assert list(container.parts) == list(range(EXPERTS + 1))


@pytest.mark.parametrize("name", FORMS)
def test_the_model_is_as_it_was(name):
    model = model_with(FORMS[name][0])
    layout = Layout.of(model)
    before = [parameter.clone() for parameter in model.parameters()]
    with torch.no_grad():
        logits = model(torch.tensor([IDS])).logits
    Scorer(layout).score([IDS])
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert not any("forward" in module.__dict__ for module in model.modules())
    with torch.no_grad():
        assert torch.equal(model(torch.tensor([IDS])).logits, logits)


def test_scoring_does_not_change_what_the_layers_give():
    for make, _ in FORMS.values():
        model = model_with(make)
        layout = Layout.of(model)
        with torch.no_grad():
            expected = layout.decoder(input_ids=torch.tensor([IDS])).last_hidden_state
        seen = []
        hook = layout.decoder.register_forward_hook(lambda _, __, out, seen=seen: seen.append(out.last_hidden_state))
        Scorer(layout).score([IDS])
        hook.remove()
        torch.testing.assert_close(seen[-1], expected, rtol=1e-4, atol=1e-5)


def test_the_reference_refuses_experts_whose_up_it_cannot_see():
    with pytest.raises(InputError, match="does not score these experts"):
        Scorer(Layout.of(model_with(lambda: Routed(Together))), "reference").score([IDS])


def test_a_norm_is_known_by_what_it_computes():
    norm = torch.nn.RMSNorm(6, eps=1e-3)
    torch.nn.init.normal_(norm.weight)
    assert torch.allclose(RootMeanSquare.of(norm, 1e-5).weight, norm.weight.detach(), atol=1e-5)
    assert RootMeanSquare.of(torch.nn.LayerNorm(6), 1e-5) is None
    assert RootMeanSquare.of(torch.nn.Linear(6, 6), 1e-5) is None
