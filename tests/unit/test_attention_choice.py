"""Every part of a model has its own attention back."""

import pytest
import torch
from helpers.architectures import build
from torch import nn
from transformers.models.gemma3 import Gemma3Config

from mwork_eval.detection.verification import verify
from mwork_eval.models.attention_choice import attending_by
from mwork_eval.models.find_projections import trace_attention
from mwork_eval.models.layout import Layout


@pytest.fixture
def model():
    made = build("gemma3")
    made.config.text_config._attn_implementation = "eager"
    made.config.vision_config._attn_implementation = "sdpa"
    assert of_parts(made.config) == OWN
    return made


OWN = ("eager", "eager", "sdpa")


def of_parts(config):
    return tuple(one._attn_implementation for one in (config, config.text_config, config.vision_config))


def test_all_parts_attend_in_one_way_and_then_in_their_own(model):
    with attending_by(model, "flex_attention"):
        assert of_parts(model.config) == ("flex_attention",) * 3
        with attending_by(model, "eager"):
            assert of_parts(model.config) == ("eager",) * 3
        assert of_parts(model.config) == ("flex_attention",) * 3
    assert of_parts(model.config) == OWN
    with pytest.raises(KeyError), attending_by(model, "eager"):
        raise KeyError
    assert of_parts(model.config) == OWN


def test_a_part_that_is_met_before_the_whole_has_its_own_back():
    class Part(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.config = config

    config = Gemma3Config()
    config._attn_implementation, config.vision_config._attn_implementation = "eager", "sdpa"
    with attending_by(nn.ModuleList([Part(config.vision_config), Part(config.text_config), Part(config)]), "eager"):
        assert of_parts(config) == ("eager",) * 3
    assert of_parts(config) == OWN


def test_looking_and_verifying_leave_every_part_its_own(model):
    layout = Layout.of(model)
    found = trace_attention(model, layout.decoder, layout.attentions[0][0].module)
    assert found is not None
    assert found.projections["o"] is layout.attentions[0][0].projections["o"].module
    assert of_parts(model.config) == OWN
    with torch.no_grad():
        assert verify(layout, list(range(4, 24)), layers=[0]).agrees
    assert of_parts(model.config) == OWN
