"""Models that are in memory already: neurons off inside a block, and nothing changed by it afterwards."""

import gc
import weakref
from contextlib import ExitStack

import pytest
import torch
from conftest import make_model
from helpers.models_in_memory import (
    ADAPTED,
    BOTH,
    IDS,
    OTHERS,
    PLAIN,
    adapted,
    assert_same,
    hooked,
    logits,
    neurons_of,
    state_of,
    zeroed_copy,
)

from mwork_eval.application.deactivated import deactivated
from mwork_eval.errors import InputError
from mwork_eval.interventions import running
from mwork_eval.models import slice_editor
from mwork_eval.models.fingerprint import fingerprint_of


@pytest.mark.parametrize("make", [*PLAIN.values(), *ADAPTED.values()], ids=[*PLAIN, *ADAPTED])
def test_neurons_are_off_inside_and_nothing_is_changed_afterwards(make):
    model = make()
    exact = make in PLAIN.values()
    whole, off = logits(model), logits(zeroed_copy(model))
    both = logits(zeroed_copy(model, BOTH))
    assert not torch.allclose(whole, off, atol=1e-2)
    before = state_of(model)

    def check(found, wanted):
        assert torch.equal(found, wanted) if exact else torch.allclose(found, wanted, atol=2e-4, rtol=1e-4)

    with deactivated(model, neurons_of(model)) as same:
        assert same is model
        check(logits(model), off)
        with deactivated(model, neurons_of(model, OTHERS)):
            check(logits(model), both)
        check(logits(model), off)
    assert_same(before, state_of(model))
    assert torch.equal(logits(model), whole)
    with pytest.raises(ZeroDivisionError), deactivated(model, neurons_of(model)):  # noqa: SIM117
        with deactivated(model, neurons_of(model, OTHERS)):
            raise ZeroDivisionError
    assert_same(before, state_of(model))
    assert not running._RUNNING


def test_generation_and_gradients_inside_the_block():
    model = hooked()
    twin = zeroed_copy(model)
    with deactivated(model, neurons_of(model)):
        assert torch.equal(model.generate(IDS, max_new_tokens=5), twin.generate(IDS, max_new_tokens=5))
        model(IDS).logits.sum().backward()
    twin(IDS).logits.sum().backward()
    for mine, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(mine.grad, theirs.grad)


@pytest.mark.parametrize(("make", "number"), [(hooked, 1), (hooked, 5), (hooked, 9), (adapted, 1), (adapted, 3)])
def test_a_part_that_cannot_be_written_leaves_the_model_as_it_was(make, number, monkeypatch):
    model = make()
    before, write, written = state_of(model), slice_editor.write_slice, []

    def failing(parameter, at, values):
        written.append(at)
        if len(written) == number:
            raise RuntimeError("no writing here")
        write(parameter, at, values)

    with deactivated(model, neurons_of(model, OTHERS)):
        inside = state_of(model)
        block = deactivated(model, neurons_of(model))
        monkeypatch.setattr(slice_editor, "write_slice", failing)
        with pytest.raises(RuntimeError, match="no writing here"):
            block.__enter__()
        monkeypatch.undo()
        assert_same(inside, state_of(model))
    assert_same(before, state_of(model))
    assert not running._RUNNING


def test_two_models_do_not_disturb_each_other():
    first, second = hooked(), adapted()
    whole, off = [logits(m) for m in (first, second)], [logits(zeroed_copy(m)) for m in (first, second)]
    before = [state_of(m) for m in (first, second)]
    one, two = deactivated(first, neurons_of(first)), deactivated(second, neurons_of(second))
    with ExitStack() as of_first:
        of_first.enter_context(one)
        assert torch.equal(logits(first), off[0])
        assert torch.equal(logits(second), whole[1])
        with two:
            assert torch.equal(logits(first), off[0])
            assert torch.allclose(logits(second), off[1], atol=2e-4, rtol=1e-4)
            of_first.close()
            assert torch.equal(logits(first), whole[0])
            assert torch.allclose(logits(second), off[1], atol=2e-4, rtol=1e-4)
    for model, earlier in zip((first, second), before, strict=True):
        assert_same(earlier, state_of(model))


def test_blocks_that_end_in_another_order_than_they_began():
    model = hooked()
    before, both = state_of(model), logits(zeroed_copy(model, BOTH))
    outer, inner = deactivated(model, neurons_of(model)), deactivated(model, neurons_of(model, OTHERS))
    with ExitStack() as stack:
        outer.__enter__()
        stack.enter_context(inner)
        outer.__exit__(None, None, None)
        assert torch.equal(logits(model), both)
    assert_same(before, state_of(model))
    assert not running._RUNNING


def test_a_set_is_compared_with_the_weights_beneath_the_blocks():
    model, other = make_model("llama"), make_model("llama", seed=1)
    every = {(layer, "q"): range(24) for layer in range(4)}
    fingerprint = fingerprint_of(model)
    outer, inner = (neurons_of(model, places, fingerprint=fingerprint) for places in (every, OTHERS))
    with deactivated(model, outer):
        assert fingerprint_of(model) != fingerprint
        assert running.fingerprint_without(model) == fingerprint
        with deactivated(model, inner):
            assert running.running_on(model) == (outer.digest_unordered, inner.digest_unordered)
        with pytest.raises(InputError, match="made for other weights"), deactivated(other, inner):
            raise AssertionError
    with deactivated(model, neurons_of(model, every)), deactivated(model, inner):
        pass
    with pytest.raises(InputError, match="made for other weights"), deactivated(other, inner):
        raise AssertionError
    with deactivated(other, inner, force=True):
        assert running.running_on(other)
    assert not running.running_on(model)
    with pytest.raises(InputError, match=r"made for an unnamed model.*does not fit"):
        deactivated(make_model("gemma3"), inner, force=True).__enter__()


def test_hooks_are_refused_where_a_compiled_model_would_not_see_them():
    model, plain = adapted(), make_model("llama")
    compilations = torch.compile(model), torch.compile(model.get_base_model())
    before = state_of(model)
    for compiled in compilations:
        with pytest.raises(InputError, match="compiled model does not see"), deactivated(compiled, neurons_of(model)):
            raise AssertionError
    with deactivated(torch.compile(plain), neurons_of(plain)):
        assert torch.equal(logits(plain), logits(zeroed_copy(make_model("llama"))))
    assert_same(before, state_of(model))


@pytest.mark.parametrize("make", [hooked, adapted])
def test_nothing_keeps_the_model_alive(make):
    model = make()
    with deactivated(model, neurons_of(model)), deactivated(model, neurons_of(model, OTHERS)):
        logits(model)
    with pytest.raises(ZeroDivisionError), deactivated(model, neurons_of(model)):
        raise ZeroDivisionError
    ended = weakref.ref(model), weakref.ref(next(model.parameters()))
    del model
    gc.collect()
    assert [reference() for reference in ended] == [None, None]
