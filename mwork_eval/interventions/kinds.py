"""The kinds of intervention; a new one is a row here, and a file that says how it is done to a model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.interventions.grammar import check_number
from mwork_eval.interventions.residual import (
    check_direction,
    read_direction,
    steer_residual,
    used_vectors,
    write_direction,
)
from mwork_eval.interventions.scaled import scale_neurons
from mwork_eval.interventions.towards import (
    check_target,
    move_towards,
    own_mean,
    read_target,
    used_constants,
    write_target,
)
from mwork_eval.interventions.zero import ways_of, zero_neurons
from mwork_eval.models.layout import Layout
from mwork_eval.models.slice_editor import SliceEditor
from mwork_eval.neurons.activation_values import Values
from mwork_eval.neurons.neuron_set import NeuronSet


def _number(value: Any) -> float:
    return check_number("the value of the intervention", value)


@dataclass(frozen=True)
class Kind:
    """A way to change neurons.

    Attributes:
        apply: Takes the model, the neurons and the value, and changes all of the neurons or none; what it returns
            undoes it, bit by bit, when it is closed.
        ways: Takes the model; says in words what is changed in it, such as `weights`.
        takes_value: Whether there must be a value; else there must be none.
        form: How the text of an intervention is written, for messages.
        read: Takes what stands behind the kind's name in a text, and returns the value.
        check: Takes a value, and returns it in the one form that its digest is of; raises `InputError` if it is none.
        write: Takes a value, and returns the text that `read` makes it of.
        used: Takes the neurons and the value; returns what the set carries and the answers depend on, by name. Raises
            `InputError` if the set lacks it.
        factor: Takes the value; returns what weights are multiplied by, where that is all that is done to them.
        changes_neurons: Whether the neurons of the set are changed; else it only carries what is done elsewhere.
    """

    apply: Callable[[Layout, NeuronSet, Any], SliceEditor]
    ways: Callable[[Layout], str]
    takes_value: bool = True
    form: str = "KIND:NUMBER"
    read: Callable[[str], Any] = _number
    check: Callable[[Any], Any] = _number
    write: Callable[[Any], str] = str
    used: Callable[[NeuronSet, Any], Mapping[str, Values]] = lambda neurons, value: {}
    factor: Callable[[Any], float] | None = None
    changes_neurons: bool = True


ZERO = "zero"
KINDS: dict[str, Kind] = {
    ZERO: Kind(
        lambda layout, neurons, _: zero_neurons(layout, neurons),
        ways_of,
        takes_value=False,
        form=ZERO,
        factor=lambda _: 0,
    ),
    "mean": Kind(
        lambda layout, neurons, _: move_towards(layout, neurons, own_mean(neurons)),
        lambda _: "activations",
        takes_value=False,
        form="mean",
        used=lambda neurons, _: used_constants(neurons, own_mean(neurons)),
    ),
    "scale": Kind(scale_neurons, ways_of, form="scale:FACTOR", factor=lambda value: float(value)),
    "towards": Kind(
        move_towards,
        lambda _: "activations",
        form="towards:LANGUAGE[:statistic=median]",
        read=read_target,
        check=check_target,
        write=write_target,
        used=used_constants,
    ),
    "residual": Kind(
        steer_residual,
        lambda _: "outputs of layers",
        form="residual:LANGUAGE[:from=LANGUAGE][:layers=A-B][:strength=S]",
        read=read_direction,
        check=check_direction,
        write=write_direction,
        used=used_vectors,
        changes_neurons=False,
    ),
}


def find_kind(name: str) -> Kind:
    """Return a kind of intervention.

    Raises:
        InputError: If there is no such kind; names those there are.
    """
    if name not in KINDS:
        raise InputError("unknown kind of intervention", found=name, expected=f"one of {' '.join(KINDS)}")
    return KINDS[name]


def text_of(kind: str, value: Any) -> str:
    """Return the text of a kind and a value that it was checked by, without what is usual."""
    return kind if value is None else f"{kind}:{find_kind(kind).write(value)}"


def parse_intervention(text: Any) -> tuple[str, Any]:
    """Return the kind and the value of a text: `KIND[:VALUE][:NAME=VALUE]...`.

    Raises:
        InputError: If it is no intervention.
    """
    if not isinstance(text, str):
        raise InputError("no intervention", found=repr(text), expected="a text, such as zero or scale:0.5")
    name, sign, rest = text.partition(":")
    kind = find_kind(name)
    if kind.takes_value != bool(rest) or bool(sign) != bool(rest):
        raise InputError(f"unusable intervention {name}", found=text, expected=kind.form)
    return name, kind.check(kind.read(rest)) if kind.takes_value else None
