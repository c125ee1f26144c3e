"""The arguments of `mwork-hf`, `mwork-vllm` and `export` that say what is deactivated, checked before all else."""

from dataclasses import dataclass
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.hub.reference import is_hub
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.interventions.kinds import ZERO, parse_intervention
from mwork_eval.models.fit import check_fit
from mwork_eval.neurons.choice import choose_neurons
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.random_control import check_controls
from mwork_eval.neurons.references import SUFFIX, find_neurons
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.neurons.stages import parse_positions
from mwork_eval.neurons.tuned_stages import stages_for
from mwork_eval.weight_deltas.delta import WeightDelta, find_delta


@dataclass(frozen=True)
class MaskArguments:
    """A set and how neurons of it are chosen.

    Attributes:
        neurons: The set, or what `find_neurons` reads it by; nothing is deactivated without.
        positions: Positions joined by `+` (`under+s-attn+s-ffn+gen`), or `all`.
        understanding_layers: Number of first layers that understand; if not given, what the set stores, else a quarter
            of all.
        generation_layers: Number of last layers that generate; likewise, else an eighth of all.
        random_control: A seed; deactivates as many random neurons of the same layers and structures instead.
        controls: What these are drawn from: `any` neurons outside the set, or only those `foreign` to the language.
        count: Deactivate only this many, those with the highest scores.
        intervention: What is done to them, as `Intervention.of` reads it; `zero` deactivates them.
    """

    neurons: str | NeuronSet | None = None
    positions: str = "all"
    understanding_layers: int | None = None
    generation_layers: int | None = None
    random_control: int | None = None
    controls: str = "any"
    count: int | None = None
    intervention: str = ZERO

    def found(self) -> NeuronSet | None:
        """Return the set, or None if nothing is to be deactivated.

        Raises:
            InputError: If the arguments say nothing together, or the set cannot be read.
        """
        numbers = (self.understanding_layers, self.generation_layers, self.random_control, self.count)
        if self.neurons is None and (self.positions != "all" or any(one is not None for one in numbers)):
            what = "positions, layers, count and random_control choose from a set"
            raise InputError(what, found="no neurons= argument")
        check_controls(self.controls)
        if self.controls != "any" and self.random_control is None:
            raise InputError(
                "controls is about random neurons", found=f"controls={self.controls}, no random_control= seed"
            )
        parse_positions(self.positions)
        kind, _ = parse_intervention(self.intervention)
        if self.neurons is None and kind != ZERO:
            raise InputError("intervention is done to neurons of a set", found="no neurons= argument")
        wanted = find_neurons(self.neurons) if isinstance(self.neurons, str) else self.neurons
        if wanted is not None:
            self.done_to(wanted)
        return wanted

    def done_to(self, neurons: NeuronSet) -> Intervention:
        """Return what is done to neurons.

        Raises:
            InputError: If the set lacks activations that it needs.
        """
        return Intervention.of(neurons, self.intervention)

    def chosen(
        self, wanted: NeuronSet, shape: ModelShape, fingerprint: str, model_name: str, *, force: bool
    ) -> tuple[NeuronSet, dict[str, Any]]:
        """Choose neurons of a set for a model.

        Args:
            wanted: The set.
            shape: Neuron counts of the model.
            fingerprint: Fingerprint of its weights.
            model_name: Its name, for messages.
            force: Accept a set whose fingerprint is of other weights of the same sizes.

        Returns:
            The neurons, and how they were chosen, as it goes into results.

        Raises:
            InputError: If the set is of another model, or has no neurons where they are asked for.
        """
        stages = stages_for([wanted], shape.layers, self.understanding_layers, self.generation_layers)
        check_fit(wanted, shape, fingerprint, model_name, force=force)
        options = {"positions": self.positions, "random_control": self.random_control, "count": self.count}
        chosen = choose_neurons(wanted, stages, **options, controls=self.controls)  # type: ignore[arg-type]
        # A branch of the hub moves on: what goes into results is the commit.
        given = self.neurons if isinstance(self.neurons, str) else None
        named = {} if given is None else {"neurons": wanted.about.get("hub", given) if is_hub(given) else given}
        return chosen, {**named, **options, "stages": vars(stages)}


def own_delta(delta: str | None) -> WeightDelta | None:
    """Return the delta of `mwork enhance` that an argument names; None if it names none of ours.

    Raises:
        InputError: If the file is missing or damaged.
        NotReachedError: If it is on the hub, and there is no way to it.
    """
    ours = delta is not None and (delta.endswith(SUFFIX) or is_hub(delta))
    return find_delta(str(delta)) if ours else None
