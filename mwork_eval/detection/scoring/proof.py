"""Whether a formula tells what zeroing a neuron does: some neurons are zeroed, and the module is run again."""

from collections.abc import Callable
from dataclasses import replace

import torch

from mwork_eval.detection.scoring.attention import Attention
from mwork_eval.detection.scoring.captured import CapturedAttention
from mwork_eval.detection.scoring.head_norm import HeadNorm
from mwork_eval.detection.scoring.recomputed import without
from mwork_eval.detection.scoring.rotation import Rotation

Tensor = torch.Tensor

_NEURONS = 2
_TOLERANCE = 0.02
"""Largest relative error of a change that a formula predicts, in float32."""
_MEMORY = 2**28


def queries_and_keys_hold(captured: CapturedAttention, document: int, seen: Attention) -> tuple[bool, bool]:
    """Say whether the formulas for queries and for keys tell what zeroing one of their neurons does.

    Args:
        captured: The attention, within its forward pass.
        document: A document of the batch.
        seen: What attention sees of it, in the order of channels of the projections.
    """
    length = seen.query.shape[1]
    heads, width = len(seen.query), seen.query.shape[-1]
    groups, kept = len(seen.key), seen.key_width or width
    drawn = [(2 * n + 1) / (2 * _NEURONS) for n in range(_NEURONS)]
    queries = [(int(x * heads), int(x * width)) for x in drawn]
    keys = [(int(x * groups), int(x * kept)) for x in drawn]
    own = "k" in captured.blocks
    zeroed = [
        {"q": torch.tensor([h * width + i])} | ({"k": torch.tensor([g * kept + j])} if own else {})
        for (h, i), (g, j) in zip(queries, keys, strict=True)
    ]
    states = captured.states(document, [{}, *zeroed])
    found = []
    for side, neurons in ((0, queries), (1, keys)):
        actual = states[side][:, :, :length]
        original = (seen.query, seen.key)[side]
        norm = (seen.query_norm, seen.key_norm)[side]
        rotation = seen.rotation if side == 0 else seen.key_rotation or seen.rotation
        order = _order(actual[0], original)
        if order is None:
            found.append(False)
            continue
        predicted = [without_one(original, norm, rotation, *neuron) for neuron in neurons]
        pairs = zip(predicted, actual[1:], strict=True)
        found.append(all(_near(p, a[..., order], original) for p, a in pairs) or (side == 1 and not own))
    return found[0], found[1]


def _order(actual: Tensor, original: Tensor) -> Tensor | None:
    """Return which channels of the module's states are those of the projection's order; None if not the same states."""
    width = original.shape[-1]
    plain = torch.arange(width, device=original.device)
    if _same(actual, original):
        return plain
    at = [int(i) for i in (actual.float()[..., None, :] - original.float()[..., None]).abs().amax((0, 1)).argmin(-1)]
    order = torch.tensor(at, device=original.device)
    return order if _same(actual[..., order], original) else None


def _same(one: Tensor, other: Tensor) -> bool:
    tolerance = 1e-3 if torch.finfo(other.dtype).eps < 1e-4 else 5e-2
    return bool((one.float() - other.float()).square().sum() <= tolerance**2 * other.float().square().sum())


def _near(predicted: Tensor, actual: Tensor, original: Tensor) -> bool:
    change = (actual.float() - original.float()).square().sum()
    tolerance = _TOLERANCE if torch.finfo(original.dtype).eps < 1e-4 else 0.3
    noise = (4 * torch.finfo(original.dtype).eps) ** 2 * original.float().square().sum()
    return bool((predicted - actual.float()).square().sum() <= tolerance**2 * change + noise)


def without_one(states: Tensor, norm: HeadNorm | None, rotation: Rotation, head: int, channel: int) -> Tensor:
    """Return queries or keys `[heads, l, d]` with one neuron zeroed, by the formula."""
    changed = states.float().clone()
    if norm is not None and norm.centres and (norm.spans_heads or norm.gains is not None):
        return changed
    channels = torch.tensor([channel], device=states.device)
    changed[head] = without(states, norm, rotation, channels)[0, head]
    if norm is not None and norm.spans_heads:
        factor = norm.growth()[head, :, channel, None]
        others = torch.arange(len(states), device=states.device) != head
        changed[others] *= factor
    return changed


def values_hold(
    captured: CapturedAttention, document: int, seen: Attention, predict: Callable[[int, int], Tensor]
) -> bool:
    """Say whether a formula tells what zeroing a value neuron does to the input of the output projection.

    Args:
        captured: The attention, within its forward pass.
        document: A document of the batch.
        seen: What attention sees of it.
        predict: Gives the input `[l, channels]` without a channel of a group.
    """
    groups, length, width = seen.value.shape
    drawn = [(2 * n + 1) / 4 for n in range(2)]
    neurons = [(int(x * groups), int(x * width)) for x in drawn]
    zeroed = [{"v": torch.tensor([group * width + channel])} for group, channel in neurons]
    actual = captured.inputs(document, [{}, *zeroed])[:, :length]
    return all(_near(predict(*neuron), one, actual[0]) for neuron, one in zip(neurons, actual[1:], strict=True))


def heads_are_apart(captured: CapturedAttention, document: int, length: int) -> bool:
    """Say whether zeroing a neuron of q or k leaves the other heads as they are, where no formula tells.

    Raises:
        InputError: If running the module again gives something else than it gave.
    """
    one = {structure: torch.tensor([0]) for structure in "qk" if structure in captured.blocks}
    core = captured.reached()
    apart = True
    for states, first in zip(captured.states(document, [{}, one]), (core.query, core.key), strict=True):
        again, without_it = states[:, :, :length]
        if not _same(again, first[document, :, :length]):
            raise captured.not_understood("running it again gives something else")
        apart &= _same(without_it[1:], again[1:])
    return apart


def values_are_apart(captured: CapturedAttention, document: int, length: int) -> bool:
    """Say whether zeroing a value neuron leaves what other value heads give as it is, where no formula tells."""
    heads = captured.attention.heads
    again, without_it = captured.inputs(document, [{}, {"v": torch.tensor([0])}])[:, :length]
    own = again.shape[-1] // heads.groups
    return _same(without_it[:, own:], again[:, own:])


def normed_values_without(seen: Attention, group: int, channel: int) -> Tensor:
    """Return the attention output `[l, H·d_v]` without a value channel, where values are normed over each head."""
    assert seen.value_norm is not None
    value = seen.value.float().clone()
    value[group] *= seen.value_norm.growth()[group, :, channel, None]
    value[group, :, channel] = 0
    return replace(seen, value=value).heads(_MEMORY).transpose(0, 1).flatten(1)


def formula_of_values(
    captured: CapturedAttention,
    document: int,
    length: int,
    inputs: Tensor,
    value_norm: HeadNorm | None,
    output_norm: HeadNorm | None,
) -> str:
    """Return which formula tells what zeroing a value neuron does, as in `Output.values`.

    Args:
        captured: The attention, which has reached its output projection.
        document: A document of the batch.
        length: Its number of tokens.
        inputs: The input of the output projection `[B, l, channels]`.
        value_norm: What norms the values, or None; its raw channels are those of the batch.
        output_norm: What norms the input of the output projection, likewise.
    """
    core, own = captured.reached(), inputs[document, :length].float()
    per_group = captured.attention.heads.query // core.value.shape[1]
    width = own.shape[-1] // captured.attention.heads.query
    rotation = Rotation.none(length, 0, own.device)
    of_values = None if value_norm is None else replace(value_norm, raw=value_norm.raw[document, :, :length])
    parts = core.parts_of(document, length)
    seen = Attention(**parts, rotation=rotation, query_norm=None, key_norm=None, value_norm=of_values)

    def removed(states: Tensor, group: int, channel: int) -> Tensor:
        changed = states.clone().unflatten(-1, (-1, per_group, width))
        changed[..., group, :, channel] = 0
        together: Tensor = changed.flatten(-3)
        return together

    def before_norm(group: int, channel: int) -> Tensor:
        assert output_norm is not None
        raw = removed(output_norm.raw[document, :, :length], group, channel)
        found: Tensor = output_norm.module(raw)[0]
        return found.float()

    formulas: dict[str, Callable[[int, int], Tensor]] = {}
    if output_norm is not None and not output_norm.centres:
        formulas["before a norm"] = before_norm
    if of_values is not None and not of_values.centres and not of_values.spans_heads:
        formulas["normed"] = lambda group, channel: normed_values_without(seen, group, channel)
    formulas["plain"] = lambda group, channel: removed(own, group, channel)
    for name, one in formulas.items():
        if values_hold(captured, document, seen, one):
            return name
    return "replayed" if values_are_apart(captured, document, length) else "replayed one by one"
