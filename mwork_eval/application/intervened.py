"""Intervene in neurons of a model in memory, for the duration of a block."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from mwork_eval.application.object_arguments import check_in_memory, check_one_set
from mwork_eval.errors import InputError
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.interventions.running import alone_with, fingerprint_without, running
from mwork_eval.models.fit import check_fit
from mwork_eval.models.layout import Layout
from mwork_eval.models.loading import name_of
from mwork_eval.neurons.neuron_set import NeuronSet

M = TypeVar("M")


@contextmanager
def intervened(model: M, neurons: NeuronSet, intervention: str = "zero", *, force: bool = False) -> Iterator[M]:
    """Change what neurons of a model do during a block.

    `zero` switches them off, `scale:FACTOR` multiplies their activations, `mean` puts their mean over the texts of the
    set's own language in place of them, `towards:LANGUAGE` (`towards:de:statistic=median`) that of another language.
    `residual:LANGUAGE[:from=LANGUAGE][:layers=A-B][:strength=S]` leaves neurons alone and adds the difference of two
    languages' means to the outputs of layers. All but `zero` and `scale` take values that the set carries
    (`mwork detect --record activations`, then `mwork select --activations`).

    Zero and scale are done to weights where these can be written, the others by hooks, at every token; the model is as
    it was at the end, bit by bit, also after an exception. Blocks may be one inside another, of any kinds. A neuron
    that one block replaces and another one weakens is replaced, but for o. Otherwise as `deactivated`, also in threads.

    Args:
        model: A causal language model of transformers, also wrapped by peft; by torch.compile for `zero` and `scale`.
        neurons: The neurons, and what is known of activations.
        intervention: What is done: `KIND[:VALUE][:NAME=VALUE]...`.
        force: Accept a set that was made for other weights of the same sizes.

    Yields:
        The model.

    Raises:
        InputError: If the text names no intervention, the set lacks activations, does not fit the model, or neurons
            cannot be changed; then the model is as it was.

    Examples:
        >>> with intervened(model, neurons, "towards:de"):  # doctest: +SKIP
        ...     model.generate(**inputs)
    """
    with block_of("intervened", model, neurons, lambda own: Intervention.of(own, intervention), force=force):
        yield model


@contextmanager
def block_of(
    verb: str, model: Any, neurons: NeuronSet, make: Callable[[NeuronSet], Intervention], *, force: bool
) -> Iterator[None]:
    """Intervene in a model during a block.

    Args:
        verb: What the caller is called, for messages.
        model: The model.
        neurons: The neurons.
        make: Makes the intervention of them.
        force: Accept a set that was made for other weights of the same sizes.

    Raises:
        InputError: As `intervened` does.
    """
    check_in_memory(model, verb)
    check_one_set(neurons, verb)
    intervention = make(neurons)
    layout = Layout.of(model)
    stored = neurons.about.get("fingerprint") is not None
    with ExitStack() as block:
        with alone_with(layout.model):
            fingerprint = _fingerprint(layout.model, needed=stored and not force)
            check_fit(neurons, layout.shape, fingerprint or "", name_of(model), force=force or not stored)
            if intervention.ways(layout) != "weights" and _is_compiled(model):
                raise InputError(
                    "a compiled model does not see the hooks that change its activations",
                    found=f"{intervention.text}, by {intervention.ways(layout)}",
                    hint="take the model without torch.compile; zero and scale are done to weights where these are "
                    "plain numbers in memory, without an adapter that is not merged",
                )
            block.enter_context(running(layout, intervention, fingerprint))
        yield


def _fingerprint(model: Any, *, needed: bool) -> str | None:
    # Also for a set that stores none: one that does may follow inside the block.
    try:
        return fingerprint_without(model)
    except InputError:
        if needed:
            raise
        return None


def _is_compiled(model: Any) -> bool:
    return any(hasattr(m, "_orig_mod") or m._compiled_call_impl is not None for m in (model, *model.modules()))
