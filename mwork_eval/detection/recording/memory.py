"""What keeping a row for each document takes, known before the first document is read by the model."""

from collections.abc import Sequence

from mwork_eval.detection.corpus.documents import DocumentStream
from mwork_eval.detection.recording.places import places_with_activations
from mwork_eval.detection.recording.registry import find_records
from mwork_eval.errors import InputError
from mwork_eval.neurons.shape import ModelShape

_BYTES = 4


def check_rows(shape: ModelShape, stream: DocumentStream, recorded: Sequence[str], memory: int) -> None:
    """Raise unless the rows of all documents of a corpus fit into memory.

    Args:
        shape: Neuron counts of the model.
        stream: The documents; they are counted if the most there may be are too many.
        recorded: The records beside the scores.
        memory: Bytes that may be taken.

    Raises:
        InputError: If they do not fit, or the corpus is unusable.
    """
    if not any(record.by_document for record in find_records(recorded)):
        return
    row = _BYTES * sum(shape.sizes[layer][structure] for layer, structure in places_with_activations(shape))
    most = stream.rules.max_documents
    if most is not None and most * row <= memory:
        return
    documents = sum(1 for _ in stream)
    if documents * row > memory:
        raise InputError(
            f"the responses of {stream.corpus.language} do not fit into memory: a row for each document",
            found=f"{documents} documents of {row / 2**20:.1f} MiB",
            expected=f"at most {memory / 2**20:.0f} MiB, that is {memory // row} documents",
            hint="raise `max_memory`, lower `max_docs`, or do not record responses",
        )
