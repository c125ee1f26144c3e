"""Stage boundaries stored in neuron sets, with the documents they were chosen on."""

from collections.abc import Iterable, Mapping, Sequence
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
        tuned_on: What they were chosen on; `task` (a benchmark such as `xquad`), `documents` (how many) and `order` (of
            which order they are the first ones) among it, JSON values.
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
            hint="take the sets of one `mwork tune-layers`, or give both numbers of layers",
        )
    first, last = next(iter(stored), None) or (None, None)
    return Stages.of(
        layers, first if understanding is None else understanding, last if generation is None else generation
    )


def tuning_documents(descriptions: Iterable[Mapping[str, Any]]) -> dict[str, frozenset[tuple[int, str | int]]]:
    """Return, per benchmark, the documents that the stored boundaries were chosen on: number and order of each set's.

    Scores on these documents favour the boundaries. The benchmarks' languages are parallel, so they hold for all of
    them. Sets of earlier versions were tuned on the first documents of the file and name no order.

    Args:
        descriptions: The sets' `about`.
    """
    documents: dict[str, set[tuple[int, str | int]]] = {}
    for about in descriptions:
        if _KEY in about:
            tuned_on = about[_KEY]["tuned_on"]
            documents.setdefault(tuned_on["task"], set()).add((tuned_on["documents"], tuned_on.get("order", "file")))
    return {task: frozenset(found) for task, found in documents.items()}


def _boundaries(neurons: NeuronSet) -> tuple[int, int] | None:
    stored = neurons.about.get(_KEY)
    return None if stored is None else (stored["understanding"], stored["generation"])
