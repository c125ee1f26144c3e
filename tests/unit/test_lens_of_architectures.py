"""Every layer of every architecture as its output head reads it, or one clear error."""

import pytest
import torch
from helpers.architectures import build, members, token_ids
from helpers.not_reached import NOT_REACHED

from mwork_eval.analysis.layer_states import find_head, read_layers
from mwork_eval.errors import InputError
from mwork_eval.models.find_head import find_head as proven_head
from mwork_eval.models.layout import Layout

_SEVERAL = "states of shape"
UNREADABLE = {
    **dict.fromkeys(("deepseek_v4", "gemma3n_text", "hy_v4", "qwen4_exp", "qwen4_exp_text"), _SEVERAL),
    "inkling2_text": "more than the last layer's states",
}
"""Types whose layers pass on several states per token, or whose head reads those of several layers."""
OTHER_HEADS = {"modernbert-decoder"}
"""Types between whose decoder and logits are more than output embeddings and a scale."""


@pytest.mark.parametrize("member", members())
def test_the_last_layer_gives_the_logits_of_the_model(member):
    try:
        layout = Layout.of(build(member))
    except InputError as error:
        if member not in NOT_REACHED:
            raise
        pytest.skip(str(error))
    ids = token_ids(0, 12)
    with torch.no_grad():
        expected = layout.model(torch.tensor([ids])).logits[0]
    if member in OTHER_HEADS:
        with pytest.raises(InputError, match="no output head that can be used apart"):
            find_head(layout)
        return
    head = find_head(layout)
    if member in UNREADABLE:
        with pytest.raises(InputError, match=rf"architecture {layout.family} cannot be read .* {UNREADABLE[member]}"):
            read_layers(layout, ids, head.logits)
        return
    found = read_layers(layout, ids, head.logits)
    assert len(found) == layout.shape.layers
    assert torch.allclose(found[-1], expected, atol=1e-4 * float(expected.std()), rtol=0)
    assert not torch.allclose(found[0], found[-1], atol=0.1)


@pytest.mark.parametrize(
    ("member", "entry", "value"),
    [
        ("falcon_h1", "lm_head_multiplier", 0.3),
        ("granite", "logits_scaling", 3.0),
        ("hyperclovax", "logits_scaling", 3.0),
        ("minicpm3", "dim_model_base", 8),
        ("inkling_text", "logits_mup_width_multiplier", 3.0),
        ("cohere2", "logit_scale", 0.2),
        ("nanochat", "final_logit_softcapping", 2.0),
        ("recurrent_gemma", "logits_soft_cap", 2.0),
    ],
)
def test_what_follows_the_output_embeddings_is_read_and_proven(member, entry, value):
    model = build(member)
    plain = proven_head(model)
    for holder in (model, model.model, model.config):
        if hasattr(holder, entry):
            setattr(holder, entry, value)
    head = proven_head(model)
    ids = torch.tensor([token_ids(1, 12)])
    with torch.no_grad():
        expected, states = model(ids).logits[0], model.get_decoder()(ids).last_hidden_state[0]
        assert torch.allclose(head.logits(states), expected, atol=1e-4 * float(expected.std()), rtol=0)
        assert not torch.allclose(plain.logits(states), expected, atol=0.1 * float(expected.std()), rtol=0)
    # What the configuration does not say is noticed.
    model.register_forward_hook(lambda module, args, output: output.__class__(logits=1.5 * output.logits))
    assert proven_head(model) is None
