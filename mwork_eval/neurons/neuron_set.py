"""The neuron set: which neurons of a model belong together, with set algebra and counts."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.neurons.activation_values import Activations, frozen_activations
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.neurons.stages import Stages
from mwork_eval.neurons.structures import FEED_FORWARD

Indices = npt.NDArray[np.int32]
Place = tuple[int, str]
"""Layer and structure."""


@dataclass(frozen=True, eq=False, repr=False)
class NeuronSet:
    """A frozen set of neurons of one model.

    Attributes:
        shape: Neuron counts of the model the set belongs to.
        indices: Per (layer, structure), the neuron indices `[n]`, the highest score first. The order matters
            only to `strongest`; equality and algebra ignore it.
        about: How the set was made (model, fingerprint, language, method, corpus, selection, …), JSON values.
        shared: The language's other neurons, such as those it shares with English: detected for it, and not in the set
            because they were taken away. None if they are not known. They are no members: counts, equality,
            digests and masks know nothing of them; random controls do.
        activations: By label (`mean.de`, `median.de`), typical activations of all neurons of the model, also of those
            that are not in the set, and under (layer, "residual") of each layer's output. Equality, digests and counts
            know nothing of them; interventions that put activations in place of others do.

    Two sets can be combined (``&``, ``|``, ``-``, ``^``) when their shapes are equal; the result keeps the order and
    the description of the left one. What ``-`` and ``&`` take away is `shared` afterwards. Activations are those of
    both; where both have a label, the left one's.
    """

    shape: ModelShape
    indices: Mapping[Place, Indices]
    about: Mapping[str, Any] = field(default_factory=dict)
    shared: Mapping[Place, Indices] | None = None
    activations: Activations = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "indices", _frozen(self.indices, self.shape))
        object.__setattr__(self, "about", MappingProxyType(dict(self.about)))
        object.__setattr__(self, "activations", frozen_activations(self.activations, self.shape))
        if self.shared is None:
            return
        object.__setattr__(self, "shared", _frozen(self.shared, self.shape))
        for (layer, structure), others in self.shared.items():
            if both := set(others.tolist()) & set(self.indices.get((layer, structure), np.empty(0)).tolist()):
                raise InputError(f"layers.{layer}.{structure}: a neuron is in the set and beside it", found=min(both))

    @property
    def digest(self) -> str:
        """Digest of the neurons and their order, without the description."""
        content = {f"{layer}.{structure}": array.tolist() for (layer, structure), array in self.indices.items()}
        return digest_of({"shape": self.shape.to_json(), "neurons": content})

    def __len__(self) -> int:
        """Number of neurons, each feed-forward switch counted once even if gate, up and down name it."""
        return sum(len(members) for _, _, members in self.switches())

    def __iter__(self) -> Iterator[tuple[int, str, int]]:
        """Yield (layer, structure, index) of every neuron that `len` counts; a feed-forward switch as its `up`."""
        for layer, structure, members in self.switches():
            yield from ((layer, structure, index) for index in members)

    def __contains__(self, neuron: object) -> bool:
        """Tell whether (layer, structure, index) is in the set; gate, up and down of one index are the same switch."""
        if not isinstance(neuron, tuple) or len(neuron) != 3:
            return False
        layer, structure, index = neuron
        names = FEED_FORWARD if structure in FEED_FORWARD else (structure,)
        return any((layer, name) in self.indices and index in self.indices[layer, name] for name in names)

    def __repr__(self) -> str:
        """One line: whose neurons these are, and how many of which structures."""
        whose = " ".join(str(self.about[key]) for key in ("model", "language") if key in self.about)
        counts = ", ".join(f"{structure} {count}" for structure, count in self.by_structure().items())
        share = 100 * len(self) / self.shape.switches
        return f"<NeuronSet{whose and ' '}{whose}: {len(self)} neurons ({share:.2f} %){counts and ': '}{counts}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Let the set be pickled and copied; its mappings are read-only views, which cannot be by themselves."""
        shared = None if self.shared is None else dict(self.shared)
        activations = {label: dict(of_label) for label, of_label in self.activations.items()}
        return NeuronSet, (self.shape, dict(self.indices), dict(self.about), shared, activations)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NeuronSet):
            return NotImplemented
        return self.shape == other.shape and self.digest_unordered == other.digest_unordered

    def __hash__(self) -> int:
        return hash(self.digest_unordered)

    @property
    def digest_unordered(self) -> str:
        """Digest of the neurons alone: equal sets have equal digests whatever the order of their scores."""
        content = {f"{layer}.{structure}": sorted(a.tolist()) for (layer, structure), a in self.indices.items()}
        return digest_of({"shape": self.shape.to_json(), "neurons": content})

    def __and__(self, other: "NeuronSet") -> "NeuronSet":
        if not isinstance(other, NeuronSet):
            return NotImplemented
        self._check_combines(other)
        return self._keeping(_combine(self.indices, other.indices, _in_both), other)

    def __sub__(self, other: "NeuronSet") -> "NeuronSet":
        if not isinstance(other, NeuronSet):
            return NotImplemented
        self._check_combines(other)
        return self._keeping(_combine(self.indices, other.indices, _in_first), other)

    def __or__(self, other: "NeuronSet") -> "NeuronSet":
        if not isinstance(other, NeuronSet):
            return NotImplemented
        self._check_combines(other)
        both = _combine(self.indices, other.indices, _in_either)
        known = {**other.activations, **self.activations}
        if self.shared is None or other.shared is None:
            return replace(self, indices=both, about=self._about_apart, shared=None, activations=known)
        shared = _combine(_combine(self.shared, other.shared, _in_either), both, _in_first)
        return replace(self, indices=both, about=self._about_apart, shared=shared, activations=known)

    def __xor__(self, other: "NeuronSet") -> "NeuronSet":
        """Return the neurons of either set that are not in both."""
        if not isinstance(other, NeuronSet):
            return NotImplemented
        return (self - other) | (other - self)

    def _keeping(self, indices: Mapping[Place, Indices], other: "NeuronSet") -> "NeuronSet":
        """Return a part of the set, the rest being shared, with the activations of both."""
        known = {**other.activations, **self.activations}
        if self.shared is None:
            return replace(self, indices=indices, about=self._about_apart, activations=known)
        rest = _combine(self.indices, indices, _in_first)
        shared = _combine(self.shared, rest, _in_either)
        return replace(self, indices=indices, about=self._about_apart, shared=shared, activations=known)

    @property
    def _about_apart(self) -> dict[str, Any]:
        """What is said of the set, without where it can be had: a combination is not there."""
        return {key: value for key, value in self.about.items() if key != "hub"}

    def _check_combines(self, other: "NeuronSet") -> None:
        if self.shape != other.shape:
            raise InputError("two neuron sets of different models", found=f"{self.shape} and {other.shape}")
        mine, theirs = self.about.get("fingerprint"), other.about.get("fingerprint")
        if mine and theirs and mine != theirs:
            raise InputError("two neuron sets of different weights", found=f"fingerprints {mine} and {theirs}")

    def described(self, **about: Any) -> "NeuronSet":
        """Return the same neurons with entries added to the description."""
        return replace(self, about={**self.about, **about})

    def at(self, stages: Stages, positions: Iterable[str]) -> "NeuronSet":
        """Return the neurons whose position is one of ``positions``."""
        wanted = set(positions)
        kept = {place: array for place, array in self.indices.items() if stages.position(*place) in wanted}
        return replace(self, indices=kept)

    def strongest(self, count: int) -> "NeuronSet":
        """Return ``count`` neurons, the highest scores of each layer and structure.

        Scores of different structures have different units, so the structures share the count in proportion to
        their numbers, then the layers of a structure do (largest remainder), and each gives its first neurons.

        Raises:
            InputError: If the set has fewer neurons, or the count is no number of neurons.
        """
        if not _is_whole(count) or count < 0:
            raise InputError("no number of neurons", found=repr(count), expected=f"0 to {len(self)}")
        if count > len(self):
            raise InputError("not enough neurons in the set", found=len(self), expected=f"at least {count}")
        by_structure: dict[str, dict[int, list[int]]] = {}
        for layer, structure, members in self.switches():
            by_structure.setdefault(structure, {})[layer] = members
        names = sorted(by_structure)
        sizes = [sum(map(len, by_structure[name].values())) for name in names]
        kept: dict[Place, Indices] = {}
        for name, share in zip(names, apportion(count, sizes), strict=True):
            layers = by_structure[name]
            for layer, n in zip(layers, apportion(share, [len(m) for m in layers.values()]), strict=True):
                kept[layer, name] = np.array(layers[layer][:n], np.int32)
        return replace(self, indices=kept)

    def by_layer(self) -> list[int]:
        """Return the number of neurons per layer."""
        counts: Counter[int] = Counter()
        for layer, _, members in self.switches():
            counts[layer] += len(members)
        return [counts[layer] for layer in range(self.shape.layers)]

    def by_structure(self) -> dict[str, int]:
        """Return the number of neurons per structure as stored: gate, up and down are listed apart."""
        counts: Counter[str] = Counter()
        for (_, structure), array in self.indices.items():
            counts[structure] += len(array)
        return dict(counts)

    def by_position(self, stages: Stages) -> dict[str, int]:
        """Return the number of neurons per position, zero included."""
        counts = {"under": 0, "s-attn": 0, "s-ffn": 0, "gen": 0}
        for layer, structure, members in self.switches():
            counts[stages.position(layer, structure)] += len(members)
        return counts

    def switches(self) -> Iterator[tuple[int, str, list[int]]]:
        """Yield (layer, structure, members) with gate, up and down of a layer merged into one `up`."""
        for layer in range(self.shape.layers):
            merged: dict[int, None] = {}
            for structure in FEED_FORWARD:
                merged.update(dict.fromkeys(self.indices.get((layer, structure), np.empty(0, np.int32)).tolist()))
            for (at, structure), array in self.indices.items():
                if at == layer and structure not in FEED_FORWARD:
                    yield layer, structure, array.tolist()
            if merged:
                yield layer, "up", list(merged)


def _frozen(indices: Mapping[Place, Indices], shape: ModelShape) -> Mapping[Place, Indices]:
    """Return a read-only copy without empty places.

    Raises:
        InputError: If a neuron is not one of the model's, named twice, or named by anything but an integer.
    """
    frozen: dict[Place, Indices] = {}
    for layer, structure in sorted(indices):
        if not _is_whole(layer):
            raise InputError("neurons outside the model", found=f"layer {layer!r}", expected="the number of a layer")
        array = _integers(indices[layer, structure], f"layers.{layer}.{structure}")
        size = shape.sizes[layer].get(structure) if 0 <= layer < shape.layers else None
        if size is None:
            raise InputError("neurons outside the model", found=f"layers.{layer}.{structure}", expected=str(shape))
        if array.ndim != 1 or len(np.unique(array)) != array.size:
            raise InputError(f"layers.{layer}.{structure} is no list of distinct neuron indices")
        if array.size and (array.min() < 0 or array.max() >= size):
            raise InputError(
                f"neuron index out of range in layers.{layer}.{structure}",
                found=f"{array.min()} to {array.max()}",
                expected=f"0 to {size - 1}",
            )
        if array.size:
            array = array.astype(np.int32, copy=True)
            array.setflags(write=False)
            frozen[layer, structure] = array
    return MappingProxyType(frozen)


def _integers(members: npt.ArrayLike, where: str) -> npt.NDArray[Any]:
    """Return neuron indices as an array.

    Raises:
        InputError: If one is no integer: rounded, or as 0 and 1, it would name another neuron.
    """
    array = np.asarray(members)
    # Among integers numpy makes numbers of truth values, so that the array no longer shows them.
    strange = [one for one in members if not _is_whole(one)] if isinstance(members, (list, tuple)) else []
    if strange or (array.size and not np.issubdtype(array.dtype, np.integer)):
        found = repr(strange[0]) if strange else array.dtype
        raise InputError(f"a neuron index in {where} is no integer", found=found, expected="integers from 0")
    return array


def _is_whole(value: object) -> bool:
    """Tell whether a value is an integer of Python or numpy, and no truth value."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _combine(
    first: Mapping[Place, Indices], second: Mapping[Place, Indices], operation: Callable[[Indices, Indices], Indices]
) -> dict[Place, Indices]:
    nothing = np.empty(0, np.int32)
    places = sorted({*first, *second})
    return {place: operation(first.get(place, nothing), second.get(place, nothing)) for place in places}


def _in_both(first: Indices, second: Indices) -> Indices:
    return first[np.isin(first, second)]


def _in_first(first: Indices, second: Indices) -> Indices:
    return first[~np.isin(first, second)]


def _in_either(first: Indices, second: Indices) -> Indices:
    return np.concatenate([first, _in_first(second, first)])


def apportion(count: int, sizes: Sequence[int]) -> list[int]:
    """Divide ``count`` among groups in proportion to their sizes, by largest remainder.

    Equal remainders are served in an order that is spread over the groups (multiples of the golden ratio), so that
    the first groups, the lower layers, are not preferred.
    """
    total = sum(sizes)
    shares = [count * size // total for size in sizes] if total else [0] * len(sizes)
    remainders = [count * size % total if total else 0 for size in sizes]
    order = sorted(range(len(sizes)), key=lambda group: (-remainders[group], group * 0.6180339887498949 % 1))
    for group in order[: count - sum(shares)]:
        shares[group] += 1
    return shares
