"""Verbs of several threads on one model: each works alone, and other models do not wait."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import lm_eval.api.task
import pytest
import torch
from conftest import make_model, make_tokenizer
from helpers.models_in_memory import BOTH, OTHERS, assert_same, logits, neurons_of, state_of, zeroed_copy

import mwork_eval as mw
from mwork_eval.application.progress import Silent
from mwork_eval.evaluation.quiet import quiet_lm_eval
from mwork_eval.interventions import running

IN_VAIN = 0.5
"""Seconds that a thread waits for what another one may only do after it."""
SMALL = {"limit": 2, "data": "embedded", "progress": False}


def run(*parts):
    """Run each in a thread of its own; return what they return, or raise what one raises."""
    with ThreadPoolExecutor(len(parts)) as pool:
        return [ended.result(timeout=120) for ended in [pool.submit(part) for part in parts]]


def bits(model, tokenizer, neurons=None, **more):
    found = mw.evaluate(model, tokenizer, "bpb_zh", neurons=neurons, force=True, **SMALL | more)
    return found["results"]["bpb_zh"]


class Pausing(Silent):
    """Stops in the middle of a verb, and sees whether the other thread does something meanwhile."""

    def __init__(self):
        self.inside, self.other, self.overtaken = threading.Event(), threading.Event(), False

    def bar(self, what, total, *, show=True):
        self.inside.set()
        self.overtaken |= self.other.wait(timeout=IN_VAIN)
        return super().bar(what, total, show=show)


def test_masks_of_two_threads_do_not_meet():
    model, tokenizer = make_model("llama"), make_tokenizer()
    sets = [None, neurons_of(model), neurons_of(model, OTHERS), neurons_of(model, {(1, "up"): range(30)})]
    alone = [bits(model, tokenizer, neurons) for neurons in sets]
    assert len({str(scores) for scores in alone}) == len(sets)
    before = state_of(model)
    for _ in range(2):
        assert run(*(partial(bits, model, tokenizer, neurons) for neurons in sets)) == alone
    assert_same(before, state_of(model))
    assert not running._RUNNING


def detect(model, tokenizer, progress):
    texts = {"zh": [f"{n} 今天天气很好，我们一起去学校上课。" for n in range(20)]}
    return mw.detect(model, tokenizer, texts, max_docs=4, min_tokens=4, max_tokens=24, progress=progress)


def evaluate(model, tokenizer, progress):
    return bits(model, tokenizer, neurons_of(model), progress=progress)


def ablate(model, tokenizer, progress):
    sets = {"zh": neurons_of(model)}
    return mw.ablate(model, tokenizer, sets, tasks="bpb", seeds=[1], force=True, **SMALL | {"progress": progress})


def lens(model, tokenizer, progress):
    return mw.lens(model, tokenizer, {"zh": ["今天天气很好。"]}, progress=progress)


def enhance(model, tokenizer, progress):
    texts, training = [f"{n} 今天天气很好。" for n in range(40)], mw.TrainingOptions(batch_size=2)
    zh = neurons_of(model, language="zh")
    return mw.enhance(
        model, tokenizer, zh, texts, documents=4, trained_controls=0, training=training, force=True, progress=progress
    )


@pytest.mark.parametrize("verb", [detect, evaluate, ablate, lens, enhance], ids=lambda verb: verb.__name__)
def test_a_block_of_another_thread_begins_after_a_verb(verb):
    model, tokenizer = make_model("llama"), make_tokenizer()
    before, pausing = state_of(model), Pausing()

    def block():
        assert pausing.inside.wait(timeout=60)
        with mw.deactivated(model, neurons_of(model, OTHERS)):
            pausing.other.set()

    run(partial(verb, model, tokenizer, pausing), block)
    assert pausing.other.is_set()
    assert not pausing.overtaken
    assert_same(before, state_of(model))
    assert not running._RUNNING


def test_a_block_of_another_thread_ends_after_a_verb():
    model, tokenizer = make_model("llama"), make_tokenizer()
    pausing, begun = Pausing(), threading.Event()
    with mw.deactivated(model, neurons_of(model, OTHERS)):
        both = bits(model, tokenizer, neurons_of(model))
    assert both == bits(zeroed_copy(model, BOTH), tokenizer)

    def block():
        with mw.deactivated(model, neurons_of(model, OTHERS)):
            begun.set()
            assert pausing.inside.wait(timeout=60)
        pausing.other.set()

    def verb():
        assert begun.wait(timeout=60)
        return evaluate(model, tokenizer, pausing)

    assert run(verb, block)[0] == both
    assert not pausing.overtaken


def test_threads_may_evaluate_within_a_block_of_the_one_that_waits_for_them():
    model, tokenizer = make_model("llama"), make_tokenizer()
    expected = bits(zeroed_copy(model), tokenizer)
    with mw.deactivated(model, neurons_of(model)):
        assert run(*[partial(bits, model, tokenizer)] * 2) == [expected] * 2


def test_a_verb_may_call_another_on_its_model_in_its_own_thread():
    model, tokenizer = make_model("llama"), make_tokenizer()
    before, expected = state_of(model), logits(zeroed_copy(model))

    class Looking(Silent):
        seen = None

        def tell(self, message):
            with mw.deactivated(model, neurons_of(model)):
                self.seen = logits(model)

    detect(model, tokenizer, looking := Looking())
    assert torch.equal(looking.seen, expected)
    assert_same(before, state_of(model))


def test_two_models_do_not_wait_for_each_other():
    both, tokenizer = threading.Barrier(2), make_tokenizer()

    class Meeting(Silent):
        def bar(self, what, total, *, show=True):
            both.wait(timeout=60)  # breaks where one begins only after the other
            return super().bar(what, total, show=show)

    run(*(partial(detect, make_model("llama"), tokenizer, Meeting()) for _ in range(2)))


def test_lm_eval_is_loud_again_when_the_last_thread_is_done():
    own, both = lm_eval.api.task.tqdm, threading.Barrier(2)

    def first():
        with quiet_lm_eval():
            both.wait(timeout=30)
        both.wait(timeout=30)

    def second():
        both.wait(timeout=30)
        with quiet_lm_eval():
            both.wait(timeout=30)
            assert lm_eval.api.task.tqdm is not own

    run(first, second)
    assert lm_eval.api.task.tqdm is own
