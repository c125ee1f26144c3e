"""Every decoder architecture of transformers: what is found, scores and masks, against zeroing one neuron at a time.

`docs/architectures.py` writes the table of the documentation from the same checks.
"""

import pytest
import torch
from helpers.architecture_checks import check
from helpers.architectures import build, config_of, members, token_ids, type_of, types
from helpers.neuron_tables import layers_of
from helpers.not_reached import NOT_REACHED
from helpers.zeroing import Zeroing

from mwork_eval.models.architectures import known_architectures


@pytest.mark.parametrize("member", members())
def test_layout_scores_and_masks_are_those_of_zeroed_neurons(member):
    failures = check(member).failures
    if member in NOT_REACHED:
        assert failures, f"{member} is right now: take it out of NOT_REACHED"
    else:
        assert not failures, "\n".join(failures)


def test_the_package_says_what_the_checks_find():
    known = known_architectures()
    kinds = {member: config_of(member).get_text_config(decoder=True).model_type for member in members()}
    assert known.keys() == set(kinds.values())
    reasons = {kinds[member]: reason for member, reason in NOT_REACHED.items()}
    assert {name: row.missing for name, row in known.items() if row.missing} == reasons


def test_nearly_all_architectures_are_reached():
    assert NOT_REACHED.keys() <= set(members())
    assert len(types()) - len({type_of(member) for member in NOT_REACHED}) >= 108


@pytest.mark.parametrize("member", ["qwen3_next", "kimi_linear", "granitemoehybrid", "nemotron_h", "jamba", "minimax"])
def test_a_hybrid_has_layers_of_both_kinds(member):
    truth = Zeroing(build(member), token_ids())
    kinds = {any(part.structure == "q" for part in parts) for parts in truth.parts}
    assert kinds == {True, False}


def test_a_tiny_model_is_the_same_each_time_and_its_attention_is_uneven():
    one, two = build("llama"), build("llama")
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    with torch.inference_mode():
        seen = one(input_ids=torch.tensor([token_ids()]), output_attentions=True).attentions
    assert float(seen[0][0, :, -1].max(-1).values.mean()) > 3 / len(token_ids())


def test_the_oracle_measures_what_a_whole_forward_without_the_neuron_changes():
    model, ids = build("mixtral"), token_ids()
    truth = Zeroing(model, ids)
    double = build("mixtral").double()
    layer = layers_of(double)[0][1]

    def output():
        kept = []
        hook = layer.mlp.register_forward_hook(lambda _, __, found: kept.append(found.clone()))
        with torch.inference_mode():
            double(input_ids=torch.tensor([ids]), use_cache=False)
        hook.remove()
        return kept[0]

    before = output()
    part = next(part for part in truth.parts[0] if part.structure == "down")
    with torch.no_grad():
        layer.mlp.experts.down_proj[1, :, 3] = 0
    expected = (output() - before).square().sum()
    width = config_of("mixtral").intermediate_size
    torch.testing.assert_close(truth.changes(0, part, [width + 3])[0], expected, rtol=1e-5, atol=0)
    assert expected > 0
