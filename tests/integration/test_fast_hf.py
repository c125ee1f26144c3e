"""`mwork-hf` against lm-eval's `hf` on the same requests: equal answers, and a word where it cannot be faster."""

import logging

import accelerate
import pytest
import torch
import transformers
from conftest import make_model, make_tokenizer
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from tokenizers import AddedToken
from tokenizers.processors import TemplateProcessing

from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import evaluate_task, prepare_tasks
from mwork_eval.evaluation.known_answers import KnownAnswers, request_key
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.lm.model import MworkHF

TASKS = {"xcsqa_zh": "loglikelihood", "bpb_de": "loglikelihood_rolling", "xquad_zh": "generate_until"}


@pytest.fixture(scope="module")
def tasks():
    return prepare_tasks(list(TASKS), data="embedded", sample=Sample(limit=6))


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


def test_layers_with_another_state_go_the_way_of_hf_and_it_is_said_once(tokenizer, tasks, caplog):
    torch.manual_seed(0)
    config = transformers.Lfm2Config(
        vocab_size=384, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=512, layer_types=["conv", "full_attention"],
    )  # fmt: skip
    hf, ours = both(transformers.AutoModelForCausalLM.from_config(config).eval(), tokenizer)
    with caplog.at_level(logging.WARNING):
        for name, method in TASKS.items():
            requests = tasks[name].task.instances
            answers = [getattr(model, method)(requests, disable_tqdm=True) for model in (hf, ours)]
            assert answers[0] == answers[1]
    assert caplog.text.count("because of layers that do not go on from keys and values alone") == 1


def test_a_head_that_is_not_understood_is_found(tokenizer, tasks, caplog):
    model = make_model("llama")
    model.lm_head.register_forward_hook(lambda module, args, output: 2 * output)
    # The hook belongs to the module, but parts of the vocabulary are computed without calling it.
    hf, ours = both(model, tokenizer)
    requests = tasks["xcsqa_zh"].task.instances
    assert ours.loglikelihood(requests, disable_tqdm=True) == hf.loglikelihood(requests, disable_tqdm=True)
    assert caplog.text.count("probabilities that differ from the model's own") == 1


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


def with_special(tokenizer, text: str):
    """Return a copy of a tokenizer that has one more special token, which no role names."""
    copy = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    copy.add_tokens([AddedToken(text, special=True, normalized=False)])
    return copy


@pytest.mark.parametrize("tail", ["", "!"])
def test_a_special_token_without_a_role_stops_an_answer(tail):
    tokenizer = with_special(make_tokenizer(), "<|eot|>")
    model = make_model("llama")
    model.resize_token_embeddings(len(tokenizer))
    stop = tokenizer.convert_tokens_to_ids("<|eot|>")
    request = generation("one two", max_gen_toks=12, until=["<|eot|>" + tail])
    ids = torch.tensor([tokenizer("one two").input_ids])
    third = int(model.generate(ids, max_new_tokens=3, do_sample=False)[0, -1])
    with torch.no_grad():
        model.lm_head.weight[stop] = 1.5 * model.lm_head.weight[third]
        after = model.generate(ids, max_new_tokens=12, do_sample=False)[0, ids.shape[1] :].tolist()
        assert stop in after[:-2]
        if tail:  # what follows the special token completes the stop sequence
            model.lm_head.weight[tokenizer.convert_tokens_to_ids("!")] = (
                1.5 * model.lm_head.weight[after[after.index(stop) + 1]]
            )
    hf, ours = both(model, tokenizer)
    endless = hf.generate_until([generation("one two", max_gen_toks=12, until=["@@"])], disable_tqdm=True)
    expected = hf.generate_until([request], disable_tqdm=True)
    assert ours.generate_until([request], disable_tqdm=True) == expected
    if not tail:
        assert expected != endless


def test_only_one_token_is_the_most_probable(tokenizer):
    model = make_model("llama")
    ids = torch.tensor([[5, 9, 17]])
    with torch.no_grad():
        best = int(model(ids).logits[0, -1].argmax())
        model.lm_head.weight[383] = model.lm_head.weight[best]
    hf, ours = both(model, tokenizer)
    requests = [(None, ids[0].tolist(), [token]) for token in (best, 383, 100)]
    greedy = [[found[1] for found in m._loglikelihood_tokens(requests, disable_tqdm=True)] for m in (hf, ours)]
    assert greedy == [[True, False, False]] * 2


def test_an_empty_prompt_begins_with_bos(tokenizer):
    hf, ours = both(make_model("llama"), tokenizer)
    requests, begun = ([generation(text) for text in ("one two three", start, "four five")] for start in ("", "<s>"))
    assert ours.generate_until(requests, disable_tqdm=True) == hf.generate_until(begun, disable_tqdm=True)


def test_a_prompt_that_begins_with_bos_gets_no_second_one():
    tokenizer = make_tokenizer()
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    assert tokenizer("<s>one").input_ids[:2] == [0, 0]
    hf, ours = both(make_model("llama"), tokenizer, prefix_token_id=9)
    requests = [generation("<s>one two", max_gen_toks=12), generation("<s>three", max_gen_toks=12)]
    assert ours.generate_until(requests, disable_tqdm=True) == hf.generate_until(requests, disable_tqdm=True)
    assert ours._encode_prompt("<s>one")[:2] != (0, 0)


def test_truncation_is_said_and_a_continuation_too_long_refused(tokenizer, caplog):
    ours = MworkHF(make_model("llama"), tokenizer=tokenizer, max_length=16)
    ours.generate_until([generation("one two three " * 9), generation("one")], disable_tqdm=True)
    assert "1 of 2 requests lose their beginning" in caplog.text
    with pytest.raises(InputError, match="longer than the model takes"):
        ours._loglikelihood_tokens([(None, [3], list(range(5, 30)))], disable_tqdm=True)


def test_a_model_that_gives_no_numbers_ends_with_one_line(tokenizer, tasks):
    model = make_model("llama")
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[0, 0] = float("nan")
    with pytest.raises(InputError, match="the model gives no numbers on bpb_de; found nan"):
        evaluate_task(MworkHF(model, tokenizer=tokenizer), tasks["bpb_de"])


def test_an_identity_holds_what_changes_an_answer_and_nothing_else(tokenizer):
    def identity(change=lambda model: None, tokenizer=tokenizer, **options):
        model = make_model("gemma2")
        change(model)
        return MworkHF(model, tokenizer=tokenizer, **options).identity

    plain = identity()
    used = make_tokenizer()
    used("one two three", truncation=True, max_length=2, padding="max_length")
    assert identity(tokenizer=used) == plain
    others = [
        identity(lambda model: setattr(model.config, "final_logit_softcapping", 5.0)),
        identity(lambda model: setattr(model.config, "sliding_window", 3)),
        identity(lambda model: setattr(model.generation_config, "repetition_penalty", 1.5)),
        identity(lambda model: setattr(model.generation_config, "eos_token_id", 7)),
        identity(prefix_token_id=9),
        identity(softmax_dtype="float64"),
    ]
    assert len({plain, *others}) == 7
    assert identity(lambda model: setattr(model.config, "_name_or_path", "elsewhere")) == plain
