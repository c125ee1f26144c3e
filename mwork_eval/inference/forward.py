"""The forward pass of a batch of rows: the decoder alone, padded rows, shared beginnings."""

import inspect
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mwork_eval.inference.cache import Segment, SharedCache
from mwork_eval.inference.rotary import Rotary, depends_on_batch
from mwork_eval.models.config_values import numbers
from mwork_eval.models.find_head import logit_tolerance
from mwork_eval.models.head import OutputHead
from mwork_eval.models.layout import decoder_of
from mwork_eval.models.linear import faster_linears, replaceable_linears

Tensor = torch.Tensor

log = logging.getLogger(__name__)

_PROBE = 24
"""Tokens of the row that shows whether a model can be computed in parts."""

_WINDOWS = (
    "sliding_window",
    "sliding_window_size",
    "attention_window_size",
    "window_size",
    "local_attention",
    "attention_chunk_size",
)
"""Configuration entries that bound how far attention reaches, counted in slots."""


@dataclass
class PaddedRows:
    """The state of a batch of rows between forward passes.

    Attributes:
        cache: Keys and values so far, or None for rows that end after one pass.
        attended: Which slots hold tokens `[rows, slots]`.
        length: Number of tokens of each row so far `[rows]`.
    """

    cache: SharedCache | None
    attended: Tensor
    length: Tensor

    def keep(self, rows: Tensor) -> None:
        """Drop all rows but those of the given indices."""
        if self.cache is not None:
            self.cache.keep(rows)
        self.attended, self.length = self.attended[rows], self.length[rows]

    def forget(self, counts: Tensor) -> None:
        """Take back the last ``counts[row]`` tokens of each row; their slots stay, and are not attended to.

        The rows are padded on the right, if at all.
        """
        last = self.attended.flip(1).cumsum(1).flip(1)  # tokens from a slot on
        self.attended = self.attended & (last > counts[:, None])
        self.length = self.length - counts


@dataclass(frozen=True)
class Beginning:
    """What a batch of rows shares.

    Attributes:
        segments: Keys and values.
        attended: Which of their slots hold tokens `[rows, slots]`.
        length: Tokens in them per row `[rows]`.
    """

    segments: tuple[Segment, ...]
    attended: Tensor
    length: Tensor

    def of_rows(self, rows: Tensor) -> "Beginning":
        """Return the beginnings for some of the rows, in the order given."""
        return Beginning(tuple(s.of_rows(rows) for s in self.segments), self.attended[rows], self.length[rows])

    def repeated(self, rows: int) -> "Beginning":
        """Return a single beginning for a number of rows."""
        return self.of_rows(torch.zeros(rows, dtype=torch.long, device=self.attended.device))


class Forward:
    """A causal language model that computes hidden states and, apart from them, logits.

    Attributes:
        model: The model.
        head: Its output head.
        device: Where token ids go.
        obstacle: Why it is not right for the model, where `agrees` said so.
        window: Slots of a row in which padding does no harm: the smallest sliding window of its layers; or None.
    """

    def __init__(
        self, model: Any, head: OutputHead, device: torch.device, tokens: int, autocast: torch.dtype | None = None
    ) -> None:
        """Wrap a model.

        Args:
            model: The model, in evaluation mode.
            head: Its output head.
            device: Where token ids go.
            tokens: Tokens that may go through it at a time where keys and values are kept; more go in several passes.
            autocast: Type of automatic mixed precision, if any.
        """
        self.model = model
        self._decoder, layers = decoder_of(model)
        config = model.config.get_text_config(decoder=True)
        # More than layers where a layer has two attentions.
        self._layers = max(int(config.num_hidden_layers), len(layers))
        self._takes_positions = "position_ids" in inspect.signature(self._decoder.forward).parameters
        self._autocast = autocast
        # Automatic mixed precision chooses another precision by itself.
        self._linears = [] if autocast else replaceable_linears(self._decoder.modules())
        self._tokens = tokens
        self.obstacle = "what was not compared with the model's own"
        self.head, self.device = head, device
        self.window = min((window for name in _WINDOWS for window in numbers(config, name)), default=None)

    def agrees(self, longest: int) -> bool:
        """Say whether probabilities computed apart are the model's: after shared beginnings, padded, step by step.

        Two short rows of unequal length decide. What only longer rows can change, rotary embeddings that depend on the
        longest row of a batch, is asked of the rotary modules alone. A model that counts padding between the tokens of
        a row is used without it, as if its sliding window were one token. One that cannot be computed in these ways,
        as its layers keep something else than keys and values, does not agree.

        Args:
            longest: Tokens of the longest row there may be.
        """
        size = max(4, min(_PROBE, longest, Rotary.of(self.model).reach or longest))
        rows = [tuple(range(3, 3 + size)), tuple(range(5, 5 + size * 2 // 3))]
        with torch.no_grad(), self._mixed():
            # Outside of what may fail: an error of the model itself is none of ours.
            own = [self.model(torch.tensor([row], device=self.device)).logits[0].float() for row in rows]
        for window in dict.fromkeys((self.window, 1)):
            self.window, self.obstacle = window, "probabilities that differ from the model's own"
            try:
                if not depends_on_batch(self.model, longest) and self._equals(rows, own):
                    return True
            except torch.OutOfMemoryError:
                raise
            except Exception:
                log.debug("rows computed apart", exc_info=True)
                self.obstacle = "layers that do not go on from keys and values alone"
        return False

    def _equals(self, rows: Sequence[Sequence[int]], own: Sequence[Tensor]) -> bool:
        """Say whether rows computed in each way that is used for them have the log-probabilities of some logits."""
        apart = self.window is None or 2 * max(map(len, rows)) <= self.window
        sizes = [len(row) // 2 if apart else min(map(len, rows)) // 2 for row in rows]
        beginning, shared = self.share([row[:size] for row, size in zip(rows, sizes, strict=True)])
        rests = [row[size:] for row, size in zip(rows, sizes, strict=True)]
        found = [
            list(part) for part in zip(shared.split(sizes), self._states(rests, beginning, steps=apart), strict=True)
        ]
        if not apart:
            found += [[part] for part in self._states(rows, None, steps=True, pad_left=True)]
        return all(self._near(torch.cat(parts), own[number % len(rows)]) for number, parts in enumerate(found))

    def _states(
        self, rows: Sequence[Sequence[int]], beginning: Beginning | None, *, steps: bool, pad_left: bool = False
    ) -> list[Tensor]:
        """Return the states of each row `[tokens, d_model]`, those of its last token from a pass of its own."""
        first = [row[:-1] if steps else row for row in rows]
        state, states, _ = self.start(first, beginning, later=1, keep=steps, pad_left=pad_left)
        found = list(states.split([len(row) for row in first]))
        if steps:
            last = self.step(state, torch.tensor([row[-1] for row in rows], device=self.device))
            found = [torch.cat([part, one[None]]) for part, one in zip(found, last, strict=True)]
        return found

    def _near(self, states: Tensor, own: Tensor) -> bool:
        position = torch.arange(len(states), device=self.device)
        token = position + 3
        with torch.no_grad(), self._mixed():
            apart = self.head.choices(states, position, token).log_probability
        expected = own.log_softmax(-1).to(self.device)[position, token]
        spread = float(own.std())
        tolerance = logit_tolerance(states.dtype if self._autocast is None else self._autocast)
        return math.isfinite(spread) and torch.allclose(apart.float(), expected, rtol=0.0, atol=tolerance * spread)

    def start(
        self,
        sequences: Sequence[Sequence[int]],
        beginning: Beginning | None = None,
        *,
        later: int = 0,
        keep: bool = False,
        pad_left: bool = False,
    ) -> tuple[PaddedRows, Tensor, Tensor]:
        """Run the first tokens of a batch of rows.

        Args:
            sequences: The tokens of each row, at least one, without those of its beginning.
            beginning: What the rows share.
            later: Tokens per row that later passes may add.
            keep: Whether keys and values are needed afterwards.
            pad_left: Put the padding before the tokens, where a sliding window does not count it.

        Returns:
            The rows, the hidden states of the tokens of all rows after each other `[tokens, d_model]`, and where in
            them each row starts `[rows]`.
        """
        lengths = torch.tensor([len(sequence) for sequence in sequences], device=self.device)
        width = int(lengths.max())
        slots = torch.arange(width, device=self.device).expand(len(sequences), -1)
        inside = slots >= width - lengths[:, None] if pad_left else slots < lengths[:, None]
        ids = torch.zeros(len(sequences), width, dtype=torch.long, device=self.device)
        ids[inside] = torch.tensor([token for sequence in sequences for token in sequence], device=self.device)
        before = torch.zeros_like(lengths) if beginning is None else beginning.length
        positions = before[:, None] + (inside.cumsum(1) - 1).clamp_min(0)
        rows = PaddedRows(None, inside, before + lengths)
        if beginning is not None:
            rows.attended = torch.cat([beginning.attended, inside], 1)
        if keep or beginning is not None:
            segments = () if beginning is None else beginning.segments
            rows.cache = SharedCache(self._layers, segments, width + later)
        # Padding after the tokens of a causal model needs no mask, and without one attention is faster.
        masked = pad_left or beginning is not None
        before_slots = rows.attended.shape[1] - width
        columns = width if rows.cache is None else max(1, self._tokens // len(sequences))
        parts = [
            self._run(
                ids[:, start : start + columns],
                positions[:, start : start + columns],
                rows.attended[:, : before_slots + start + columns] if masked else None,
                rows.cache,
            )
            for start in range(0, width, columns)
        ]
        return rows, torch.cat(parts, 1)[inside], lengths.cumsum(0) - lengths

    def step(self, rows: PaddedRows, tokens: Tensor) -> Tensor:
        """Run one more token of each row `[rows]`; returns the hidden states `[rows, d_model]`."""
        rows.attended = torch.cat([rows.attended, torch.ones_like(rows.attended[:, :1])], 1)
        positions, rows.length = rows.length[:, None], rows.length + 1
        return self._run(tokens[:, None], positions, rows.attended, rows.cache)[:, 0]

    def share(self, sequences: Sequence[Sequence[int]], beginning: Beginning | None = None) -> tuple[Beginning, Tensor]:
        """Run sequences that later rows begin with.

        Args:
            sequences: Their tokens, without those of ``beginning``.
            beginning: What they share themselves.

        Returns:
            The beginnings, a row each, and the hidden states of their tokens after each other `[tokens, d_model]`.
        """
        rows, states, _ = self.start(sequences, beginning, keep=True)
        if rows.cache is None:
            raise AssertionError("kept rows have a cache")
        own = rows.cache.as_segment(torch.arange(len(sequences), device=self.device))
        before = () if beginning is None else beginning.segments
        return Beginning((*before, own), rows.attended, rows.length), states

    def _run(self, ids: Tensor, positions: Tensor, attended: Tensor | None, cache: SharedCache | None) -> Tensor:
        extra = {"position_ids": positions} if self._takes_positions else {}
        with torch.no_grad(), self._mixed(), faster_linears(self._linears):
            states: Tensor = self._decoder(
                input_ids=ids,
                attention_mask=None if attended is None else attended.long(),
                past_key_values=cache,
                use_cache=cache is not None,
                **extra,
            ).last_hidden_state
        # A model spread over devices leaves them on its last one.
        return states.to(self.device)

    def _mixed(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=self._autocast, enabled=self._autocast is not None)
