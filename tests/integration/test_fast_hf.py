"""`mwork-hf` against lm-eval's `hf` on the same requests: equal answers, and a word where it cannot be faster."""

import logging

import accelerate
import pytest
import torch
import transformers
from conftest import make_model, make_tokenizer
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from mwork_eval.harness.evaluate import prepare_tasks
from mwork_eval.harness.known_answers import KnownAnswers, request_key
from mwork_eval.harness.model import MworkHF

TASKS = {"xcsqa_zh": "loglikelihood", "bpb_de": "loglikelihood_rolling", "xquad_zh": "generate_until"}


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


@pytest.fixture(scope="module")
def tasks():
    return prepare_tasks(list(TASKS), data="embedded", limit=6)


def both(model, tokenizer, **options):
    return [cls(model, tokenizer=tokenizer, batch_size=4, **options) for cls in (HFLM, MworkHF)]


def generation(text: str, **arguments) -> Instance:
    return Instance("generate_until", {}, (text, {"until": ["\n"], "max_gen_toks": 6, **arguments}), 0)


# The windows of gemma3 and mistral are 5 tokens: every prompt is longer.
@pytest.mark.parametrize("member", ["llama", "gemma3", "mistral", "gemma2", "phi3", "bloom", "opt", "gpt2", "mixtral"])
@pytest.mark.parametrize("max_length", [None, 100], ids=["whole", "cut"])
def test_answers_are_those_of_hf(member, max_length, tokenizer, tasks):
    hf, ours = both(make_model(member), tokenizer, max_length=max_length)
    for name, method in TASKS.items():
        requests = tasks[name].task.instances
        expected, found = (getattr(model, method)(requests, disable_tqdm=True) for model in (hf, ours))
        if method == "loglikelihood":
            assert [greedy for _, greedy in found] == [greedy for _, greedy in expected]
            expected, found = ([value for value, _ in answers] for answers in (expected, found))
        assert found == (expected if method == "generate_until" else pytest.approx(expected, rel=1e-5))
    assert ours._said == set()


def test_a_batch_of_anything_comes_back_in_order(tokenizer):
    hf, ours = both(make_model("llama"), tokenizer)
    texts = ["one", "one two three four five six seven eight nine", "", "one two three four five six seven eight", "一"]
    pairs = [
        Instance("loglikelihood", {}, (context, more), 0) for context in texts for more in (" a", " and so on", "b")
    ]
    expected, found = ([v for v, _ in model.loglikelihood(pairs, disable_tqdm=True)] for model in (hf, ours))
    assert found == pytest.approx(expected, rel=1e-5)
    mixed = [generation(text, max_gen_toks=n) for n in (3, 7) for text in texts if text]
    assert ours.generate_until(mixed, disable_tqdm=True) == hf.generate_until(mixed, disable_tqdm=True)
    assert ours.loglikelihood_rolling([], disable_tqdm=True) == []


def test_stop_sequences_cut_the_answer(tokenizer):
    hf, ours = both(make_model("llama"), tokenizer)
    whole = hf.generate_until([generation("one two", max_gen_toks=12)], disable_tqdm=True)[0]
    assert len(whole) > 6
    for stop in (whole[3], whole[2:5], whole[5:7], "</s>"):
        request = [generation("one two", max_gen_toks=12, until=[stop])]
        assert ours.generate_until(request, disable_tqdm=True) == hf.generate_until(request, disable_tqdm=True)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"do_sample": True, "temperature": 0.7}, "do_sample, temperature"),
        ({"num_beams": 2}, "num_beams"),
        ({"repetition_penalty": 1.5}, "repetition_penalty"),
    ],
)
def test_what_is_not_greedy_goes_the_way_of_hf(arguments, reason, tokenizer, caplog):
    hf, ours = both(make_model("llama"), tokenizer)
    requests = [generation("one two", **arguments), generation("three")]
    answers = []
    for model in (hf, ours):
        torch.manual_seed(1)
        answers.append(model.generate_until(requests, disable_tqdm=True))
    assert answers[0] == answers[1]
    assert f"because of the generation arguments {reason}" in caplog.text


def test_generation_settings_of_the_model_are_honoured(tokenizer, caplog):
    model = make_model("llama")
    model.generation_config.repetition_penalty = 1.8
    hf, ours = both(model, tokenizer)
    requests = [generation("one two", max_gen_toks=12)]
    assert ours.generate_until(requests, disable_tqdm=True) == hf.generate_until(requests, disable_tqdm=True)
    assert "the model's own generation settings repetition_penalty" in caplog.text


def test_an_unknown_family_goes_the_way_of_hf_and_says_so_once(tokenizer, tasks, caplog):
    torch.manual_seed(0)
    config = transformers.StableLmConfig(
        vocab_size=384, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=512,
    )  # fmt: skip
    hf, ours = both(transformers.AutoModelForCausalLM.from_config(config).eval(), tokenizer)
    with caplog.at_level(logging.WARNING):
        for name, method in TASKS.items():
            requests = tasks[name].task.instances
            answers = [getattr(model, method)(requests, disable_tqdm=True) for model in (hf, ours)]
            assert answers[0] == answers[1]
    assert caplog.text.count("because of the family stablelm") == 1


def test_a_head_that_is_not_understood_is_found(tokenizer, tasks, caplog):
    model = make_model("llama")
    model.lm_head.register_forward_hook(lambda module, args, output: 2 * output)
    # The hook belongs to the module, but parts of the vocabulary are computed without calling it.
    hf, ours = both(model, tokenizer)
    requests = tasks["xcsqa_zh"].task.instances
    assert ours.loglikelihood(requests, disable_tqdm=True) == hf.loglikelihood(requests, disable_tqdm=True)
    assert "output head" in caplog.text


def test_an_offloaded_model_is_fast_too(tokenizer, tasks):
    hf = HFLM(make_model("llama"), tokenizer=tokenizer, batch_size=4)
    offloaded = accelerate.cpu_offload(make_model("llama"), execution_device=torch.device("cpu"))
    ours = MworkHF(offloaded, tokenizer=tokenizer)
    requests = tasks["xcsqa_zh"].task.instances
    expected, found = ([v for v, _ in m.loglikelihood(requests, disable_tqdm=True)] for m in (hf, ours))
    assert found == pytest.approx(expected, rel=1e-5)
    assert ours._said == set()


def test_bfloat16_stays_near(tokenizer, tasks):
    ours = MworkHF(make_model("llama"), tokenizer=tokenizer)
    half = MworkHF(make_model("llama").bfloat16(), tokenizer=tokenizer)
    requests = tasks["xcsqa_zh"].task.instances
    expected, found = ([v for v, _ in m.loglikelihood(requests, disable_tqdm=True)] for m in (ours, half))
    assert found == pytest.approx(expected, rel=0.05)
    assert half._said == set()


def test_texts_are_encoded_once(tokenizer, monkeypatch):
    ours = MworkHF(make_model("llama"), tokenizer=tokenizer)
    calls = []
    encode = HFLM.tok_encode
    monkeypatch.setattr(
        HFLM, "tok_encode", lambda self, text, *rest, **more: calls.append(text) or encode(self, text, *rest, **more)
    )
    first = ours.tok_encode("one two")
    first.append(5)
    assert ours.tok_encode("one two") == first[:-1]
    assert ours.tok_encode("one two", add_special_tokens=False) != []
    assert calls == ["one two", "one two"]


def test_known_answers_are_not_asked_again(tokenizer):
    ours = MworkHF(make_model("llama"), tokenizer=tokenizer)
    requests = [Instance("loglikelihood", {}, ("one", more), 0) for more in (" a", " b", " c")]
    expected = ours.loglikelihood(requests, disable_tqdm=True)
    asked = []
    ours.loglikelihood = lambda some: asked.extend(some) or MworkHF.loglikelihood(ours, some, disable_tqdm=True)
    known = {request_key("loglikelihood", ["one", " b"]): [-1.5, False]}
    wrapped = KnownAnswers(ours, known)
    found = wrapped.loglikelihood(requests)
    assert [request.args[1] for request in asked] == [" a", " c"]
    assert found[1] == (-1.5, False)
    assert found[0][0] == pytest.approx(expected[0][0], rel=1e-6)
    assert (wrapped.rank, wrapped.world_size) == (0, 1)
