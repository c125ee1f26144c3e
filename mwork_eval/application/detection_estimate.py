"""What a detection would cost, before any weight is loaded."""

from collections.abc import Sequence
from dataclasses import dataclass

from mwork_eval.detection.corpus.documents import DocumentRules, DocumentStream
from mwork_eval.detection.corpus.sources import AnyCorpus
from mwork_eval.detection.detect import DetectOptions
from mwork_eval.detection.estimate import DetectionCost, estimate_cost, measure_speed
from mwork_eval.models.inspection import inspect_model
from mwork_eval.models.loading import default_dtype, find_device, load_tokenizer


@dataclass(frozen=True)
class DetectionEstimate:
    """What a detection would cost on this machine.

    Attributes:
        costs: Per corpus.
        summaries: Per corpus, what is kept and left out of it.
        speed: Operations per second of a matrix product here; a model reaches about half of it.
        weights: Bytes of the model's weights.
        memory: Bytes that scoring may take beside them.
    """

    costs: Sequence[DetectionCost]
    summaries: Sequence[str]
    speed: float
    weights: int
    memory: int


def estimate_detection(
    model: str,
    revision: str | None,
    corpora: Sequence[AnyCorpus],
    rules: DocumentRules,
    options: DetectOptions,
    *,
    trust_remote_code: bool = False,
) -> DetectionEstimate:
    """Read the corpora and the model's configuration and tokenizer, and measure this machine for a moment.

    Args:
        model: Name of the model.
        revision: Branch, tag or commit on the hub.
        corpora: One a language.
        rules: Which documents would be used.
        options: How they would be scored.
        trust_remote_code: Run the code that the model brings, if it brings some.

    Raises:
        InputError: If the model or a corpus cannot be read.
    """
    inspection, device = inspect_model(model, revision, trust_remote_code=trust_remote_code), find_device()
    tokenizer = load_tokenizer(model, revision, trust_remote_code=trust_remote_code)
    streams = [DocumentStream(corpus, tokenizer, rules) for corpus in corpora]
    costs = [estimate_cost(inspection.layout, stream, options) for stream in streams]
    dtype = default_dtype(device)
    name = inspection.dtype if isinstance(dtype, str) else str(dtype).removeprefix("torch.")
    return DetectionEstimate(
        costs,
        [stream.summary() for stream in streams],
        measure_speed(device, name),
        inspection.weight_bytes(name),
        options.memory,
    )
