"""What a record is: what it keeps of each document, and which columns of a table it makes of that."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mwork_eval.detection.recording.activation_sums import ActivationSums
    from mwork_eval.detection.recording.statistic import Observation, Statistic
    from mwork_eval.detection.scoring.feed_forward_forms import Form
    from mwork_eval.files.tensor_file import Array
    from mwork_eval.models.layout import Layout
    from mwork_eval.neurons.neuron_set import Place
    from mwork_eval.neurons.shape import ModelShape


@dataclass(frozen=True)
class ReadBatch:
    """Documents that went through the model together, and what was seen of them.

    Attributes:
        documents: Token ids of each.
        numbers: Their places in the corpus.
        begun: Of each, how many tokens only begin the text (BOS), and are left out of activations: 0 or 1.
        scores: Of each, PLND's score per (layer, structure) `[neurons]`.
        sums: Sums of their activations, if a record needs them.
        forms: The forms of the model's feed-forwards, by layer and part.
    """

    documents: "Sequence[Sequence[int]]"
    numbers: "Sequence[int]"
    begun: "Sequence[int]"
    scores: "Sequence[Mapping[Place, Array]]"
    sums: "ActivationSums | None"
    forms: "Mapping[tuple[int, int], Form]"


class Recorder(Protocol):
    """A record at work in one model."""

    def observe(self, batch: ReadBatch) -> "Iterator[Observation]":
        """Yield what each document of a batch shows, by statistic."""


class PassRecord(Protocol):
    """What is kept of a pass over documents."""

    @property
    def statistics(self) -> "tuple[Statistic, ...]":
        """What is kept over documents."""

    @property
    def columns(self) -> tuple[str, ...]:
        """What a finished table holds."""

    @property
    def needs_activations(self) -> bool:
        """Whether it needs the sums of activations of each batch."""

    @property
    def by_document(self) -> bool:
        """Whether its columns have a row for each document."""

    def recorder(self, layout: "Layout") -> Recorder:
        """Get ready to record from a model."""

    def finish(self, totals: "Observation", documents: int, shape: "ModelShape") -> "Observation":
        """Return the columns of a table.

        Args:
            totals: The statistics over the documents; a place that could not be recorded is missing.
            documents: Their number, at least one.
            shape: Neuron counts of the model.
        """

    def about(self, totals: "Observation", shape: "ModelShape") -> Mapping[str, Any]:
        """Return what a table says of itself beside its columns."""
