"""What torch.compile made of a model counts as the model: fingerprints, names and sets; nothing here compiles."""

import pytest
import torch
from conftest import make_model, make_tokenizer
from helpers.models_in_memory import adapted, assert_same, logits, neurons_of, state_of, zeroed_copy

import mwork_eval as mw
from mwork_eval.application.progress import Silent
from mwork_eval.interventions import running
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout, base_of
from mwork_eval.models.loading import name_of
from mwork_eval.resources import embedded_folder

QUIET = {"progress": Silent()}


def texts() -> list[str]:
    return (embedded_folder() / "corpus/zh.txt").read_text(encoding="utf-8").splitlines()[:5]


def with_a_compiled_layer(model):
    model.model.layers[1] = torch.compile(model.model.layers[1])
    return model


def test_a_compiled_model_is_known_as_its_model():
    model = make_model("llama")
    compiled = torch.compile(model)
    assert base_of(compiled) is model
    assert name_of(compiled) == name_of(model) == "LlamaForCausalLM"
    assert fingerprint_of(compiled) == running.fingerprint_without(compiled) == fingerprint_of(model)
    assert Layout.of(compiled).model is model


def test_wrappers_of_peft_and_compiled_parts_are_looked_through_too():
    model = adapted()
    assert base_of(torch.compile(model)) is model.get_base_model()
    assert fingerprint_of(torch.compile(model)) == fingerprint_of(model)
    assert fingerprint_of(with_a_compiled_layer(make_model("llama"))) == fingerprint_of(make_model("llama"))


def test_a_set_of_the_model_is_off_in_the_compiled_one_and_the_other_way_round():
    model = make_model("llama")
    compiled, before = torch.compile(model), state_of(model)
    neurons = neurons_of(model, fingerprint=fingerprint_of(model))
    with mw.deactivated(compiled, neurons) as same:
        assert same is compiled
        assert torch.equal(logits(model), logits(zeroed_copy(make_model("llama"))))
        with mw.deactivated(model, neurons):
            assert len(running.running_on(compiled)) == 2
    assert_same(before, state_of(model))


def test_it_is_detected_evaluated_and_looked_at_as_the_model():
    model, tokenizer = make_model("llama"), make_tokenizer()
    compiled, how = torch.compile(model), {"max_docs": 4, "max_tokens": 24, **QUIET}
    plain, found = (mw.detect(one, tokenizer, {"zh": texts()}, **how) for one in (model, compiled))
    assert found.tables["zh"].about == plain.tables["zh"].about
    neurons = neurons_of(model, fingerprint=found.tables["zh"].about["fingerprint"])
    how = {"neurons": neurons, "limit": 2, "data": "embedded", **QUIET}
    scores = [mw.evaluate(one, tokenizer, "bpb_zh", **how) for one in (model, compiled)]
    assert scores[0]["results"] == scores[1]["results"]
    assert scores[0]["config"]["mwork"]["fingerprint"] == scores[1]["config"]["mwork"]["fingerprint"]
    how = {"neurons": {"zh": neurons}, **QUIET}
    looked = [mw.lens(one, tokenizer, {"zh": texts()[:2]}, **how) for one in (model, compiled)]
    assert looked[0].curves[0].amounts.tolist() == looked[1].curves[0].amounts.tolist()
    assert looked[0].about["model"] == looked[1].about["model"]


def test_hooks_on_the_wrapper_would_not_be_called_and_are_refused():
    compiled = torch.compile(make_model("llama"))
    compiled.register_forward_hook(lambda module, args, output: output)
    with pytest.raises(mw.InputError, match="compiled wrapper has hooks"):
        mw.evaluate(compiled, make_tokenizer(), "bpb_zh", limit=1, data="embedded", **QUIET)
