"""A key/value cache whose first part is shared by groups of rows and kept once per group."""

from dataclasses import dataclass

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

Tensor = torch.Tensor


@dataclass(frozen=True)
class Segment:
    """Keys and values of beginnings, one layer's each, and which beginning each row has.

    Attributes:
        layers: Per layer, keys and values `[beginnings, heads, slots, width]`, or None for one that uses another's.
        row: Per row, the index of its beginning.
    """

    layers: tuple[tuple[Tensor, Tensor] | None, ...]
    row: Tensor

    def of_rows(self, rows: Tensor) -> "Segment":
        """Return the segment for some of its rows, in the order given."""
        return Segment(self.layers, self.row[rows.to(self.row.device)])


class _CachedLayer(CacheLayerMixin):
    """One layer: the shared segments, then the rows' own slots, which grow within a buffer."""

    is_sliding = False
    keys: Tensor
    values: Tensor

    def __init__(self, shared: list[tuple[Tensor, Tensor, Tensor]], capacity: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._shared, self._capacity, self._used = shared, capacity, 0
        self._shared_slots = sum(keys.shape[2] for keys, _, _ in shared)

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        rows, heads, _, _ = key_states.shape
        self.keys = key_states.new_empty(rows, heads, self._capacity, key_states.shape[3])
        self.values = value_states.new_empty(rows, heads, self._capacity, value_states.shape[3])
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, self._used = self._used, self._used + key_states.shape[2]
        self.keys[:, :, start : self._used] = key_states
        self.values[:, :, start : self._used] = value_states
        keys, values = self.own
        if not self._shared:
            return keys, values
        # A copy of one layer at a time, so that a beginning is in memory once however many rows have it.
        return (
            torch.cat([*(k.index_select(0, row.to(k.device)) for k, _, row in self._shared), keys], 2),
            torch.cat([*(v.index_select(0, row.to(v.device)) for _, v, row in self._shared), values], 2),
        )

    @property
    def own(self) -> tuple[Tensor, Tensor]:
        """Keys and values of the rows' own slots."""
        return self.keys[:, :, : self._used], self.values[:, :, : self._used]

    def keep(self, rows: Tensor) -> None:
        """Drop all other rows."""
        if self.is_initialized:
            self.keys, self.values = (part.index_select(0, rows.to(part.device)) for part in (self.keys, self.values))
        self._shared = [(k, v, row[rows.to(row.device)]) for k, v, row in self._shared]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_seq_length(self) -> int:
        return self._shared_slots + self._used

    def get_max_length(self) -> int:
        return -1


class SharedCache(Cache):
    """The cache of a batch of rows.

    Sliding windows are left to the attention mask: all slots are kept.
    """

    def __init__(self, layers: int, segments: tuple[Segment, ...], capacity: int) -> None:
        """Make an empty cache.

        Args:
            layers: Number of layers.
            segments: What the rows share, in order.
            capacity: Slots a row can have beside the shared ones.
        """
        self._own = [
            _CachedLayer([(*own, one.row) for one in segments if (own := one.layers[index]) is not None], capacity)
            for index in range(layers)
        ]
        super().__init__(layers=list(self._own))

    def as_segment(self, row: Tensor) -> Segment:
        """Return the rows' own slots as a segment for other rows, of which each has the beginning ``row`` says."""
        return Segment(tuple(layer.own if layer.is_initialized else None for layer in self._own), row)

    def keep(self, rows: Tensor) -> None:
        """Drop all rows but those of the given indices."""
        for layer in self._own:
            layer.keep(rows)
