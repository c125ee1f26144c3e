"""What the model is given of a text, against one plain forward pass over the tokens it should be given."""

import logging
from types import SimpleNamespace

import pytest
import torch
import transformers
from conftest import make_model, make_tokenizer
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from tokenizers.processors import TemplateProcessing

from mwork_eval.errors import InputError
from mwork_eval.lm.model import MworkHF
from mwork_eval.matrix.estimate import measure_task
from mwork_eval.models.tokens import encode_text

TEXTS = ["one two three four five", "一二三", "x", "</s>nine ten"]


def beginning_with(*specials: str, end: str = "", **roles: str) -> transformers.PreTrainedTokenizerFast:
    """Return a tokenizer that begins texts with special tokens by itself, and may end them with one."""
    backend = make_tokenizer().backend_tokenizer
    template = [*specials, "$A", *([end] if end else [])]
    ids = [(piece, backend.token_to_id(piece)) for piece in set(template) - {"$A"}]
    backend.post_processor = TemplateProcessing(single=" ".join(template), special_tokens=ids)
    roles = roles or {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **roles)


def without_any() -> transformers.PreTrainedTokenizerFast:
    return transformers.PreTrainedTokenizerFast(tokenizer_object=make_tokenizer().backend_tokenizer)


def bare(tokenizer, text: str) -> list[int]:
    return list(tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids)


def plain(model, context: list[int], tokens: list[int]) -> float:
    ids = torch.tensor([[*context, *tokens]])
    with torch.no_grad():
        found = model(ids).logits[0, len(context) - 1 : -1].double().log_softmax(-1)
    return float(found.gather(1, torch.tensor(tokens)[:, None]).sum())


def rolling(model: MworkHF, *texts: str) -> list[float]:
    return model.loglikelihood_rolling([Instance("loglikelihood_rolling", {}, (text,), 0) for text in texts], True)


def choices(model: MworkHF, *pairs: tuple[str, str]) -> list[float]:
    asked = [Instance("loglikelihood", {}, pair, 0) for pair in pairs]
    return [value for value, _ in model.loglikelihood(asked, disable_tqdm=True)]


def generate(model: MworkHF, *prompts: str, longest: int = 5) -> list[str]:
    asked = [Instance("generate_until", {}, (p, {"until": ["@@"], "max_gen_toks": longest}), 0) for p in prompts]
    return model.generate_until(asked, disable_tqdm=True)


def continued(model, tokenizer, ids: list[int], longest: int = 5) -> str:
    found = model.generate(torch.tensor([ids]), max_new_tokens=longest, do_sample=False)[0, len(ids) :]
    return tokenizer.decode(found, skip_special_tokens=True)


BEGINNINGS = {
    "adds bos": (lambda: beginning_with("<s>"), {}, [0]),
    "adds bos, told not to": (lambda: beginning_with("<s>"), {"add_bos_token": False}, [0]),
    "adds bos, told to": (lambda: beginning_with("<s>"), {"add_bos_token": True}, [0]),
    "adds bos, other prefix": (lambda: beginning_with("<s>"), {"prefix_token_id": 9}, [9]),
    "adds bos and eos": (lambda: beginning_with("<s>", end="</s>"), {}, [0]),
    "adds two": (lambda: beginning_with("</s>", "<s>", eos_token="</s>", unk_token="<s>"), {}, [1, 0]),
    "adds none": (make_tokenizer, {}, [0]),
    "has only eos": (lambda: beginning_with(eos_token="</s>", pad_token="</s>"), {}, [1]),
}


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "as hf"])
@pytest.mark.parametrize("case", BEGINNINGS)
def test_a_whole_text_begins_once(case, fast):
    make, options, start = BEGINNINGS[case]
    tokenizer, model = make(), make_model("llama")
    ours = MworkHF(model, tokenizer=tokenizer, batch_size=2, fast=fast, **options)
    texts = TEXTS[:-1] if 1 in start else TEXTS
    expected = [plain(model, start, bare(tokenizer, text)) for text in texts]
    assert rolling(ours, *texts) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "as hf"])
def test_the_tokens_of_a_long_text_are_scored_once_each(fast):
    tokenizer, model = beginning_with("<s>"), make_model("llama")
    ours = MworkHF(model, tokenizer=tokenizer, max_length=6, fast=fast)
    tokens = bare(tokenizer, text := "one two three four five six seven")
    assert len(tokens) > 12
    expected, done = plain(model, [0], tokens[:6]), 6
    while done < len(tokens):
        new = tokens[done : done + 6]
        done += len(new)
        whole = [0, *tokens]
        expected += plain(model, whole[done - 6 : done - len(new) + 1], new)
    assert rolling(ours, text) == pytest.approx([expected], rel=1e-5)


def test_the_number_of_hf_is_there_for_who_compares(caplog):
    tokenizer, model = beginning_with("<s>"), make_model("llama")
    with caplog.at_level(logging.WARNING):
        right = rolling(MworkHF(model, tokenizer=tokenizer), *TEXTS)
    assert caplog.text.count("double_bos=True gives the number of lm-eval's hf") == 1
    requests = [Instance("loglikelihood_rolling", {}, (text,), 0) for text in TEXTS]
    theirs = HFLM(model, tokenizer=tokenizer).loglikelihood_rolling(requests, disable_tqdm=True)
    for fast in (True, False):
        old = MworkHF(model, tokenizer=tokenizer, double_bos=True, fast=fast)
        assert rolling(old, *TEXTS) == pytest.approx(theirs, rel=1e-5)
    assert theirs != pytest.approx(right, rel=1e-3)
    assert old.identity != MworkHF(model, tokenizer=tokenizer).identity
    assert old.get_model_info()["mwork"]["double_bos"] is True


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "as hf"])
@pytest.mark.parametrize("case", BEGINNINGS)
def test_choices_begin_once(case, fast):
    make, options, start = BEGINNINGS[case]
    tokenizer, model = make(), make_model("llama")
    ours = MworkHF(model, tokenizer=tokenizer, batch_size=2, fast=fast, **options)
    adds = [] if "none" in case or "only" in case or "not" in case else [0] if "bos" in case else [1, 0]
    brought = "</s><s>" if adds == [1, 0] else "<s>"  # as a chat template does
    found = choices(ours, ("one", " two"), (f"{brought}one", " two"), ("", "three"))
    expected = [
        plain(model, [*adds, *bare(tokenizer, "one")], bare(tokenizer, " two")),
        plain(model, bare(tokenizer, f"{brought}one"), bare(tokenizer, " two")),
        plain(model, start, bare(tokenizer, "three")),
    ]
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "as hf"])
@pytest.mark.parametrize("end", ["", "</s>"])
def test_prompts_of_one_batch_begin_once_each(fast, end):
    tokenizer, model = beginning_with("<s>", end=end), make_model("llama")
    ours = MworkHF(model, tokenizer=tokenizer, batch_size=3, fast=fast, prefix_token_id=9)
    found = generate(ours, "<s>one two", "three", "")
    # `prefix_token_id` is for scores, a prompt is what the tokenizer makes of it.
    ids = [bare(tokenizer, "<s>one two"), [0, *bare(tokenizer, "three")], [0]]
    assert found == [continued(model, tokenizer, own) for own in ids]


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "as hf"])
def test_an_option_of_which_no_token_is_left_is_scored_by_itself(fast):
    tokenizer, model = make_tokenizer(), make_model("llama")
    ours = MworkHF(model, tokenizer=tokenizer, batch_size=2, fast=fast)
    context, option = "i", "n"
    assert len(bare(tokenizer, context + option)) == len(bare(tokenizer, context)) == 1
    expected = plain(model, bare(tokenizer, context), bare(tokenizer, option))
    other = plain(model, bare(tokenizer, context), bare(tokenizer, " two"))
    assert choices(ours, (context, option), (context, " two")) == pytest.approx([expected, other], rel=1e-5)
    assert choices(ours, (context, option)) == pytest.approx([expected], rel=1e-5)
    for pair in (("one", ""), ("", "")):
        with pytest.raises(InputError, match="an answer to choose from has no token"):
            choices(ours, pair)
    with pytest.raises(InputError, match="a continuation has no token"):
        ours._loglikelihood_tokens([(None, [5, 6], [])], disable_tqdm=True)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "as hf"])
def test_a_prompt_of_blanks_is_no_missing_context(fast):
    tokenizer, model = make_tokenizer(), make_model("llama")
    ours = MworkHF(model, tokenizer=tokenizer, fast=fast)
    assert choices(ours, ("  ", "one")) == pytest.approx([plain(model, [0], bare(tokenizer, "  one"))], rel=1e-5)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "as hf"])
def test_a_tokenizer_without_special_tokens_does_what_it_can(fast):
    tokenizer, model = without_any(), make_model("llama")
    model.generation_config.eos_token_id = model.generation_config.pad_token_id = None
    ours = MworkHF(model, tokenizer=tokenizer, batch_size=3, fast=fast)
    assert len(tokenizer) > model.config.vocab_size  # lm-eval has added a padding token
    pair = ("one two", " three")
    assert choices(ours, pair) == pytest.approx([plain(model, *(bare(tokenizer, text) for text in pair))], rel=1e-5)
    prompts = ("one two three four", "five", "six seven")
    assert generate(ours, *prompts) == [continued(model, tokenizer, bare(tokenizer, text)) for text in prompts]
    for ask, what in ((rolling, ("one",)), (choices, (("", "one"),)), (generate, ("",))):
        with pytest.raises(InputError, match="needs a token to begin with; found a tokenizer without BOS and EOS"):
            ask(ours, *what)
    with pytest.raises(InputError, match="the tokenizer has no chat template"):
        ours.apply_chat_template([{"role": "user", "content": "one"}])
    start = MworkHF(model, tokenizer=tokenizer, fast=fast, prefix_token_id=9)
    assert rolling(start, "one two") == pytest.approx([plain(model, [9], bare(tokenizer, "one two"))], rel=1e-5)


def test_tasks_a_model_cannot_do_are_refused():
    def task(kind: str, **generation) -> SimpleNamespace:
        return SimpleNamespace(OUTPUT_TYPE=kind, config=SimpleNamespace(task="mine", generation_kwargs=generation))

    ours = MworkHF(make_model("llama"), tokenizer=make_tokenizer(), max_length=128)
    ours.check_tasks([task("generate_until", max_gen_toks=127), {"group": {"b": task("loglikelihood_rolling")}}])
    for generation in ({"max_gen_toks": 128}, {}):  # lm-eval's own limit is 256
        with pytest.raises(InputError, match="no room for the answers of mine; found a context of 128 tokens for"):
            ours.check_tasks([{"group": {"a": task("generate_until", **generation)}}])
    with pytest.raises(InputError, match="mine, which scores whole texts, needs a token to begin with"):
        MworkHF(make_model("llama"), tokenizer=without_any()).check_tasks([task("loglikelihood_rolling")])
    with pytest.raises(InputError, match="no room for the answers"):
        generate(ours, "one", longest=128)


def test_documents_that_lose_their_beginning_are_counted(caplog):
    tokenizer = make_tokenizer()
    ours = MworkHF(make_model("llama"), tokenizer=tokenizer, max_length=16)
    long = "one two three four five six seven eight nine"
    asked = [
        Instance("loglikelihood", {"id": n}, (prompt, option), 0, metadata=("choices", n, 1))
        for n, prompt in enumerate([long, "one", long])
        for option in (" a", " b")
    ]
    ours.loglikelihood(asked, disable_tqdm=True)
    arguments = {"until": ["@@"], "max_gen_toks": 12}
    prompts = [Instance("generate_until", {}, (p, arguments), 0, metadata=("texts", n, 1)) for n, p in enumerate("a b")]
    prompts.append(Instance("generate_until", {}, ("one two three", arguments), 0, metadata=("texts", 7, 1)))
    assert len(bare(tokenizer, "one two three")) > 4
    ours.generate_until(prompts, disable_tqdm=True)
    assert "4 of 6 requests lose their beginning" in caplog.text
    assert ours.truncated == {"choices": {0, 2}, "texts": {7}}
    assert ours.get_model_info()["mwork"]["truncated"] == {"choices": 2, "texts": 1}
    ours.forget_truncated()
    ours.note_truncated("loglikelihood", asked[:3])
    ours.note_truncated("generate_until", prompts)
    assert ours.truncated == {"choices": {0}, "texts": {7}}


def test_processes_count_together(monkeypatch):
    ours = MworkHF(make_model("llama"), tokenizer=make_tokenizer(), max_length=16)
    long = Instance("loglikelihood", {}, ("one two three four five six seven", " a"), 0, metadata=("choices", 2, 1))
    ours.loglikelihood([long], disable_tqdm=True)
    others = {"choices": {5}, "texts": {1}}
    monkeypatch.setattr(HFLM, "gather_object", lambda self, own, dst=0: [own, others if isinstance(own, dict) else own])
    ours._world_size = 2
    assert ours.gather_object(["samples"]) == [["samples"], ["samples"]]
    assert ours.truncated == {"choices": {2, 5}, "texts": {1}}


def test_texts_read_elsewhere_begin_once():
    tokenizer = beginning_with("<s>")
    assert encode_text(tokenizer, "<s>one") == encode_text(tokenizer, "one") == [0, *bare(tokenizer, "one")]
    assert encode_text(without_any(), "one") == bare(tokenizer, "one")
    assert len(encode_text(tokenizer, "<s>one two three", truncation=True, max_length=3)) == 3


def test_an_estimate_counts_the_tokens_that_are_scored():
    tokenizer = beginning_with("<s>")
    requests = [
        Instance("loglikelihood_rolling", {}, ("one two",), 0),
        Instance("loglikelihood", {}, ("", "three"), 0),
        Instance("loglikelihood", {}, ("one", " four"), 0),
    ]
    size = measure_task(SimpleNamespace(task=SimpleNamespace(instances=requests), requests=3), tokenizer)
    assert size.scored_tokens == sum(len(bare(tokenizer, text)) for text in ("one two", "three", " four"))
