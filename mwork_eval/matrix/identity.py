"""What a cell is named after: all that determines its answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mwork_eval.digests import digest_of
from mwork_eval.evaluation.answer_language import judge_version
from mwork_eval.evaluation.prepared_task import PreparedTask
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.lm.maskable import MaskableLM
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.versions import software_versions


@dataclass(frozen=True)
class ModelFacts:
    """What a plan has to know of a model; the weights may be in another process.

    Attributes:
        name: The name the user gave.
        identity: Digest of what determines an answer besides mask and request.
        fingerprint: Fingerprint of the unmasked weights.
        dtype: Their dtype.
        shape: Neuron counts.
        engine: What computes its answers, as `MaskableLM.engine` tells it.
    """

    name: str
    identity: str
    fingerprint: str
    dtype: str
    shape: ModelShape
    engine: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, model: MaskableLM, name: str) -> "ModelFacts":
        """Read the facts off a loaded model, unmasked.

        Raises:
            InputError: If weights are offloaded.
        """
        return cls(name, model.identity, model.fingerprint, model.dtype, model.shape, dict(model.engine))


def identity_of(model_identity: str, intervention: Intervention | None, task: PreparedTask) -> str:
    """Return the identity of a cell: two parts joined by `-`.

    The first part is the same for all document sets of one task under one mask, so that a cell finds those whose
    answers it shares. The second part adds the documents and requests.

    Args:
        model_identity: `MaskableLM.identity`.
        intervention: What is done to its neurons, or None; one of no neurons is none.
        task: The task with its requests.
    """
    sources: dict[str, Any] = {
        "model": model_identity,
        "mask": intervention.digest if intervention is not None and intervention.neurons else None,
        "task": task.name,
        "versions": software_versions(),
    }
    if any(instance.request_type == "loglikelihood_rolling" for instance in task.task.instances):
        sources["beginning"] = "one"  # earlier answers to such requests are of texts with two
    # Without the extra, answers are not judged for the wrong language; installed later, they are, from known answers.
    whole = {**sources, "requests": task.digest, "judge": judge_version()}
    if task.metric is not None:
        whole["metric"] = task.metric  # the answers are the same, so the first part is
    if task.prompting is not None:
        # Not in the first part: a request holds the whole prompt, so that equal ones have one answer however they came.
        whole["prompting"] = task.prompting
    return f"{digest_of(sources)[:16]}-{digest_of(whole)[:32]}"
