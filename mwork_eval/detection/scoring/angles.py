"""The angles that rotary embeddings turn channels by: as a model hands them on, or solved for."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any

import torch

from mwork_eval.detection.scoring.rotation import Rotary, Rotation

Tensor = torch.Tensor


@dataclass(frozen=True)
class Angles:
    """Which channels are paired, and where their angles come from.

    Attributes:
        kind: How channels are paired.
        permuted: Whether pairs (2k, 2k + 1) of the projection's output lie at (k, k + r/2) after the rotation, as in
            DeepSeek V3, for queries and keys alike.
        start: The first rotated channel.
        rotated: How many are.
        source: Which of the angles that a module is given; None if they are solved for.
    """

    kind: Rotary
    permuted: bool = False
    start: int = 0
    rotated: int = 0
    source: int | None = None

    @property
    def pairs(self) -> tuple[Rotary, bool, int, int]:
        """Which channels are paired."""
        return self.kind, self.permuted, self.start, self.rotated

    def unpermuted(self, states: Tensor) -> Tensor:
        """Return channels `[..., d]` in the order of the projection's output."""
        if not self.permuted:
            return states
        stop = self.start + self.rotated
        turned = states[..., self.start : stop].unflatten(-1, (2, -1)).transpose(-1, -2).flatten(-2)
        return torch.cat([states[..., : self.start], turned, states[..., stop:]], -1)


def given_angles(
    given: Sequence[Any], tokens: int, width: int, starts: Set[int], known: Angles | None
) -> Iterator[tuple[Angles, Rotation]]:
    """Yield the rotations that cosines and sines among a module's arguments may stand for.

    Args:
        given: The arguments.
        tokens: Number of tokens.
        width: Channels of a head.
        starts: Where the rotated channels may start: 0, and after the channels of a key that are never rotated.
        known: The one of an earlier batch, or None for all.
    """
    if known is not None and known.source is None:
        return
    for number, (cos, sin) in enumerate(_halves(given, tokens)):
        rotated = 2 * cos.shape[-1]
        if rotated > width or (known is not None and number != known.source):
            continue
        for start in sorted({0, width - rotated} if len(starts) > 1 else {0}):
            for kind, permuted in (("half", False), ("interleaved", False), ("interleaved", True)):
                angles = Angles(kind, permuted, start, rotated, number)  # type: ignore[arg-type]
                if known is None or angles == known:
                    yield angles, _rotation(angles, cos, sin, width)


def solved_angles(
    source: Tensor, target: Tensor, starts: Set[int], known: Angles | None
) -> Iterator[tuple[Angles, Rotation]]:
    """Yield the rotations that turn some states into others best, position by position and pair by pair.

    There must be several heads or documents: one pair alone can always be turned into another.

    Args:
        source: States before the rotation `[B, H, l, d]`.
        target: And after it.
        starts: As in `given_angles`.
        known: The one of an earlier batch, or None for all.
    """
    batch, heads, _, width = target.shape
    if batch * heads < 2 or source.shape != target.shape or bool(target.isnan().any()):
        return
    for start in sorted(starts):
        widest = width - start
        for rotated in dict.fromkeys((widest, widest // 2, widest // 4, 3 * widest // 4)):
            if rotated < 2 or rotated % 2:
                continue
            for kind, permuted in (("half", False), ("interleaved", False), ("interleaved", True)):
                angles = Angles(kind, permuted, start, rotated, None)  # type: ignore[arg-type]
                if known is not None and known.source is None and known.kind != "none" and angles != known:
                    continue
                one, other = (
                    _pairs(states[..., start : start + rotated].float(), kind)
                    for states in (source, angles.unpermuted(target))
                )
                turned = (other * one.conj()).sum((0, 1)) / one.abs().square().sum((0, 1)).clamp_min(1e-30)
                yield angles, _rotation(angles, turned.real, turned.imag, width)


def _pairs(states: Tensor, kind: str) -> Tensor:
    if kind == "interleaved":
        return torch.complex(states[..., 0::2].contiguous(), states[..., 1::2].contiguous())
    first, second = states.chunk(2, -1)
    return torch.complex(first.contiguous(), second.contiguous())


def _rotation(angles: Angles, cos: Tensor, sin: Tensor, width: int) -> Rotation:
    """Build a rotation from the cosine and sine of each pair `[l, r/2]`."""
    if angles.kind == "interleaved":
        cos, sin = cos.repeat_interleave(2, -1), sin.repeat_interleave(2, -1)
    else:
        cos, sin = torch.cat([cos, cos], -1), torch.cat([sin, sin], -1)
    return Rotation.of(angles.kind, cos, sin, width, angles.start)


def _halves(given: Sequence[Any], tokens: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield cosines and sines `[l, r/2]`, one for each pair of channels, that are among arguments."""
    for cos, sin in _couples(given, tokens):
        half = cos.shape[-1] // 2
        if cos.shape[-1] % 2 == 0 and torch.equal(cos[:, :half], cos[:, half:]):
            yield cos[:, :half], sin[:, :half]
        elif cos.shape[-1] % 2 == 0 and torch.equal(cos[:, 0::2], cos[:, 1::2]):
            yield cos[:, 0::2], sin[:, 0::2]
        yield cos, sin


def _couples(given: Sequence[Any], tokens: int) -> Iterator[tuple[Tensor, Tensor]]:
    for one in given:
        if isinstance(one, Tensor) and one.is_complex() and one.ndim >= 2 and one.shape[-2] == tokens:
            angles = one.reshape(-1, *one.shape[-2:])[0]
            yield angles.real, angles.imag
        if isinstance(one, dict):
            yield from _couples(list(one.values()), tokens)
        if isinstance(one, tuple | list):
            if len(one) == 2 and all(isinstance(part, Tensor) for part in one):
                cos, sin = one
                if cos.shape == sin.shape and cos.ndim >= 2 and cos.shape[-2] == tokens and cos.is_floating_point():
                    yield tuple(part.reshape(-1, *part.shape[-2:])[0] for part in (cos, sin))  # type: ignore[misc]
            else:
                yield from _couples(one, tokens)
