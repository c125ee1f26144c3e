"""An intervention: which neurons are changed, and how. What a stored answer is known by."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.files.tensor_file import digest_of_arrays
from mwork_eval.interventions.kinds import ZERO, find_kind, parse_intervention, text_of
from mwork_eval.models.layout import Layout
from mwork_eval.models.slice_editor import SliceEditor
from mwork_eval.neurons.activation_values import Values
from mwork_eval.neurons.neuron_set import NeuronSet


@dataclass(frozen=True, eq=False)
class Intervention:
    """Neurons, and what is done to them; two that do the same are equal.

    Attributes:
        neurons: The neurons.
        kind: A name of `KINDS`; `zero` switches them off.
        value: What the kind needs, as JSON knows it, such as a number; None for `zero`.

    Raises:
        InputError: If there is no such kind, the value is not one it takes, or the set lacks activations that it needs.
    """

    neurons: NeuronSet
    kind: str = ZERO
    value: Any = None

    def __post_init__(self) -> None:
        kind = find_kind(self.kind)
        if kind.takes_value != (self.value is not None):
            expected = "none" if self.value is not None else "a value"
            raise InputError(f"the value of the intervention {self.kind}", found=self.value, expected=expected)
        try:
            json.dumps(self.value, allow_nan=False)
        except (TypeError, ValueError) as error:
            # Its text may be cut short (that of a tensor is), and two values would have one digest.
            raise InputError(
                f"the value of the intervention {self.kind} has no digest",
                found=type(self.value).__name__,
                expected="finite numbers, texts, and lists and dictionaries of them",
            ) from error
        if kind.takes_value:
            object.__setattr__(self, "value", kind.check(self.value))
        _ = self._used  # raises where the set lacks them, before a model is loaded

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Intervention) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    @classmethod
    def of(cls, neurons: NeuronSet, text: str) -> Self:
        """Return the intervention that a text names: `KIND[:VALUE][:NAME=VALUE]...`, such as `towards:de`.

        Raises:
            InputError: If it names none, or the set lacks activations that it needs.
        """
        return cls(neurons, *parse_intervention(text))

    @property
    def text(self) -> str:
        """The text that `of` reads, without what is usual."""
        return text_of(self.kind, self.value)

    @property
    def is_nothing(self) -> bool:
        """Whether nothing is done to a model, as there are no neurons to change."""
        return not len(self.neurons) and find_kind(self.kind).changes_neurons

    @property
    def factor(self) -> float:
        """What the neurons' weights are multiplied by, where that is all that is done.

        Raises:
            InputError: If something else is done, which weights cannot hold.
        """
        of_value = find_kind(self.kind).factor
        if of_value is None:
            raise InputError(
                "the intervention cannot be written into weights",
                found=self.text,
                expected="zero or scale:FACTOR",
                hint="vLLM and exported checkpoints have weights alone; take `mwork-hf`",
            )
        return of_value(self.value)

    @cached_property
    def _used(self) -> Mapping[str, Values]:
        return find_kind(self.kind).used(self.neurons, self.value)

    @cached_property
    def digest(self) -> str:
        """Digest of the neurons, whatever their order, and of what is done to them, with the activations it takes.

        For zeroing it is that of the neurons alone, so that answers stored before there were other kinds stay known.
        Where the set only carries what is added elsewhere, its neurons are no part of it.
        """
        if self.kind == ZERO:
            return self.neurons.digest_unordered
        content = {"neurons": self.neurons.digest_unordered, "kind": self.kind, "value": self.value}
        if not find_kind(self.kind).changes_neurons:
            content["neurons"] = None
        if self._used:
            content["activations"] = digest_of_arrays(self._used.items())
        return digest_of(content)

    def describe(self, layout: Layout | None = None) -> dict[str, Any]:
        """Return what goes into results: how and by which neurons a model is changed; JSON values.

        Args:
            layout: The model; None where its files are changed, which hold nothing but weights.
        """
        changed = find_kind(self.kind).changes_neurons
        return {
            "by": "weights" if layout is None else self.ways(layout),
            **({} if self.kind == ZERO else {"intervention": self.text, "kind": self.kind, "value": self.value}),
            "digest": self.digest,
            "total": len(self.neurons) if changed else 0,
            "of": self.neurons.shape.switches,
            "by_structure": self.neurons.by_structure() if changed else {},
            "about": dict(self.neurons.about),
        }

    def ways(self, layout: Layout) -> str:
        """Say in words what is changed in a model: its `weights`, its `activations`, or what else."""
        return find_kind(self.kind).ways(layout)

    def apply(self, layout: Layout) -> SliceEditor:
        """Change a model in place: all of the neurons, or none where one cannot be.

        Returns:
            What undoes it, bit by bit, when it is closed; a context manager, too.

        Raises:
            InputError: If the neurons are of another model, or cannot be changed.
        """
        shape = self.neurons.shape
        if shape != layout.shape:
            raise InputError("the neuron set is of another model", found=str(shape), expected=str(layout.shape))
        return find_kind(self.kind).apply(layout, self.neurons, self.value)
