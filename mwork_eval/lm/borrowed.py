"""`mwork-hf` around a model of the caller, who gets it back as it was."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

from torch import nn

from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.inference.rotary import Rotary
from mwork_eval.interventions.running import alone_with
from mwork_eval.lm.model import MworkHF
from mwork_eval.models.layout import uncompiled
from mwork_eval.models.modes import evaluation_mode
from mwork_eval.models.random_states import kept_random_states
from mwork_eval.models.tokens import kept_tokenizer

_KNOWN = ("torch.", "transformers.", "accelerate.", "mwork_eval.")
"""Whose hooks change no answer that the identity does not tell: they move weights, collect outputs, or are ours."""


class BorrowedHF(MworkHF):
    """`mwork-hf` around a model in memory; made by `borrowed`.

    The identity is that of the same model loaded by name. Where the model has hooks of the caller, of which nobody can
    say what they do, the identity is a new one every time.
    """

    def __init__(self, model: nn.Module, tokenizer: Any, **options: Any) -> None:
        """Wrap a model.

        Args:
            model: A causal language model of transformers.
            tokenizer: Its tokenizer.
            **options: Arguments of `MworkHF` that are about neither loading nor masks.
        """
        self._apart = uuid4().hex if _changed_by_hand(model.modules()) else None
        # The fast path calls the decoder and the head's weights, not these two.
        skipped = [model, model.get_output_embeddings()]  # type: ignore[operator]
        if _changed_by_hand(module for module in skipped if module is not None):
            options["fast"] = False
        super().__init__(model, tokenizer=tokenizer, **options)

    @property
    def identity(self) -> str:
        """Digest of what determines an answer besides the mask and the request."""
        base = super().identity
        return base if self._apart is None else digest_of([base, self._apart])


@contextmanager
def borrowed(model: Any, tokenizer: Any, **options: Any) -> Iterator[MworkHF]:
    """Let `mwork-hf` use a model in memory for a block.

    Nothing is loaded or copied. In the end weights, buffers, hooks, adapters, training mode, tokenizer and the states
    of the random number generators are as they were, also after an exception or Ctrl-C. No other thread works on the
    model meanwhile, or begins or ends a block on it.

    Args:
        model: A causal language model of transformers, on whatever device and in whatever dtype it is; with a PEFT
            adapter or without.
        tokenizer: Its tokenizer.
        **options: Arguments of `MworkHF` that are about neither loading nor masks, such as ``batch_size``.

    Raises:
        InputError: If the model or the tokenizer is nothing that transformers made, or the adapter works outside of the
            model's layers.
    """
    base = _base_of(model)
    if not hasattr(tokenizer, "all_special_ids"):
        raise InputError(
            "a model in memory needs its tokenizer", found=type(tokenizer).__name__, expected="one of transformers"
        )
    with ExitStack() as stack:
        stack.enter_context(alone_with(base))  # before anything of the model is remembered
        for kept in (evaluation_mode(base), _tied_as_they_are(base), _frequencies(base)):
            stack.enter_context(kept)
        for kept in (kept_tokenizer(tokenizer), kept_random_states()):
            stack.enter_context(kept)
        lm = BorrowedHF(base, tokenizer, **options)
        stack.callback(lm.unmask)
        yield lm


def _base_of(model: Any) -> Any:
    """Return the transformers model itself, not compiled; a PEFT wrapper's adapters lie in its layers."""
    if not isinstance(model, nn.Module):
        raise InputError(
            "no model in memory", found=type(model).__name__, expected="a model of transformers, or the name of one"
        )
    if (inner := uncompiled(model)) is not model:
        if any(map(_is_foreign, (*model._forward_hooks.values(), *model._forward_pre_hooks.values()))):
            raise InputError(
                "the compiled wrapper has hooks, which would not be called", hint="put them on the model it was made of"
            )
        model = inner
    if hasattr(model, "get_base_model"):
        adapter: Any = getattr(model, "active_peft_config", None)
        if getattr(adapter, "is_prompt_learning", False):
            raise InputError(
                "an adapter that is a prompt cannot be evaluated",
                found=str(adapter.peft_type),
                expected="an adapter in the layers, such as LoRA",
            )
        if _changed_by_hand([model]):
            raise InputError(
                "the PEFT wrapper has hooks, which would not be called", hint="put them on model.get_base_model()"
            )
        model = uncompiled(model.get_base_model())  # type: ignore[operator]
    if not hasattr(model, "get_output_embeddings") or not hasattr(model, "config"):
        raise InputError("no causal language model", found=type(model).__name__, expected="one of transformers")
    return model


def _changed_by_hand(modules: Any) -> bool:
    """Say whether modules have hooks or a forward that are neither theirs nor a library's."""
    return any(
        any(map(_is_foreign, (*module._forward_hooks.values(), *module._forward_pre_hooks.values())))
        or ("forward" in module.__dict__ and not hasattr(module, "_hf_hook"))
        for module in modules
    )


def _is_foreign(hook: Any) -> bool:
    while isinstance(hook, partial):
        hook = hook.func
    origin = getattr(hook, "__module__", None) or type(hook).__module__
    return not f"{origin}.".startswith(_KNOWN)


@contextmanager
def _tied_as_they_are(model: Any) -> Iterator[None]:
    """Keep `hf` from tying weights again, which would undo what the caller untied."""
    own = model.__dict__.get("tie_weights")
    model.__dict__["tie_weights"] = lambda *arguments, **options: None
    try:
        yield
    finally:
        del model.__dict__["tie_weights"]
        if own is not None:
            model.__dict__["tie_weights"] = own


@contextmanager
def _frequencies(model: Any) -> Iterator[None]:
    """Give rotary embeddings back what they had made of the longest text they saw."""
    modules = [module for module, _ in Rotary.of(model).modules]
    before = [
        (dict(module._buffers), {name: value for name, value in vars(module).items() if "max_seq_len" in name})
        for module in modules
    ]
    try:
        yield
    finally:
        for module, (buffers, lengths) in zip(modules, before, strict=True):
            module._buffers.update(buffers)
            vars(module).update(lengths)
