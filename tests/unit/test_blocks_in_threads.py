"""Blocks of several threads on one model: nothing of it is lost, and other models do not wait."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch
from conftest import make_model
from helpers.models_in_memory import BOTH, OTHERS, assert_same, logits, neurons_of, state_of, zeroed_copy

from mwork_eval.application.deactivated import deactivated
from mwork_eval.interventions import running
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.models.fingerprint import fingerprint_of

IN_VAIN = 1
"""Seconds that a thread waits for what another one may only do before or after it."""


def run(*parts):
    """Run each in a thread of its own, and raise what one raises."""
    with ThreadPoolExecutor(len(parts)) as pool:
        for ended in [pool.submit(part) for part in parts]:
            ended.result(timeout=60)


def test_a_set_is_compared_with_weights_that_no_other_thread_is_changing(monkeypatch):
    model = make_model("llama")
    before, fingerprint = state_of(model), fingerprint_of(model)
    reading, written, read = threading.Event(), threading.Event(), threading.Event()
    every = {(layer, "q"): range(24) for layer in range(4)}

    def late(of):
        if not reading.is_set():
            reading.set()
            written.wait(timeout=IN_VAIN)
        found = fingerprint_of(of)
        if threading.current_thread().name == "first":
            read.set()
        return found

    monkeypatch.setattr(running, "fingerprint_of", late)

    def first():
        threading.current_thread().name = "first"
        with deactivated(model, neurons_of(model, OTHERS, fingerprint=fingerprint)):
            assert running.fingerprint_without(model) == fingerprint

    def second():
        reading.wait(timeout=30)
        with deactivated(model, neurons_of(model, every, fingerprint=fingerprint)):
            written.set()
            assert read.wait(timeout=30)

    run(first, second)
    assert_same(before, state_of(model))
    assert not running._RUNNING


def test_blocks_are_undone_in_the_order_in_which_they_wrote(monkeypatch):
    model = make_model("llama")
    before, both = state_of(model), logits(zeroed_copy(model, BOTH))
    written, overtaken, ended = threading.Event(), threading.Event(), threading.Event()
    inside, apply = threading.Barrier(2, timeout=30), Intervention.apply

    def late(self, layout):
        undo = apply(self, layout)
        if not written.is_set():
            written.set()
            overtaken.wait(timeout=IN_VAIN)
        return undo

    monkeypatch.setattr(Intervention, "apply", late)

    def first():
        with deactivated(model, neurons_of(model)):
            inside.wait()
            assert torch.equal(logits(model), both)
        ended.set()

    def second():
        written.wait(timeout=30)
        with deactivated(model, neurons_of(model, OTHERS)):
            overtaken.set()
            inside.wait()
            assert ended.wait(timeout=30)
            assert torch.equal(logits(model), both)

    run(first, second)
    assert_same(before, state_of(model))
    assert not running._RUNNING


def test_many_blocks_of_many_threads_leave_the_model_as_it_was():
    model = make_model("llama")
    before = state_of(model)
    sets = [neurons_of(model, {(layer, "up"): range(n, 40) for layer in range(4)}) for n in range(4)]

    def blocks(neurons):
        for _ in range(15):
            with deactivated(model, neurons):
                assert not model.model.layers[2].mlp.up_proj.weight[20:].any()

    run(*(partial(blocks, neurons) for neurons in sets))
    assert_same(before, state_of(model))
    assert not running._RUNNING


def test_blocks_on_two_models_do_not_wait_for_each_other(monkeypatch):
    models, apply, both = [make_model("llama"), make_model("llama")], Intervention.apply, threading.Barrier(2)

    def together(self, layout):
        both.wait(timeout=30)  # breaks where one begins only after the other
        return apply(self, layout)

    monkeypatch.setattr(Intervention, "apply", together)

    def block(model):
        with deactivated(model, neurons_of(model)):
            pass

    run(*(partial(block, model) for model in models))
    assert not running._RUNNING


def test_a_block_may_end_in_another_thread_than_it_began():
    model = make_model("llama")
    before, block = state_of(model), deactivated(model, neurons_of(model))
    block.__enter__()
    run(partial(block.__exit__, None, None, None))
    assert_same(before, state_of(model))
    assert not running._RUNNING
