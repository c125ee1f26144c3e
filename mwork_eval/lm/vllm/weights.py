"""The weights an engine of vLLM should have: a checkpoint, a delta, and neurons switched off."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mwork_eval.checkpoints.checkpoint import Checkpoint
from mwork_eval.checkpoints.edit import Edits
from mwork_eval.checkpoints.edits import edits_of_delta, edits_of_neurons, joined
from mwork_eval.digests import digest_of
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.weight_deltas.delta import WeightDelta


@dataclass(frozen=True)
class WeightState:
    """Weights of an engine: those of a checkpoint with some edits.

    Attributes:
        name: By which a state is known again.
        edits: The edits; none for the checkpoint as it is.
        shapes: By name, the shapes of the tensors they are for.
    """

    name: str = "the checkpoint as it is"
    edits: Edits = field(default_factory=dict)
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)


BASE = WeightState()


@dataclass(frozen=True)
class EditableWeights:
    """A checkpoint by name, of which nothing is read before it is needed.

    Attributes:
        name: `gemma3-270m`, a local folder, or a hub id.
        revision: Branch, tag or commit on the hub.
        trust_remote_code: Whether code that it brings may run.
    """

    name: str
    revision: str | None = None
    trust_remote_code: bool = False

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint.

        Raises:
            InputError: If its tensors cannot be edited, as in a quantised one.
        """
        return Checkpoint.of(self.name, self.revision, trust_remote_code=self.trust_remote_code)

    def state(self, delta: WeightDelta | None, intervention: Intervention | None) -> WeightState:
        """Return the checkpoint with a delta in it, and with neurons switched off or scaled.

        Raises:
            InputError: If one of them is of another model, the checkpoint lacks a tensor they change, or the
                intervention cannot be written into weights.
        """
        if delta is None and intervention is None:
            return BASE
        parts = [] if delta is None else [edits_of_delta(self.checkpoint, delta)]
        if intervention is not None:
            parts.append(edits_of_neurons(self.checkpoint, intervention.neurons, intervention.factor))
        edits = joined(*parts)
        name = digest_of([delta and delta.digest, intervention and intervention.digest])
        return WeightState(name, edits, {name: list(self.checkpoint.stored[name].shape) for name in edits})
