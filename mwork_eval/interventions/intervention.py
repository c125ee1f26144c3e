"""An intervention: which neurons are changed, and how. What a stored answer is known by."""

import json
from dataclasses import dataclass
from typing import Any

from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.interventions.kinds import ZERO, find_kind
from mwork_eval.models.layout import Layout
from mwork_eval.models.slice_editor import SliceEditor
from mwork_eval.neurons.neuron_set import NeuronSet


@dataclass(frozen=True)
class Intervention:
    """Neurons, and what is done to them.

    Attributes:
        neurons: The neurons.
        kind: A name of `KINDS`; `zero` switches them off.
        value: What the kind needs, as JSON knows it, such as a number; None for `zero`.

    Raises:
        InputError: If there is no such kind, or the value is not one it takes.
    """

    neurons: NeuronSet
    kind: str = ZERO
    value: Any = None

    def __post_init__(self) -> None:
        if find_kind(self.kind).takes_value != (self.value is not None):
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

    @property
    def digest(self) -> str:
        """Digest of the neurons, whatever their order, and of what is done to them.

        For zeroing it is that of the neurons alone, so that answers stored before there were other kinds stay known.
        """
        if self.kind == ZERO:
            return self.neurons.digest_unordered
        return digest_of({"neurons": self.neurons.digest_unordered, "kind": self.kind, "value": self.value})

    def describe(self, layout: Layout | None = None) -> dict[str, Any]:
        """Return what goes into results: how and by which neurons a model is changed; JSON values.

        Args:
            layout: The model; None where its files are changed, which hold nothing but weights.
        """
        return {
            "by": "weights" if layout is None else find_kind(self.kind).ways(layout),
            **({} if self.kind == ZERO else {"kind": self.kind, "value": self.value}),
            "digest": self.digest,
            "total": len(self.neurons),
            "of": self.neurons.shape.switches,
            "by_structure": self.neurons.by_structure(),
            "about": dict(self.neurons.about),
        }

    def apply(self, layout: Layout) -> SliceEditor:
        """Change a model in place: all of the neurons, or none where one cannot be.

        Returns:
            What undoes it, bit by bit, when it is closed; a context manager, too.

        Raises:
            InputError: If the neurons are of another model, or cannot be changed.
        """
        return find_kind(self.kind).apply(layout, self.neurons, self.value)
