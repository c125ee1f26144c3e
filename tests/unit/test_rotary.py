"""Rows whose rotary embeddings depend on the length: each as if it were alone in a model just loaded."""

import copy
import random

import pytest
import torch
import transformers
from conftest import _COMMON, make_model, make_tokenizer
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from mwork_eval.inference.forward import Forward
from mwork_eval.inference.rotary import Rotary, depends_on_batch
from mwork_eval.lm.model import MworkHF
from mwork_eval.models.head import OutputHead

REACH = 16
LENGTHS = (5, 30, 15, 16, 17, 44, 3, 18)
_SIZES = {**_COMMON, "num_attention_heads": 4, "num_key_value_heads": 2}
_WIDTH = _COMMON["hidden_size"] // 4 // 2
_LONG = {"short_factor": [1.0] * _WIDTH, "long_factor": [2.0 + n for n in range(_WIDTH)]}


def longrope() -> transformers.PretrainedConfig:
    rope = {"rope_type": "longrope", "rope_theta": 1e4, "original_max_position_embeddings": REACH, **_LONG}
    sizes = {**_SIZES, "max_position_embeddings": 64, "original_max_position_embeddings": REACH}
    return transformers.Phi3Config(**sizes, rope_parameters=rope)


def dynamic() -> transformers.PretrainedConfig:
    rope = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0}
    return transformers.LlamaConfig(**{**_SIZES, "max_position_embeddings": REACH}, rope_parameters=rope)


CONFIGS = {"longrope": longrope, "dynamic": dynamic}


@pytest.fixture(params=CONFIGS)
def model(request):
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(CONFIGS[request.param]()).eval()


def prompts() -> list[list[int]]:
    generator = random.Random(0)
    return [[generator.randrange(3, 384) for _ in range(length)] for length in LENGTHS]


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "as hf"])
def test_log_likelihoods_are_those_of_single_rows(model, fast):
    fresh = copy.deepcopy(model)
    ours = MworkHF(model, tokenizer=make_tokenizer(), batch_size=8, max_length=64, fast=fast)
    asked = [(None, prompt, [7, 9]) for prompt in prompts()]
    expected = []
    for _, prompt, tokens in asked:
        with torch.no_grad():
            logits = copy.deepcopy(fresh)(torch.tensor([prompt + tokens])).logits[0].log_softmax(-1)
            # The last token is scored, not read: it must not stretch the row.
            read = copy.deepcopy(fresh)(torch.tensor([prompt + tokens[:1]])).logits[0].log_softmax(-1)
        assert logits.shape[0] == read.shape[0] + 1
        expected.append(float(read[-2, 7] + read[-1, 9]))
    for _ in range(2):  # what a long row leaves behind reaches no later one
        found = [value for value, _ in ours._loglikelihood_tokens(asked, disable_tqdm=True)]
        assert found == pytest.approx(expected, rel=1e-5)
    assert (ours._forward() is not None) == fast
    assert "requests longer than 16 tokens, where rotary embeddings depend on the length" in " ".join(ours._said)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "as hf"])
@pytest.mark.parametrize("batch_size", [8, "auto"])
def test_answers_are_those_of_single_prompts(model, fast, batch_size):
    tokenizer, fresh = make_tokenizer(), copy.deepcopy(model)
    ours = MworkHF(model, tokenizer=tokenizer, batch_size=batch_size, max_batch_size=2, max_length=64, fast=fast)
    letters = random.Random(0).choices("abcdefghij", k=60)
    texts = ["".join(letters[start : start + length]) for start, length in enumerate(LENGTHS)]
    lengths = [len(tokenizer(text).input_ids) for text in texts]
    assert min(lengths) + 8 < REACH < max(lengths) <= 64 - 8
    assert any(REACH - 8 < length < REACH for length in lengths)
    asked = [Instance("generate_until", {}, (text, {"until": ["@@"], "max_gen_toks": 8}), 0) for text in texts]
    expected = []
    for text in texts:
        ids = torch.tensor([tokenizer(text).input_ids])
        found = copy.deepcopy(fresh).generate(ids, max_new_tokens=8, do_sample=False)[0, ids.shape[1] :]
        expected.append(tokenizer.decode(found, skip_special_tokens=True))
    assert ours.generate_until(asked, disable_tqdm=True) == expected
    assert ours.generate_until(asked[::-1], disable_tqdm=True) == expected[::-1]


def test_it_is_the_batch_that_would_decide(model):
    """What is mended is there: in one batch, `hf` gives a row near the switch another value than alone."""
    hf = HFLM(copy.deepcopy(model), tokenizer=make_tokenizer(), batch_size=8, max_length=64)
    asked = [(None, prompt, [7]) for prompt in prompts()]
    together = [value for value, _ in hf._loglikelihood_tokens(asked, disable_tqdm=True)]
    alone = []
    for one in asked:
        hf = HFLM(copy.deepcopy(model), tokenizer=make_tokenizer(), max_length=64)
        alone.append(hf._loglikelihood_tokens([one], disable_tqdm=True)[0][0])
    assert together != pytest.approx(alone, rel=1e-3)


def test_the_reach_is_found(model):
    rotary = Rotary.of(model)
    assert rotary.reach == REACH
    assert rotary.split([16, 17, 3]) == ([0, 2], [1])
    assert Rotary.of(make_model("gemma3")).reach is None
    assert Rotary.of(make_model("bloom")).split([10**6]) == ([0], [])


@pytest.mark.parametrize("member", ["llama", "gemma3", "phi3", "gpt2"])
def test_a_rotary_module_that_looks_at_the_longest_row_is_noticed(member):
    model = make_model(member)
    assert not depends_on_batch(model, 512)
    assert Forward(model, OutputHead.of(model), torch.device("cpu"), 1000).agrees(512)


def test_frequencies_of_an_unknown_kind_that_depend_on_the_length_refuse_the_fast_path(caplog):
    model = make_model("llama")
    rotary = model.model.rotary_emb
    own = type(rotary).forward

    class Stretched(type(rotary)):
        def forward(self, x, position_ids):
            return own(self, x, position_ids * (2 if int(position_ids.max()) > 300 else 1))

    rotary.__class__ = Stretched
    assert depends_on_batch(model, 512)
    assert not depends_on_batch(model, 300)
    assert MworkHF(model, tokenizer=make_tokenizer())._forward() is None
    assert "probabilities that differ from the model's own" in caplog.text


def test_an_identity_says_that_long_rows_are_alone(model):
    """Cells of such models that were stored before hold other numbers; those of all others stay known."""
    tokenizer = make_tokenizer()
    ours = MworkHF(model, tokenizer=tokenizer)
    before = ours.identity
    ours = MworkHF(model, tokenizer=tokenizer)
    ours._rotary = lambda: Rotary((), None)
    assert ours.identity != before
