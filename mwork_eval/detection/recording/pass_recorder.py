"""One pass over documents with all that is recorded of it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mwork_eval.detection.recording.activation_sums import ActivationSums
from mwork_eval.detection.recording.record import ReadBatch
from mwork_eval.detection.recording.registry import find_records
from mwork_eval.detection.scoring.methods import Method
from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.models.layout import Layout

if TYPE_CHECKING:
    from mwork_eval.detection.recording.statistic import Observation


class PassRecorder:
    """Scores batches of documents, and records what else is asked for in the same forward pass."""

    def __init__(self, layout: Layout, method: Method, memory: int, recorded: Sequence[str] = ()) -> None:
        """Get ready.

        Args:
            layout: The model.
            method: How q and k are scored.
            memory: Bytes that scoring may take apart from the model and its forward pass.
            recorded: The records beside the scores.

        Raises:
            InputError: If there is no record of a name.
        """
        self._layout = layout
        self._scorer = Scorer(layout, method, memory)
        records = find_records(recorded)
        self._needs_activations = any(record.needs_activations for record in records)
        self._recorders = [record.recorder(layout) for record in records]

    def observe(
        self, documents: Sequence[Sequence[int]], numbers: Sequence[int], bos: int | None = None
    ) -> "Iterator[Observation]":
        """Yield what each document shows, by statistic; they go through the model together.

        Args:
            documents: Token ids of each.
            numbers: Their places in the corpus.
            bos: The token that begins texts. Where a document begins with it, it is left out of activations.
        """
        begun = [int(bos is not None and tokens[0] == bos) for tokens in documents]
        sums = ActivationSums(self._layout, [*map(len, documents)], begun) if self._needs_activations else None
        scores = self._scorer.score(documents, sums)
        batch = ReadBatch(documents, numbers, begun, scores, sums, self._scorer.forms)
        for observed in zip(*(recorder.observe(batch) for recorder in self._recorders), strict=True):
            yield {name: places for one in observed for name, places in one.items()}
