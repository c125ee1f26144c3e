"""`mw.evaluate`: the numbers of `lm_eval --model mwork-hf`, from a model in memory that comes back as it was."""

import random

import numpy as np
import pytest
import torch
import transformers
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

import mwork_eval as mw
from mwork_eval.application.deactivated import deactivated
from mwork_eval.application.progress import Silent
from mwork_eval.errors import InputError
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.resources import tasks_folder

TASKS = ["xquad_zh", "xcsqa_zh", "bpb_zh"]


@pytest.fixture
def given(tiny_llama):
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.float32)
    return model, transformers.AutoTokenizer.from_pretrained(tiny_llama)


@pytest.fixture
def zh(given, tmp_path):
    """A set in memory and its file."""
    layout = Layout.of(given[0])
    indices = {
        (layer, structure): np.arange(5) for layer in range(layout.shape.layers) for structure in ("q", "v", "up")
    }
    neurons = NeuronSet(layout.shape, indices, {"fingerprint": fingerprint_of(layout.model), "language": "zh"})
    save_neuron_set(neurons, tmp_path / "zh.safetensors")
    return neurons, tmp_path / "zh.safetensors"


def by_lm_eval(model, tasks=TASKS, limit=3, num_fewshot=None, **arguments):
    manager = TaskManager(include_path=str(tasks_folder()), include_defaults=False, metadata={"data": "embedded"})
    return simple_evaluate(
        model="mwork-hf",
        model_args={"pretrained": str(model), "dtype": "float32", "device": "cpu", **arguments},
        tasks=list(tasks),
        limit=limit,
        num_fewshot=num_fewshot,
        batch_size=8,
        task_manager=manager,
    )


@pytest.mark.parametrize("more", [{}, {"num_fewshot": 1}])
def test_numbers_and_samples_are_those_of_lm_eval(tiny_llama, given, zh, more):
    state = random.getstate()
    neurons, file = zh
    for mask, argument in ((None, {}), (neurons, {"neurons": str(file), "positions": "under+gen"})):
        options = {} if mask is None else {"positions": "under+gen"}
        found = mw.evaluate(*given, TASKS, neurons=mask, limit=3, data="embedded", log_samples=True, **options, **more)
        expected = by_lm_eval(tiny_llama, **argument, **more)
        assert found["results"] == expected["results"]
        assert found["n-shot"] == expected["n-shot"]
        for task in TASKS:
            assert [s["resps"] for s in found["samples"][task]] == [s["resps"] for s in expected["samples"][task]]
        mine, theirs = found["config"]["mwork"], expected["config"]["mwork"]
        assert mine["fingerprint"] == theirs["fingerprint"]
        if mask is not None:
            without_name = [{**one["masked"], "neurons": None} for one in (mine, theirs)]
            assert without_name[0] == without_name[1]
            assert mine["masked"]["total"] == 30
    random.setstate(state)


def test_a_model_by_name_and_a_reference_give_the_same(tiny_llama, given, zh):
    neurons, file = zh
    how = {"limit": 2, "data": "embedded", "count": 7, "random_control": 3}
    in_memory = mw.evaluate(*given, "bpb_zh", neurons=neurons, **how)
    by_name = mw.evaluate(tiny_llama, None, "bpb_zh", neurons=file, device="cpu", dtype="float32", **how)
    assert in_memory["results"] == by_name["results"]
    assert by_name["config"]["mwork"]["masked"]["neurons"] == str(file)
    assert "samples" not in in_memory


def test_a_block_around_it_masks_as_the_argument_does(given, zh):
    model, tokenizer = given
    how = {"limit": 2, "data": "embedded"}
    inside = mw.evaluate(model, tokenizer, "bpb_zh", neurons=zh[0], **how)
    before = {name: value.clone() for name, value in model.named_parameters()}
    with deactivated(model, zh[0]):
        around = mw.evaluate(model, tokenizer, "bpb_zh", **how)
    assert around["results"] == inside["results"] != mw.evaluate(model, tokenizer, "bpb_zh", **how)["results"]
    assert all(torch.equal(value, before[name]) for name, value in model.named_parameters())


def test_progress_is_the_callers(given, capfd):
    class Counting(Silent):
        seen = ()

        def bar(self, what, total, *, show=True):
            self.seen += ((what, total, show),)
            return super().bar(what, total, show=show)

    counting = Counting()
    mw.evaluate(*given, "bpb_zh", limit=2, data="embedded", progress=counting)
    assert counting.seen == (("evaluate", 2, True),)
    printed = capfd.readouterr()
    assert printed.out == printed.err == ""


def test_frequencies_that_grew_are_given_back(tiny_llama, given):
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig.from_pretrained(
        tiny_llama,
        rope_parameters={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0},
        max_position_embeddings=64,
    )
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        model(torch.arange(3, 103)[None])  # longer than it was made for
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    seen = model.model.rotary_emb.max_seq_len_cached
    mw.evaluate(model, given[1], "bpb_zh", limit=1, data="embedded", progress=Silent())
    assert model.model.rotary_emb.max_seq_len_cached == seen == 100
    assert all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tasks": ()}, "no task given"),
        ({"tasks": "nothing"}, "unknown task; found nothing"),
        ({"positions": "under"}, "choose from a set; found no neurons"),
        ({"positions": "middle"}, "unknown position"),
        ({"controls": "some"}, "unknown controls"),
        ({"log_sample": True}, "unknown argument of evaluate; found log_sample"),
        ({"revision": "main"}, "a model in memory stays as it is; found revision"),
        ({"data": "nowhere"}, "nowhere"),
    ],
)
def test_wrong_arguments_are_one_error(given, zh, wrong, message):
    if wrong.get("positions") == "middle":
        wrong["neurons"] = zh[0]
    arguments = {"tasks": "bpb_zh", "limit": 1, "data": "embedded", **wrong}
    with pytest.raises(InputError, match=message):
        mw.evaluate(*given, **arguments)


def test_a_set_of_other_weights_needs_force(given, zh):
    other = zh[0].described(fingerprint="0" * 32)
    with pytest.raises(InputError, match="made for other weights"):
        mw.evaluate(*given, "bpb_zh", neurons=other, limit=1, data="embedded")
    mw.evaluate(*given, "bpb_zh", neurons=other, limit=1, data="embedded", force=True)
