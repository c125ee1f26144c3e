"""What belongs to the caller and not to the model is as before: random number generators, settings of the tokenizer."""

import random

import numpy as np
import pytest
import torch
from conftest import make_model, make_tokenizer
from helpers.models_in_memory import neurons_of

import mwork_eval as mw
from mwork_eval.application.progress import Silent
from mwork_eval.enhancement.documents import HELD_OUT
from mwork_eval.enhancement.training import TrainingOptions
from mwork_eval.resources import embedded_folder

QUIET = {"progress": Silent()}
SCORED = {"limit": 2, "data": "embedded", **QUIET}


def lines(count: int = 5) -> list[str]:
    return (embedded_folder() / "corpus/zh.txt").read_text(encoding="utf-8").splitlines()[:count]


def detect(model, tokenizer, folder):
    mw.detect(model, tokenizer, {"zh": lines()}, max_docs=4, max_tokens=24, document_seed=1, **QUIET)


def lens_of_texts(model, tokenizer, folder):
    mw.lens(model, tokenizer, {"zh": lines(2)}, **QUIET)


def lens_of_tasks(model, tokenizer, folder):
    mw.lens(model, tokenizer, tasks=["xquad"], languages=["zh"], max_tokens=32, **SCORED)


def lens_by_name(model, tokenizer, folder):
    mw.lens(folder, tokenizer, {"zh": lines(2)}, device="cpu", **QUIET)


def enhance(model, tokenizer, folder):
    texts = [f"{n} {text}" for n in range(HELD_OUT) for text in lines(2)]
    training = TrainingOptions(learning_rate=0.05, warmup_steps=1, batch_size=2)
    mw.enhance(
        model, tokenizer, neurons_of(model, language="zh"), texts, documents=4, trained_controls=0, training=training,
        tasks=["bpb"], languages=("zh",), force=True, **SCORED,
    )  # fmt: skip


def evaluate(model, tokenizer, folder):
    mw.evaluate(model, tokenizer, "bpb_zh", **SCORED)


def evaluate_by_name(model, tokenizer, folder):
    mw.evaluate(folder, tokenizer, "bpb_zh", device="cpu", **SCORED)


def ablate(model, tokenizer, folder):
    mw.ablate(model, tokenizer, {"zh": neurons_of(model)}, tasks="bpb", seeds=[1], force=True, **SCORED)


def states() -> list[str]:
    return [repr(random.getstate()), repr(np.random.get_state()), repr(torch.get_rng_state().tolist())]


@pytest.mark.parametrize(
    "call",
    [detect, lens_of_texts, lens_of_tasks, lens_by_name, enhance, evaluate, evaluate_by_name, ablate],
    ids=lambda one: one.__name__,
)
def test_generators_and_tokenizer_are_as_before(call, tiny_llama):
    model, tokenizer = make_model("llama"), make_tokenizer()
    backend = tokenizer.backend_tokenizer
    random.seed(11)
    np.random.seed(12)
    torch.manual_seed(13)
    before = states()
    kept = backend.truncation, backend.padding, tokenizer.pad_token, tokenizer.padding_side
    call(model, tokenizer, tiny_llama)
    assert states() == before
    assert kept == (None, None, tokenizer.pad_token, tokenizer.padding_side)
    assert (backend.truncation, backend.padding) == kept[:2]


@pytest.mark.parametrize("call", [detect, lens_of_texts, evaluate, evaluate_by_name], ids=lambda one: one.__name__)
def test_what_the_caller_told_the_backend_is_kept(call, tiny_llama):
    tokenizer = make_tokenizer()
    backend = tokenizer.backend_tokenizer
    backend.enable_truncation(max_length=7, stride=1, direction="left")
    backend.enable_padding(length=9, pad_id=1, pad_token="</s>", direction="left")
    kept = backend.truncation, backend.padding
    call(make_model("llama"), tokenizer, tiny_llama)
    assert (backend.truncation, backend.padding) == kept
