"""The weights an engine of vLLM should have: a checkpoint, a delta, and neurons switched off."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from safetensors import safe_open

from mwork_eval.checkpoints.edit import Edits
from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.interventions.kinds import ZERO
from mwork_eval.lm.standin_checkpoint import Checkpoint, edits_of_delta, edits_of_neurons
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
        """Return the checkpoint with a delta in it, and with neurons switched off.

        Raises:
            InputError: If one of them is of another model, or the checkpoint lacks a tensor they change.
        """
        if delta is None and intervention is None:
            return BASE
        edits: dict[str, tuple[object, ...]] = {}
        for some in self._edits(delta, intervention):
            for name, of_it in some.items():
                edits[name] = (*edits.get(name, ()), *of_it)
        names = [delta and delta.digest, intervention and intervention.digest]
        return WeightState(digest_of(names), edits, self._shapes(edits))  # type: ignore[arg-type]

    def _edits(self, delta: WeightDelta | None, intervention: Intervention | None) -> list[Edits]:
        found = []
        if delta is not None:
            found.append(edits_of_delta(self.checkpoint, delta))
        if intervention is not None:
            if intervention.kind != ZERO:
                raise InputError("vLLM can only have neurons switched off", found=intervention.kind, expected=ZERO)
            neurons, shape = intervention.neurons, self.checkpoint.shape
            if neurons.shape != shape:
                raise InputError("the neuron set is of another model", found=str(neurons.shape), expected=str(shape))
            found.append(edits_of_neurons(self.checkpoint, neurons))
        return found

    def _shapes(self, names: Mapping[str, object]) -> dict[str, list[int]]:
        found = _shapes_in(self.checkpoint.folder)
        if missing := sorted(set(names) - set(found)):
            raise InputError(f"the checkpoint {self.name} lacks a tensor that holds neurons", found=f"no {missing[0]}")
        return {name: found[name] for name in names}


def _shapes_in(folder: Path) -> dict[str, list[int]]:
    """Return by name the shapes of the tensors in a checkpoint's files, of which only the heads are read."""
    found: dict[str, list[int]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            found |= {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    return found
