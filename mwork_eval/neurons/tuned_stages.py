"""Stage boundaries stored in neuron sets, with the documents they were chosen on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.stages import Stages

_KEY = "stages"


def with_stages(neurons: NeuronSet, stages: Stages, tuned_on: Mapping[str, Any]) -> NeuronSet:
    """Return the same neurons with stage boundaries in their description.

    Args:
        neurons: The set.
        stages: The boundaries.
        tuned_on: What they were chosen on; `task` (a benchmark such as `xquad`), `tasks` (of lm-eval),
            `documents` (how many) and `items` (which) among it, JSON values.
    """
    entry = {"understanding": stages.understanding, "generation": stages.generation, "tuned_on": dict(tuned_on)}
    return neurons.described(**{_KEY: entry})


def stages_for(
    sets: Sequence[NeuronSet], layers: int, understanding: int | None = None, generation: int | None = None
) -> Stages:
    """Return the stages that hold for some sets: those given, else those stored in the sets, else the defaults.

    Args:
        sets: The sets.
        layers: Number of layers of their model.
        understanding: Number of understanding layers, or None for the stored or default one.
        generation: Number of generation layers, or None for the stored or default one.

    Raises:
        InputError: If a boundary is not given and the sets store different ones, or the boundaries do not fit.
    """
    if understanding is not None and generation is not None:
        return Stages.of(layers, understanding, generation)
    stored = {_boundaries(neurons): neurons.about.get("language", "a set") for neurons in sets}
    if len(stored) > 1:
        raise InputError(
            "the neuron sets store different stage boundaries",
            found=", ".join(
                f"{language} {'none' if found is None else f'{found[0]} understanding and {found[1]} generation'}"
                for found, language in stored.items()
            ),
            expected="the same in every set",
            hint="take the sets of one `tune_layers`, or give both numbers of layers",
        )
    first, last = next(iter(stored), None) or (None, None)
    return Stages.of(
        layers, first if understanding is None else understanding, last if generation is None else generation
    )


@dataclass(frozen=True)
class TunedOn:
    """The documents of a benchmark that stored boundaries were chosen on; scores on them favour the boundaries.

    Attributes:
        documents: Their number.
        items: What they are, as `item_keys` names them, so that their translations are known, too.
        first: How many first documents of the file, for sets of earlier versions, which name no items.
        tasks: The lm-eval tasks they are of; sets of earlier versions name none.
    """

    documents: int = 0
    items: frozenset[str] = frozenset()
    first: int = 0
    tasks: frozenset[str] = frozenset()

    def __or__(self, other: "TunedOn") -> "TunedOn":
        return TunedOn(
            max(self.documents, other.documents),
            self.items | other.items,
            max(self.first, other.first),
            self.tasks | other.tasks,
        )


def tuning_documents(descriptions: Iterable[Mapping[str, Any]]) -> dict[str, TunedOn]:
    """Return, per benchmark, the documents that the stored boundaries were chosen on, of all sets together.

    Args:
        descriptions: The sets' `about`.
    """
    documents: dict[str, TunedOn] = {}
    for about in descriptions:
        if _KEY in about:
            tuned_on = about[_KEY]["tuned_on"]
            count, items = tuned_on["documents"], tuned_on.get("items")
            tasks = frozenset(tuned_on.get("tasks", ()))
            found = TunedOn(count, frozenset(items or ()), count if items is None else 0, tasks)
            documents[tuned_on["task"]] = documents.get(tuned_on["task"], TunedOn()) | found
    return documents


def _boundaries(neurons: NeuronSet) -> tuple[int, int] | None:
    stored = neurons.about.get(_KEY)
    return None if stored is None else (stored["understanding"], stored["generation"])
