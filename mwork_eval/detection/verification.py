"""Prove on a loaded model what was read of it: zero neurons in the weights, run their blocks again, compare the scores.

A layout that is read wrongly (rows of another head, halves changed over, an expert that is not seen) gives scores of
other neurons than those that are zeroed, and masks would switch those off.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mwork_eval.detection.agreement import REPORT, NeuronComparison, Verification
from mwork_eval.detection.layer_replay import Call, LayerReplay, Seen, computing_in, merged, recorded
from mwork_eval.detection.placement import misplaced, zero
from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.errors import InputError
from mwork_eval.files.tensor_file import Array
from mwork_eval.models.attention_choice import attending_by
from mwork_eval.models.blocks import Block
from mwork_eval.models.feed_forwards import FeedForward
from mwork_eval.models.forms import layers_of_each_form, layers_without_keys
from mwork_eval.models.layout import Layout
from mwork_eval.models.slice_editor import SliceEditor
from mwork_eval.neurons.neuron_set import Place
from mwork_eval.neurons.structures import ATTENTION, FEED_FORWARD

Tensor = torch.Tensor

TOKENS = 64
NEURONS = 8
_MOST_EXPERTS = 4
"""How many routed experts of a layer are looked into where each is a module; those with the highest scores."""


def verify(
    layout: Layout,
    token_ids: Sequence[int],
    *,
    neurons: int = NEURONS,
    layers: Sequence[int] | None = None,
    advance: Callable[[str, int], Any] = lambda label, n: None,
) -> Verification:
    """Compare scores with what zeroing neurons does, in some layers of each form.

    A layer is run again on the hidden states that were scored, in float32, with one neuron's weights and bias zero.
    The model is as before afterwards, bit by bit.

    Args:
        layout: The model, in evaluation mode.
        token_ids: A text; `TOKENS` are enough.
        neurons: How many are zeroed in each part of a structure, from 4: spread over it, and apart from q and k half
            of them those with the highest scores.
        layers: Which layers; the first, the middle and the last one and one of each form if not given.
        advance: Called after each layer with what is done next and 1.

    Raises:
        InputError: If weights are packed or offloaded, or the model cannot be scored.
    """
    if not layout.in_memory:
        raise InputError(
            "the layout cannot be verified",
            found="packed or offloaded weights",
            expected="plain weights in memory",
            hint="load the model without quantisation and offloading",
        )
    chosen = layers_to_verify(layout) if layers is None else list(layers)
    with _own_attention(layout), recorded(layout.layers) as attended, torch.inference_mode():
        layout.decoder(input_ids=torch.tensor([list(token_ids)], device=layout.device), use_cache=False)
    found = list(_misplaced(layout, attended, len(token_ids), chosen))
    if found:
        return Verification(tuple(found), layout.dtype, len(token_ids))
    with recorded(layout.layers) as scored:
        scores = _scores_of(layout, token_ids)
    calls = {number: merged(scored[number], call) for number, call in attended.items()}
    replay = LayerReplay(layout, calls, len(token_ids), torch.float32)
    for number in chosen:
        users = layers_without_keys(layout, number)
        with _own_attention(layout), _attending_in_float32(layout, number, *users) as moved:
            layer = _Layer(replay, number, moved)
            found += (one for structure in ATTENTION for one in layer.compare(structure, scores, neurons))
        with _own_attention(layout), computing_in([layout.layers[number]], torch.float32) as moved:
            layer = _Layer(replay, number, moved)
            found += (one for structure in FEED_FORWARD for one in layer.compare(structure, scores, neurons))
        advance(f"layer {number}", 1)
    return Verification(tuple(found), layout.dtype, len(token_ids))


def _own_attention(layout: Layout) -> AbstractContextManager[None]:
    """Let the model attend by its own code, where it otherwise calls what transformers has for all."""
    interface = any(one.interface for of_layer in layout.attentions for one in of_layer)
    return attending_by(layout.model, "eager") if interface else nullcontext()


def _attending_in_float32(layout: Layout, *numbers: int) -> AbstractContextManager[Callable[[Tensor], Tensor]]:
    """Let layers run in float32 up to what attention gives: the experts that come after it may be gigabytes."""
    parts = [part for number in numbers for part in layout.feed_forwards[number]]
    experts = {id(block.module): block.module for part in parts for block in part.blocks.values()}
    return computing_in([layout.layers[number] for number in numbers], torch.float32, list(experts.values()))


def _misplaced(
    layout: Layout, calls: Mapping[int, Call], tokens: int, layers: Sequence[int]
) -> Iterator[NeuronComparison]:
    replay = LayerReplay(layout, calls, tokens, torch.float32)
    for number in layers:
        with _own_attention(layout), _attending_in_float32(layout, number) as moved:
            for structure in ("q", "k"):
                if why := misplaced(replay, number, structure, moved):
                    yield NeuronComparison(number, structure, (), (), (), 0.0, why)


def _scores_of(layout: Layout, token_ids: Sequence[int]) -> dict[Place, Array]:
    try:
        return Scorer(layout).score([token_ids])[0]
    except torch.OutOfMemoryError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        # An architecture that nobody has tried may end anywhere.
        raise InputError(
            f"a model of type {layout.model_type} cannot be scored",
            found=f"{type(error).__name__}: {error}",
            hint=REPORT,
        ) from error


def layers_to_verify(layout: Layout) -> list[int]:
    """Return the first, the middle and the last layer, and the first of each form."""
    last = layout.shape.layers - 1
    return sorted({0, last // 2, last, *layers_of_each_form(layout)})


@dataclass(frozen=True)
class _Part:
    """A block, and where its neurons show: the number of an attention, or the module whose output counts.

    Rows of gate and up have the columns of down that come after them, too.
    """

    block: Block
    attention: int | None
    watched: nn.Module
    down: Block | None = None


class _Layer:
    """A layer whose neurons are zeroed one by one."""

    def __init__(self, replay: LayerReplay, number: int, moved: Callable[[Tensor], Tensor]) -> None:
        self._replay, self._number, self._moved = replay, number, moved
        self._layout = replay.layout
        self._before: dict[tuple[int, int, bool], Seen] = {}

    def compare(self, structure: str, scores: Mapping[Place, Array], neurons: int) -> Iterator[NeuronComparison]:
        """Yield the comparison of a structure, if the layer has it and its weights are the neurons."""
        place = self._number, structure
        if place not in self._layout.blocks:
            return
        parts = [part for part in self._parts(structure) if part.block.writable]
        if not parts:
            return
        if place not in scores:
            yield NeuronComparison(*place, (), (), (), 0.0, "it has neurons and no scores")
            return
        parts = _strongest(parts, scores[place])
        indices: list[int] = []
        changes: list[float] = []
        beside: list[float] = []
        rounding = 0.0
        for part in parts:
            start, end = part.block.start, part.block.start + part.block.size
            # A series is the least exact for the strongest neurons of q and k, which are few.
            strong = 0 if structure in ("q", "k") else neurons // 2
            sample = _sample(scores[place][start:end], neurons - strong, strong)
            try:
                found, own = self._changes(structure, part, sample)
                beside += self._changes_beside_down(structure, part, sample, found) if part.down is not None else []
            except LookupError as error:
                yield NeuronComparison(*place, (), (), (), 0.0, str(error))
                return
            indices += [start + index for index in sample]
            changes += found
            rounding = max(rounding, own)
        own_scores = tuple(float(scores[place][index]) for index in indices)
        # Scores may be nothing, too, where they are made by looking at the same rows.
        unseen = "" if max(changes) > rounding else "zeroing its neurons changes nothing"
        yield NeuronComparison(*place, tuple(indices), own_scores, tuple(changes), rounding, unseen, tuple(beside))

    def _parts(self, structure: str) -> Iterator[_Part]:
        blocks = iter(self._layout.blocks[self._number, structure])
        if structure in ("q", "k", "v", "o"):
            for index, one in enumerate(self._layout.attentions[self._number]):
                if structure in one.projections:
                    yield _Part(next(blocks), index, one.projections["o"].module)
            return
        parts = self._layout.feed_forwards[self._number]
        for part in parts:
            if structure in part.blocks:
                watched = _container(self._layout.layers[self._number], parts, part)
                yield _Part(next(blocks), None, watched, part.blocks["down"] if structure != "down" else None)

    def _changes(self, structure: str, part: _Part, sample: Sequence[int]) -> tuple[list[float], float]:
        """Return the change that each neuron makes, and what the rounding of float32 alone may make."""
        weights = structure in ("q", "k")
        shown = [(self._number, part)]
        if structure in ("k", "v"):
            shown += list(self._users(self._seen(self._number, part, weights)))
        before = [self._seen(number, one, weights) for number, one in shown]
        changes = []
        for index in sample:
            with SliceEditor() as editor:
                zero(editor, part.block, index, self._moved)
                after = [self._see(self._number, part, weights, None)]
                after += [self._see(number, one, weights, after[0]) for number, one in shown[1:]]
            pairs = zip(before, after, strict=True)
            changes.append(sum(float((one.value - two.value).double().square().sum()) for one, two in pairs))
        size = sum(float(one.value.double().square().sum()) for one in before)
        return changes, size * (4 * torch.finfo(torch.float32).eps) ** 2

    def _changes_beside_down(
        self, structure: str, part: _Part, sample: Sequence[int], alone: Sequence[float]
    ) -> list[float]:
        """Return what zero rows of gate or up change where the column of down is zero, as shares of what they do alone.

        A row that is the neuron's has nothing more to change there, whatever is computed from it.
        """
        assert part.down is not None
        found = []
        for index, change in zip(sample, alone, strict=True):
            with SliceEditor() as editor:
                zero(editor, part.down, index, self._moved)
                before = self._see(self._number, part, False, None)
                zero(editor, part.block, index, self._moved)
                after = self._see(self._number, part, False, None)
            found.append(float((before.value - after.value).double().square().sum()) / max(change, 1e-30))
        return found

    def _users(self, seen: Seen) -> Iterator[tuple[int, _Part]]:
        """Yield the attentions of later layers that use the keys and values of this one, which it was seen to make."""
        for number in layers_without_keys(self._layout, self._number):
            if not self._replay.uses(number, seen.shared):
                continue
            for index, one in enumerate(self._layout.attentions[number]):
                if "k" not in one.projections:
                    block = self._layout.blocks[number, "o"][index]
                    yield number, _Part(block, index, one.projections["o"].module)

    def _seen(self, number: int, part: _Part, weights: bool) -> Seen:
        key = number, id(part.watched), weights
        if key not in self._before:
            self._before[key] = self._see(number, part, weights, None)
        return self._before[key]

    def _see(self, number: int, part: _Part, weights: bool, earlier: Seen | None) -> Seen:
        shared = None if earlier is None else earlier.shared
        if weights:
            assert part.attention is not None
            return self._replay.attention_weights(number, part.attention, shared)
        return self._replay.output(number, part.watched, shared)


def _container(layer: nn.Module, parts: Sequence[FeedForward], part: FeedForward) -> nn.Module:
    """Return the module that a part of a feed-forward adds to: the one that holds all experts, or the part itself.

    Where its projections lie in the layer, it is that of down: what comes after it may be a norm.
    """
    if not part.path:
        return part.blocks["down"].module
    outer = part.path.rpartition(".")[0]
    while outer and isinstance(layer.get_submodule(outer), nn.ModuleList | nn.ModuleDict):
        outer = outer.rpartition(".")[0]
    beside = any(one is not part and one.path.startswith(f"{outer}.") for one in parts)
    return layer.get_submodule(outer) if outer and (part.kind != "dense" or beside) else part.module


def _strongest(parts: list[_Part], scores: Array) -> list[_Part]:
    """Return at most some of many parts: many are routed experts, of which most have seen no token."""
    if len(parts) <= _MOST_EXPERTS:
        return parts

    def total(part: _Part) -> float:
        return float(scores[part.block.start : part.block.start + part.block.size].sum())

    first = sorted(parts[:-1], key=total)[-_MOST_EXPERTS:]
    return [*sorted(first, key=lambda part: part.block.start), parts[-1]]


def _sample(scores: Array, spread: int, strong: int) -> list[int]:
    """Return the first, the last and others between them, and some of those with the highest scores."""
    even = {round(index * (len(scores) - 1) / (spread - 1)) for index in range(spread)}
    others = [int(index) for index in scores.argsort()[::-1] if int(index) not in even]
    return sorted({*even, *others[:strong]})
