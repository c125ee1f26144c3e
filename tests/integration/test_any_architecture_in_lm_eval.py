"""`mwork-hf` against lm-eval's `hf` for every architecture, the fast way where a model agrees with it."""

import random

import pytest
import torch
from helpers.architectures import VOCABULARY, build, members
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from mwork_eval.lm.model import MworkHF

_OTHER_STATE = "layers that keep another state than keys and values"
_INDEXER = "attention that keeps an index of keys beside them"
_SLOTS = "attention scaled by the slot in the cache"
_WITH_STATE = """bailing_hybrid bamba deepseek_v4 falcon_h1 granitemoehybrid inkling2_text inkling_text jamba
kimi_linear lfm2 lfm2_moe lfm3 minimax nemotron_h olmo_hybrid qwen3_5 qwen3_5_moe qwen3_5_moe_text qwen3_5_text
qwen3_next recurrent_gemma zamba zamba2 zaya"""
_WITH_INDEXER = "axk2 deepseek_v32 dots3_note dots3_note_text glm_moe_dsa hy_v4 qwen4_exp qwen4_exp_text"
NOT_FAST = {
    **dict.fromkeys(_WITH_STATE.split(), _OTHER_STATE),
    **dict.fromkeys(_WITH_INDEXER.split(), _INDEXER),
    **dict.fromkeys(("llama4", "llama4_text"), _SLOTS),
    "modernbert-decoder": "a head of several layers",
    "openai-gpt": "no cache",
}
"""Types that `mwork-hf` computes as `hf` does, with the reason."""


@pytest.fixture(scope="module")
def tokenizer():
    words = {f"w{number}": number for number in range(VOCABULARY)}
    plain = Tokenizer(models.WordLevel(words, unk_token="w3"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=plain, bos_token="w1", eos_token="w2", pad_token="w0")


def requests() -> tuple[list[Instance], list[Instance]]:
    """Return continuations to score and prompts to continue; some share their first tokens, all differ in length."""
    generator = random.Random(0)

    def text(count: int) -> str:
        return " ".join(f"w{generator.randrange(4, VOCABULARY)}" for _ in range(count))

    beginning = text(9)
    paragraphs = [f"{beginning} {text(count)}" for count in (3, 14)]
    contexts = [f"{paragraph} {text(count)}" for paragraph in paragraphs for count in (2, 4)]
    pairs = [(context, f" {text(count)}") for context in contexts for count in (1, 3)] + [(text(4), f" {text(2)}")]
    prompts = [*contexts[1:3], text(2)]
    options = {"until": ["@"], "max_gen_toks": 4}
    scored = [Instance("loglikelihood", {}, pair, 0) for pair in pairs]
    return scored, [Instance("generate_until", {}, (prompt, options), 0) for prompt in prompts]


@pytest.mark.parametrize("member", members())
def test_answers_are_those_of_hf(member, tokenizer):
    model = build(member)
    hf, ours = (cls(model, tokenizer=tokenizer, batch_size=1, max_length=64) for cls in (HFLM, MworkHF))
    scored, prompts = requests()
    expected, found = (one.loglikelihood(scored, disable_tqdm=True) for one in (hf, ours))
    assert [value for value, _ in found] == pytest.approx([value for value, _ in expected], rel=1e-5)
    assert [greedy for _, greedy in found] == [greedy for _, greedy in expected]
    assert len({round(value, 3) for value, _ in found}) == len(found)
    answers = [one.generate_until(prompts, disable_tqdm=True) for one in (hf, ours)]
    assert answers[0] == answers[1]
    assert any(answers[0])
    # What is not fast is said, once.
    assert (ours._forward() is None) == (member in NOT_FAST)
    assert len(ours._said) == (member in NOT_FAST)


def test_an_error_of_the_model_is_not_taken_for_one_of_the_fast_way(tokenizer):
    model = build("llama")

    def fail(*_):
        raise RuntimeError("this layer cannot be computed")

    model.model.layers[1].mlp.register_forward_hook(fail)
    ours = MworkHF(model, tokenizer=tokenizer, batch_size=1, max_length=64)
    with pytest.raises(RuntimeError, match="this layer cannot be computed"):
        ours.loglikelihood(requests()[0], disable_tqdm=True)


def test_padding_that_is_counted_is_noticed(tokenizer):
    """ALiBi of MPT counts slots: rows of unequal beginnings would share a batch that has padding between tokens."""
    ours = MworkHF(build("mpt"), tokenizer=tokenizer, batch_size=1, max_length=64)
    assert ours._forward().window == 1
    ours = MworkHF(build("bloom"), tokenizer=tokenizer, batch_size=1, max_length=64)
    assert ours._forward().window is None


def test_states_of_several_rows_are_compared(tokenizer, monkeypatch):
    """A model that is right for one row and wrong beside another one does not agree."""
    model = build("llama")

    def mix(module, args, output):
        return output + 0.5 * output.roll(1, 0) if len(output) > 1 else output

    model.model.norm.register_forward_hook(mix)
    ours = MworkHF(model, tokenizer=tokenizer, batch_size=1, max_length=64)
    assert ours._forward() is None
    assert torch.isfinite(torch.tensor(ours.loglikelihood(requests()[0][:1], disable_tqdm=True)[0][0]))
