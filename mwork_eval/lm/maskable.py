"""What a matrix needs of a model, whoever computes its answers."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from mwork_eval.interventions.intervention import Intervention
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.weight_deltas.delta import WeightDelta


class MaskableLM(Protocol):
    """A model of lm-eval in whose neurons one can intervene, and of which one knows what its answers depend on.

    Beside what is here it must be an lm-eval `LM`: `simple_evaluate` asks it.

    Attributes:
        masked: What is done to it now, as it goes into the results, among it the intervention's `digest`; None if
            nothing is.
        show_progress: Whether it shows bars of its own.
    """

    masked: dict[str, Any] | None
    show_progress: bool

    @property
    def identity(self) -> str:
        """Digest of what determines an answer besides the intervention and the request."""

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the weights without interventions, by which neuron sets know their model."""

    @property
    def dtype(self) -> str:
        """Type of the weights, as torch writes it: `torch.float32`."""

    @property
    def engine(self) -> Mapping[str, Any]:
        """What computes the answers: `name`, `version`, `dtype` and parallelism; empty for transformers.

        Of one model, engines give answers that differ: they stand in no table together.
        """

    @property
    def shape(self) -> ModelShape:
        """Neuron counts."""

    @property
    def rank(self) -> int:
        """Number of this process among those that share each request, from 0."""

    @property
    def world_size(self) -> int:
        """Number of processes that share each request."""

    @property
    def truncated(self) -> Mapping[str, Collection[int]]:
        """Per task, the documents whose prompts lost their beginning since `forget_truncated`."""

    def mask(self, what: Intervention) -> None:
        """Intervene until `unmask`, in place of what was done before.

        Raises:
            InputError: If the neurons are of another model, or cannot be changed.
        """

    def unmask(self) -> None:
        """Undo what is done to the model, bit by bit."""

    def check_tasks(self, tasks: Iterable[Any]) -> None:
        """Refuse tasks of lm-eval that the model cannot do, before any is begun.

        Raises:
            InputError: If there is one.
        """

    def forget_truncated(self) -> None:
        """Count truncated prompts anew."""

    def note_truncated(self, request_type: str, requests: Sequence[Any]) -> None:
        """Count requests of a type that would be truncated, although their answers are known."""


class DeltaLM(MaskableLM, Protocol):
    """A model that can have a weight delta in its weights.

    Attributes:
        delta: The delta, or None.
    """

    delta: WeightDelta | None

    def put_delta(self, delta: WeightDelta | None, *, force: bool = False) -> None:
        """Put a delta into the weights, or take it out again, bit by bit; an intervention is undone first.

        Args:
            delta: The delta, or None for the base.
            force: Accept a delta of other weights of the same sizes.

        Raises:
            InputError: If the delta does not belong to this model.
        """
