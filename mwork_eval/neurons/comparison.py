"""What two neuron sets have in common: overall, by layer and by position."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mwork_eval.errors import InputError, NotReachedError
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import find_neurons
from mwork_eval.neurons.set_folders import find_set_folder
from mwork_eval.neurons.stages import POSITIONS, Stages
from mwork_eval.neurons.structures import STRUCTURES
from mwork_eval.neurons.tuned_stages import stages_for

Neuron = tuple[int, str, int]
"""Layer, structure and index."""


@dataclass(frozen=True)
class Overlap:
    """How many neurons two sets share; gate, up and down of a layer count once, as `up`.

    Attributes:
        only_first: Number of neurons that only the first set has.
        only_second: Number of neurons that only the second set has.
        both: Number of neurons that both have.
    """

    only_first: int
    only_second: int
    both: int

    @property
    def jaccard(self) -> float | None:
        """Shared neurons by all neurons of the two; None if there are none at all."""
        total = self.only_first + self.only_second + self.both
        return self.both / total if total else None

    @property
    def share(self) -> float | None:
        """Share of the first set's neurons that the second has too; None if the first has none."""
        total = self.only_first + self.both
        return self.both / total if total else None


@dataclass(frozen=True)
class SetComparison:
    """Two sets compared.

    Attributes:
        total: All neurons.
        by_layer: The neurons of each layer.
        by_position: The neurons of each position.
    """

    total: Overlap
    by_layer: tuple[Overlap, ...]
    by_position: Mapping[str, Overlap]


@dataclass(frozen=True)
class Comparisons:
    """What the sets of two references share.

    Attributes:
        first: The first reference.
        second: The second reference.
        sets: By name of the sets, the comparison; one without a name where the references are sets.
        only_first: Names of sets that only the first folder has.
        only_second: Names of sets that only the second folder has.
    """

    first: str
    second: str
    sets: Mapping[str, SetComparison]
    only_first: tuple[str, ...] = ()
    only_second: tuple[str, ...] = ()


def compare_neurons(first: NeuronSet, second: NeuronSet) -> Overlap:
    """Count the neurons of two sets; they may be of different weights, such as two checkpoints of a model.

    Raises:
        InputError: If the models have different sizes.
    """
    _check_shapes(first, second)
    return _overlap(members(first), members(second))


def _check_shapes(first: NeuronSet, second: NeuronSet) -> None:
    if first.shape != second.shape:
        raise InputError("two neuron sets of different models", found=f"{first.shape} and {second.shape}")


def overlaps(
    sets: Mapping[str, NeuronSet], belongs: Callable[[Neuron], bool] = lambda neuron: True
) -> dict[str, dict[str, Overlap]]:
    """Compare every two sets of one model.

    Args:
        sets: The sets by name.
        belongs: Which neurons count.

    Raises:
        InputError: If the sets are of models of different sizes.
    """
    for neurons in sets.values():
        _check_shapes(next(iter(sets.values())), neurons)
    chosen = {name: {neuron for neuron in members(neurons) if belongs(neuron)} for name, neurons in sets.items()}
    return {a: {b: _overlap(chosen[a], chosen[b]) for b in sets} for a in sets}


def overlaps_by(
    sets: Mapping[str, NeuronSet], by: str | None, stages: Stages
) -> dict[str, dict[str, dict[str, Overlap]]]:
    """Compare every two sets as a whole, and in each position or structure.

    Args:
        sets: The sets by name.
        by: `position`, `structure`, or None for the whole alone.
        stages: Where the positions are.

    Returns:
        By part, `all` first, the matrix of overlaps.

    Raises:
        InputError: If the sets are of models of different sizes.
    """
    matrices = {"all": overlaps(sets)}
    if by == "position":
        for position in POSITIONS:
            matrices[position] = overlaps(sets, lambda n, at=position: stages.position(n[0], n[1]) == at)  # type: ignore[misc]
    elif by == "structure":
        used = {neuron[1] for neurons in sets.values() for neuron in members(neurons)}
        for structure in (name for name in STRUCTURES if name in used):
            matrices[structure] = overlaps(sets, lambda n, of=structure: n[1] == of)  # type: ignore[misc]
    return matrices


def compare_sets(first: NeuronSet, second: NeuronSet, stages: Stages) -> SetComparison:
    """Count the neurons of two sets overall, by layer and by position.

    Args:
        first: A set.
        second: Another.
        stages: The stages that say where the positions are.

    Raises:
        InputError: If the models have different sizes.
    """
    total = compare_neurons(first, second)
    mine, theirs = members(first), members(second)
    by_layer = tuple(
        _overlap({n for n in mine if n[0] == layer}, {n for n in theirs if n[0] == layer})
        for layer in range(first.shape.layers)
    )
    by_position = {
        position: _overlap(
            {n for n in mine if stages.position(n[0], n[1]) == position},
            {n for n in theirs if stages.position(n[0], n[1]) == position},
        )
        for position in POSITIONS
    }
    return SetComparison(total, by_layer, by_position)


def members(neurons: NeuronSet) -> set[Neuron]:
    """Return the neurons of a set, gate, up and down of a layer once, as `up`."""
    return {(layer, structure, k) for layer, structure, indices in neurons.switches() for k in indices}


def compare_pairs(
    first: str, second: str, understanding: int | None = None, generation: int | None = None
) -> Comparisons:
    """Load sets and compare them: of two folders those with the same name, else the two that are named.

    Args:
        first: A folder (local, shipped or of the hub), or a reference as `find_neurons` reads it.
        second: The same.
        understanding: Number of understanding layers, or None for the stored or default one.
        generation: Number of generation layers, or None for the stored or default one.

    Raises:
        InputError: If nothing fits, only one is a folder, the folders have no name in common, the models have different
            sizes, or two sets store different stages.
    """

    def compare(mine: str, other: str) -> SetComparison:
        sets = find_neurons(mine), find_neurons(other)
        return compare_sets(*sets, stages_for(sets, sets[0].shape.layers, understanding, generation))

    mine, theirs = _names(first), _names(second)
    if mine is None and theirs is None:
        return Comparisons(first, second, {"": compare(first, second)})
    if mine is None or theirs is None:
        raise InputError(
            "a folder and a set cannot be compared", found=f"{first} and {second}", expected="two folders or two sets"
        )
    common = sorted(mine.keys() & theirs.keys())
    if not common:
        raise InputError(
            "the folders have no set in common", found=f"{' '.join(sorted(mine))} and {' '.join(sorted(theirs))}"
        )
    return Comparisons(
        first,
        second,
        {name: compare(mine[name], theirs[name]) for name in common},
        tuple(sorted(mine.keys() - theirs.keys())),
        tuple(sorted(theirs.keys() - mine.keys())),
    )


def _names(reference: str) -> dict[str, str] | None:
    """Return the references of the sets in a folder by name, or None if there is no such folder."""
    try:
        folder = find_set_folder(reference)
    except NotReachedError:
        raise
    except InputError:
        return None
    return {name: folder.reference(name) for name in folder.names}


def _overlap(first: set[Neuron], second: set[Neuron]) -> Overlap:
    return Overlap(len(first - second), len(second - first), len(first & second))
