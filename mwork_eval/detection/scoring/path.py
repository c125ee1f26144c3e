"""What lies between the output of a projection and attention: the norm and the rotation, found by trying.

A hypothesis says which norm stands where, and which channels are paired and turned by which angles. It holds if it
makes of the projection's output what attention was given. `capture` also proves it, by zeroing some neurons.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from mwork_eval.detection.scoring.angles import Angles, given_angles, solved_angles
from mwork_eval.detection.scoring.head_norm import HeadNorm
from mwork_eval.detection.scoring.rotation import Rotation

Tensor = torch.Tensor

_LOOKED_AT = 32
"""Tokens at which a hypothesis is tried."""


@dataclass(frozen=True)
class Call:
    """A call of a module inside an attention module.

    Attributes:
        module: The module.
        given: What it got.
        result: What it returned, of the same shape.
    """

    module: nn.Module
    given: Tensor
    result: Tensor


@dataclass(frozen=True)
class Path:
    """The way from a projection's output to attention, for a batch.

    Attributes:
        rotation: The rotation, with all that queries or keys are multiplied by at a position.
        norm: The norm, whose raw channels are those of the batch `[B, heads, l, d]`, or None.
    """

    rotation: Rotation
    norm: HeadNorm | None

    def norm_of(self, document: int, length: int) -> HeadNorm | None:
        """Return the norm of one document without its padding."""
        return None if self.norm is None else replace(self.norm, raw=self.norm.raw[document, :, :length])

    def rotation_of(self, length: int) -> Rotation:
        """Return the rotation of a document."""
        return self.rotation if length == len(self.rotation.cos) else self.rotation.at(slice(0, length))


@dataclass(frozen=True)
class Paths:
    """The ways of queries and keys of one attention module, for a batch.

    Attributes:
        angles: Which angles turn which channels.
        query: The way of the queries.
        key: That of the keys, or None where another layer's are used.
    """

    angles: Angles
    query: Path
    key: Path | None


def find_paths(
    query: tuple[Tensor, Tensor],
    key: tuple[Tensor, Tensor] | None,
    calls: Sequence[Call],
    given: Sequence[Any],
    known: Angles | None,
) -> Paths | None:
    """Find what makes of the projections' outputs the queries and keys that attention was given.

    Args:
        query: What the projection gave `[B, H, l, d]`, and the queries `[B, H, l, d]`.
        key: Likewise `[B, G, l, d or less]` and `[B, G, l, d]`, or None.
        calls: The calls of modules inside the attention module.
        given: What it got as arguments.
        known: The angles that an earlier batch had, tried first.

    Returns:
        The ways, or None if no hypothesis holds.
    """
    tokens, width = query[1].shape[2:]
    starts = {0} if key is None or key[0].shape[-1] == width else {key[0].shape[-1], 0}
    queries, keys = _End.of(*query, calls), None if key is None else _End.of(*key, calls)

    def all_angles() -> Iterator[tuple[Angles, Rotation]]:
        none = Rotation.none(tokens, width, query[1].device)
        if known is None or known.kind == "none":
            yield Angles("none"), none
        yield from given_angles(given, tokens, width, starts, known)
        if known is None or known.kind == "none":
            return
        yield Angles("none"), none
        yield from given_angles(given, tokens, width, starts, None)

    for angles, rotation in all_angles():
        if (found := _tried(angles, rotation, queries, keys)) is not None:
            return found
    for angles, rotation in solved_angles(queries.source, queries.target, starts, known):
        if (found := _tried(angles, rotation, queries, keys)) is not None:
            return found
    return None


def _tried(angles: Angles, rotation: Rotation, queries: "_End", keys: "_End | None") -> Paths | None:
    query = queries.path(angles, rotation)
    if query is None:
        return None
    if keys is None:
        return Paths(angles, query, None)
    key = keys.path(angles, rotation) or keys.path(angles, rotation.turned_off())
    return None if key is None else Paths(angles, query, key)


@dataclass(frozen=True)
class _End:
    """The queries or keys: what a rotation gets, what it should give, and the norm before or after it."""

    source: Tensor
    target: Tensor
    norm: HeadNorm | None

    @classmethod
    def of(cls, raw: Tensor, states: Tensor, calls: Sequence[Call]) -> "_End":
        if raw.shape[1] != states.shape[1] or raw.shape[-1] > states.shape[-1]:
            return cls(states, states * torch.nan, None)
        if (found := _call_with(calls, given=raw)) is not None:
            call, spans = found
            result = next(r for r, other in _arranged(call.result, raw) if other == spans)
            return cls(
                result,
                states,
                HeadNorm(raw, call.module, spans, not _is_plain(call), heads_first=call.given.shape == raw.shape),
            )
        if (found := _call_with(calls, result=states)) is not None:
            call, spans = found
            given = next(g for g, other in _arranged(call.given, states) if other == spans)
            gains = None if spans else _gains(given, states)
            return cls(raw, given, HeadNorm(raw, call.module, spans, gains is None or not _is_plain(call), gains))
        return cls(raw, states, None)

    def path(self, angles: Angles, rotation: Rotation) -> Path | None:
        """Return the way if a rotation is the right one."""
        source, target = self.source, angles.unpermuted(self.target)
        width, kept = target.shape[-1], source.shape[-1]
        if kept < width:
            if bool(rotation.sin[:, :kept].any()):
                rotation = rotation.turned_off()
            source = torch.cat([source, target[..., kept:].to(source.dtype)], -1)
        tokens = target.shape[2]
        some = torch.arange(0, tokens, -(-tokens // _LOOKED_AT), device=target.device)
        there, here = target[:, :, some].float(), source[:, :, some].float()
        turned = rotation.at(some).apply(here)[..., :kept]
        there = there[..., :kept]
        tolerance = 2e-3 if torch.finfo(self.target.dtype).eps < 1e-4 else 4e-2
        if _near(turned, there, tolerance):
            return Path(rotation, self.norm)
        if self.norm is None and _near(turned, there, 0.95):
            undone = rotation.at(some).undo(angles.unpermuted(self.target[:, :, some]).float())[..., :kept]
            most = float(undone.abs().max())
            if _near(here[..., :kept].clamp(-most, most), undone, tolerance):
                return Path(rotation, None)
        # A factor for every position, the same in all heads and channels.
        factors = (turned * there).sum((0, 1, 3)) / turned.square().sum((0, 1, 3)).clamp_min(1e-30)
        if not _near(turned * factors[:, None], there, tolerance):
            return None
        whole = rotation.apply(source.float())[..., :kept]
        wanted = target[..., :kept].float()
        factors = (whole * wanted).sum((0, 1, 3)) / whole.square().sum((0, 1, 3)).clamp_min(1e-30)
        return Path(rotation.times(factors), self.norm)


def _near(one: Tensor, other: Tensor, tolerance: float) -> bool:
    return bool((one - other).square().sum() <= tolerance**2 * other.square().sum())


def _arranged(states: Tensor, like: Tensor) -> Iterator[tuple[Tensor, bool]]:
    """Yield a tensor in the ways it can be `[B, heads, l, d]`, and whether all heads' channels are one dimension."""
    batch, heads, tokens, width = like.shape
    if states.shape == (batch, tokens, heads, width):
        yield states.transpose(1, 2), False
    if states.shape == like.shape:
        yield states, False
    if states.shape == (batch, tokens, heads * width):
        yield states.unflatten(-1, (heads, width)).transpose(1, 2), heads > 1


def _equal(one: Tensor, other: Tensor) -> bool:
    tokens = one.shape[2]
    step = -(-tokens // _LOOKED_AT)
    return torch.equal(one[:, :, ::step], other[:, :, ::step])


def find_norm(calls: Sequence[Call], *, given: Tensor | None = None, result: Tensor | None = None) -> HeadNorm | None:
    """Return the norm that got, or returned, some states `[B, heads, l, d]`; its raw channels are what it got."""
    if (found := _call_with(calls, given=given, result=result)) is None:
        return None
    call, spans = found
    like = given if given is not None else result
    assert like is not None
    raw = next(one for one, other in _arranged(call.given, like) if other == spans)
    return HeadNorm(raw, call.module, spans, not _is_plain(call))


def _call_with(
    calls: Sequence[Call], *, given: Tensor | None = None, result: Tensor | None = None
) -> tuple[Call, bool] | None:
    """Return the call that got or returned some states `[B, heads, l, d]`, and whether it had all heads together."""
    for call in calls:
        for mine, theirs in ((call.given, given), (call.result, result)):
            if theirs is None:
                continue
            for one, spans in _arranged(mine, theirs):
                if _equal(one, theirs):
                    return call, spans
    return None


def _is_plain(call: Call) -> bool:
    """Say whether a norm only divides by the root of the mean square and multiplies by weights."""
    rows = call.given[:1, :8]
    if rows.ndim == 4:
        rows = rows[:, :, :8]
    flat = rows.reshape(1, -1, rows.shape[-1])
    growth = HeadNorm(flat, call.module, spans_heads=False).growth()[0, :, 0]
    without = rows.clone()
    without[..., 0] = 0
    try:
        before, after = (call.module(one).reshape(flat.shape)[0].float() for one in (rows, without))
    except (RuntimeError, ValueError, TypeError, IndexError):
        return False
    expected = before * growth[:, None]
    expected[:, 0] = 0
    tolerance = 1e-2 if torch.finfo(rows.dtype).eps < 1e-4 else 0.3
    return _near(after - before, expected - before, tolerance)


def _gains(given: Tensor, result: Tensor) -> Tensor:
    """Return the weights `[d]` of a norm from what it gets and returns `[B, heads, l, d]`."""
    divided = given.float() * torch.rsqrt(given.float().square().mean(-1, keepdim=True).clamp_min(1e-30))
    gains: Tensor = (divided * result.float()).sum((0, 1, 2)) / divided.square().sum((0, 1, 2)).clamp_min(1e-30)
    return gains
