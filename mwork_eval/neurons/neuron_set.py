"""The neuron set: which neurons of a model belong together, with set algebra and counts."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.neurons.stages import Stages
from mwork_eval.neurons.structures import FEED_FORWARD

Indices = npt.NDArray[np.int32]
Place = tuple[int, str]
"""Layer and structure."""


@dataclass(frozen=True, eq=False)
class NeuronSet:
    """A frozen set of neurons of one model.

    Attributes:
        shape: Neuron counts of the model the set belongs to.
        indices: Per (layer, structure), the neuron indices `[n]`, the highest score first. The order matters
            only to `strongest`; equality and algebra ignore it.
        about: How the set was made (model, fingerprint, language, method, corpus, selection, …), JSON values.

    Two sets can be combined (``&``, ``|``, ``-``) when their shapes are equal; the result keeps the order and
    the description of the left one.
    """

    shape: ModelShape
    indices: Mapping[Place, Indices]
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        frozen: dict[Place, Indices] = {}
        for layer, structure in sorted(self.indices):
            array = np.asarray(self.indices[layer, structure])
            size = self.shape.sizes[layer].get(structure) if 0 <= layer < self.shape.layers else None
            if size is None:
                raise InputError(
                    "neurons outside the model", found=f"layers.{layer}.{structure}", expected=str(self.shape)
                )
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
        object.__setattr__(self, "indices", MappingProxyType(frozen))
        object.__setattr__(self, "about", MappingProxyType(dict(self.about)))

    @property
    def digest(self) -> str:
        """Digest of the neurons and their order, without the description."""
        content = {f"{layer}.{structure}": array.tolist() for (layer, structure), array in self.indices.items()}
        return digest_of({"shape": self.shape.to_json(), "neurons": content})

    def __len__(self) -> int:
        """Number of neurons, each feed-forward switch counted once even if gate, up and down name it."""
        return sum(len(members) for _, _, members in self._switches())

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
        return self._combine(other, lambda mine, theirs: mine[np.isin(mine, theirs)])

    def __sub__(self, other: "NeuronSet") -> "NeuronSet":
        return self._combine(other, lambda mine, theirs: mine[~np.isin(mine, theirs)])

    def __or__(self, other: "NeuronSet") -> "NeuronSet":
        return self._combine(other, lambda mine, theirs: np.concatenate([mine, theirs[~np.isin(theirs, mine)]]))

    def _combine(self, other: "NeuronSet", operation: Any) -> "NeuronSet":
        if self.shape != other.shape:
            raise InputError("two neuron sets of different models", found=f"{self.shape} and {other.shape}")
        nothing = np.empty(0, np.int32)
        places = sorted({*self.indices, *other.indices})
        combined = {
            place: operation(self.indices.get(place, nothing), other.indices.get(place, nothing)) for place in places
        }
        return replace(self, indices=combined)

    def described(self, **about: Any) -> "NeuronSet":
        """Return the same neurons with entries added to the description."""
        return replace(self, about={**self.about, **about})

    def at(self, stages: Stages, positions: Iterable[str]) -> "NeuronSet":
        """Return the neurons whose position is one of ``positions``."""
        wanted = set(positions)
        kept = {place: array for place, array in self.indices.items() if stages.position(*place) in wanted}
        return replace(self, indices=kept)

    def strongest(self, count: int) -> "NeuronSet":
        """Return ``count`` neurons: each layer and structure gives up its lowest scores in proportion.

        Scores of different structures have different units, so neurons are compared by their relative rank
        within their layer and structure.

        Raises:
            InputError: If the set has fewer neurons.
        """
        if count > len(self):
            raise InputError("not enough neurons in the set", found=len(self), expected=f"at least {count}")
        ranked = sorted(
            ((rank + 0.5) / len(members), layer, structure, member)
            for layer, structure, members in self._switches()
            for rank, member in enumerate(members)
        )[:count]
        kept: dict[Place, list[int]] = {}
        for _, layer, structure, member in ranked:
            kept.setdefault((layer, structure), []).append(member)
        return replace(self, indices={place: np.array(members, np.int32) for place, members in kept.items()})

    def by_layer(self) -> list[int]:
        """Return the number of neurons per layer."""
        counts: Counter[int] = Counter()
        for layer, _, members in self._switches():
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
        for layer, structure, members in self._switches():
            counts[stages.position(layer, structure)] += len(members)
        return counts

    def _switches(self) -> Iterator[tuple[int, str, list[int]]]:
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
