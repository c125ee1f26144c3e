"""Attention during a captured forward pass: read what it is given, prove the formulas once, and show each document."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch

from mwork_eval.detection.scoring.angles import Angles
from mwork_eval.detection.scoring.attention import Attention, Without
from mwork_eval.detection.scoring.captured import CapturedAttention
from mwork_eval.detection.scoring.core import Core
from mwork_eval.detection.scoring.head_norm import HeadNorm
from mwork_eval.detection.scoring.masks import Masks
from mwork_eval.detection.scoring.outside import Watch
from mwork_eval.detection.scoring.path import Paths, find_norm, find_paths
from mwork_eval.detection.scoring.proof import (
    heads_are_apart,
    normed_values_without,
    queries_and_keys_hold,
    values_are_apart,
    values_hold,
)
from mwork_eval.detection.scoring.rotation import Rotation
from mwork_eval.detection.scoring.values import Output
from mwork_eval.models.layout import Layout

Tensor = torch.Tensor

_LEAST_TOKENS = 8
"""What is found of shorter documents is not kept for later ones: they do not tell enough."""


class AttentionSink(Protocol):
    """Receives what attention sees of each document."""

    def attention(self, layer: int, document: int, seen: Attention) -> Tensor:
        """Take a document's attention and return its output per head `[H, l, d_v]`."""

    def attention_output(self, layer: int, document: int, output: Output) -> None:
        """Take what goes into the output projection for a document."""


@dataclass
class Known:
    """What earlier batches found out about an attention.

    Attributes:
        angles: The angles of its rotation, or None.
        formulas: Whether formulas tell what zeroing a neuron of q or k does; None if that is not known yet.
        values: Likewise of v: `plain`, `normed`, `before a norm`, `replayed` or `replayed one by one`.
        together: Where no formula tells, whether zeroing a neuron of q or k leaves other heads as they are.
        by_eager: Whether its attention function is read by what it does; None if that is not known yet.
        keys_of: The layer whose keys and values it uses; None for its own, or if that is not known yet.
        scale: Factor of the scores, where it was seen at work; None if that is not known yet.
    """

    angles: Angles | None = None
    formulas: bool | None = None
    together: bool | None = None
    values: str | None = None
    by_eager: bool | None = None
    keys_of: int | None = None
    scale: float | None = None


@dataclass(frozen=True)
class _Keys:
    """The keys and values of a layer, for layers that use them."""

    captured: CapturedAttention
    key: Tensor
    paths: Paths | None
    value_norm: HeadNorm | None
    values: str


class AttentionCapture:
    """All softmax attention of a model during one captured forward pass."""

    def __init__(
        self, layout: Layout, sink: AttentionSink, lengths: Sequence[int], known: dict[tuple[int, int], Known]
    ) -> None:
        """Take a batch.

        Args:
            layout: The model.
            sink: Receives the documents.
            lengths: Their numbers of tokens.
            known: What earlier batches found out, by layer and part; what this one finds out is added.
        """
        self._sink, self._lengths, self._known = sink, lengths, known
        self._longest = max(range(len(lengths)), key=lengths.__getitem__)
        self.masks, self.watch = Masks(), Watch()
        self._attentions: dict[int, CapturedAttention] = {}
        self._keys: dict[int, _Keys] = {}
        for number, of_layer in enumerate(layout.attentions):
            for part, one in enumerate(of_layer):
                with_one = {s: [a for a in of_layer if s in a.projections].index(one) for s in one.projections}
                blocks = {s: layout.blocks[number, s][at] for s, at in with_one.items()}
                captured = CapturedAttention(number, part, one, blocks, self.watch, self.masks, len(lengths))
                captured.by_eager = bool(self._about(captured).by_eager)
                if one.keys_of is not None:
                    self._about(captured).keys_of = one.keys_of
                self._attentions[id(one.module)] = captured
        users = [self._about(one).keys_of for one in self._attentions.values() if "k" not in one.blocks]
        # Until it is known whose keys they use, all keys are kept.
        self._shared = set(users) if None not in users else set(range(len(layout.layers)))
        self.outside = not all(one.attention.interface for one in self._attentions.values())

    def hooks(self) -> list[Any]:
        """Register the hooks of all attention modules."""
        return [
            hook
            for one in self._attentions.values()
            for hook in one.hooks(lambda inputs, one=one: self._reached_output(one, inputs))  # type: ignore[misc]
        ]

    def attend(
        self, module: Any, states: tuple[Tensor, Tensor, Tensor], mask: Tensor | None, options: dict[str, Any]
    ) -> Tensor:
        """Attend in place of an attention function: return `[B, H, l, d_v]`."""
        captured = self._attentions[id(module)]
        core = captured.attend(states, mask, options)
        if captured.replaying is not None:
            return captured.heads(core)
        about = self._about(captured)
        if about.by_eager is None:
            if not self._as_eager(captured, core, states, mask, options):
                captured.by_eager = True
                core = captured.attend(states, mask, options)
            if self._lengths[self._longest] >= _LEAST_TOKENS:
                about.by_eager = captured.by_eager
        return self._show(captured, core)

    def _about(self, captured: CapturedAttention) -> Known:
        return self._known.setdefault((captured.number, captured.part), Known())

    def _as_eager(
        self,
        captured: CapturedAttention,
        core: Core,
        states: tuple[Tensor, Tensor, Tensor],
        mask: Tensor | None,
        options: dict[str, Any],
    ) -> bool:
        """Say whether the arguments tell all that the model's own attention function does."""
        eager = captured.eager_output(states, self.masks.whole(mask, core.window, states[0]), options)
        if eager is None:
            return True
        length = self._lengths[self._longest]
        alone = [length if number == self._longest else 0 for number in range(len(self._lengths))]
        ours = captured.heads(core, alone)[self._longest, :, :length].transpose(0, 1).float()
        theirs = eager[self._longest, :length].reshape(ours.shape).float()
        tolerance = 1e-3 if torch.finfo(eager.dtype).eps < 1e-4 else 5e-2
        return bool((ours - theirs).square().sum() <= tolerance**2 * theirs.square().sum())

    def _reached_output(self, captured: CapturedAttention, inputs: Tensor) -> None:
        if not captured.attention.interface:
            captured.scale = self._about(captured).scale
            core = captured.see(self._longest)
            if self._lengths[self._longest] >= _LEAST_TOKENS:
                self._about(captured).scale = captured.scale
            self._show(captured, core)
        inputs = inputs.reshape(len(self._lengths), -1, inputs.shape[-1])
        about, source = self._about(captured), self._source(captured)
        value_norm = self._value_norm(captured)
        output_norm = find_norm(captured.calls, result=inputs[:, None])
        values = about.values
        if values is None:
            values = source.values if source else self._values(captured, inputs, value_norm, output_norm)
            if self._lengths[self._longest] >= _LEAST_TOKENS:
                about.values = values
        core, heads = captured.core, captured.attention.heads
        assert core is not None
        for document, length in enumerate(self._lengths):
            output = Output(
                inputs[document, :length],
                captured.part,
                heads.query,
                core.value.shape[1],
                about.keys_of,
                None if output_norm is None else replace(output_norm, raw=output_norm.raw[document, :, :length]),
                values,
                self._inputs_without(captured, document, length) if values.startswith("replayed") else None,
            )
            self._sink.attention_output(captured.number, document, output)
        if captured.number in self._shared and "k" in captured.blocks:
            self._keys[captured.number] = _Keys(captured, core.key, self._paths(captured, core), value_norm, values)
        else:
            captured.forget()

    def _source(self, captured: CapturedAttention) -> _Keys | None:
        """Return the keys and values of the layer that another one's are, found by what they are, or None."""
        about = self._about(captured)
        if "k" in captured.blocks:
            return None
        if about.keys_of is None and captured.core is not None:
            pointer = captured.core.key.data_ptr()
            about.keys_of = next((n for n, one in self._keys.items() if one.key.data_ptr() == pointer), None)
        if about.keys_of is None:
            raise captured.not_understood("it has no keys, and uses none of an earlier layer")
        return self._keys[about.keys_of]

    def _value_norm(self, captured: CapturedAttention) -> HeadNorm | None:
        if (source := self._source(captured)) is not None:
            return source.value_norm
        raw = captured.raw("v")
        return None if raw is None else find_norm(captured.calls, given=raw)

    def _paths(self, captured: CapturedAttention, core: Core) -> Paths | None:
        query, key, about = captured.raw("q"), captured.raw("k"), self._about(captured)
        if query is None or about.formulas is False:
            return None
        given = [*captured.given[0], *captured.given[1].values()]
        keys = None if key is None else (key, core.key)
        paths = find_paths((query, core.query), keys, captured.calls, given, about.angles)
        source = self._source(captured)
        if paths is None or source is None or key is not None:
            return paths
        # The pairs of the other layer's keys must be those of these queries.
        if source.paths is None or source.paths.angles.pairs != paths.angles.pairs:
            return None
        return replace(paths, key=source.paths.key)

    def _show(self, captured: CapturedAttention, core: Core) -> Tensor:
        """Give the sink every document without its padding; return the output of the batch `[B, H, l, d_v]`."""
        about = self._about(captured)
        paths = self._paths(captured, core)
        value_norm = self._value_norm(captured)
        formulas = about.formulas
        if paths is None:
            formulas = False
        elif formulas is None:
            length = self._lengths[self._longest]
            seen = self._seen(captured, core, paths, value_norm, self._longest, length)
            formulas = all(queries_and_keys_hold(captured, self._longest, seen))
        together = about.together
        if not formulas and together is None:
            together = heads_are_apart(captured, self._longest, self._lengths[self._longest])
        if self._lengths[self._longest] >= _LEAST_TOKENS:
            about.formulas, about.together = formulas, together
            about.angles = None if paths is None else paths.angles
        heads = core.query.new_zeros(*core.query.shape[:3], core.value.shape[-1])
        for document, length in enumerate(self._lengths):
            seen = self._seen(captured, core, paths if formulas else None, value_norm, document, length)
            seen = seen if together is not False else replace(seen, together=False)
            heads[document, :, :length] = self._sink.attention(captured.number, document, seen).to(heads.dtype)
        return heads

    def _seen(
        self,
        captured: CapturedAttention,
        core: Core,
        paths: Paths | None,
        value_norm: HeadNorm | None,
        document: int,
        length: int,
    ) -> Attention:
        parts = core.parts_of(document, length)
        of_values = None if value_norm is None else replace(value_norm, raw=value_norm.raw[document, :, :length])
        source = self._source(captured)
        width = (source.captured if source else captured).blocks["k"].size // core.key.shape[1]
        common: dict[str, Any] = {
            "value_norm": of_values if self._about(captured).values in (None, "normed") else None,
            "part": captured.part,
            "key_layer": self._about(captured).keys_of,
            "key_width": width if width < core.key.shape[-1] else None,
        }
        if paths is None or paths.key is None:
            rotation = Rotation.none(length, core.query.shape[-1], core.query.device)
            without = self._without(captured, document, length)
            return Attention(**parts, rotation=rotation, query_norm=None, key_norm=None, without=without, **common)
        parts |= {name: paths.angles.unpermuted(parts[name]) for name in ("query", "key")}
        rotation, of_keys = paths.query.rotation_of(length), paths.key.rotation_of(length)
        return Attention(
            **parts,
            rotation=rotation,
            query_norm=paths.query.norm_of(document, length),
            key_norm=paths.key.norm_of(document, length),
            key_rotation=None if paths.key.rotation is paths.query.rotation else of_keys,
            **common,
        )

    def _values(
        self, captured: CapturedAttention, inputs: Tensor, value_norm: HeadNorm | None, output_norm: HeadNorm | None
    ) -> str:
        """Say which formula tells what zeroing a value neuron does."""
        if "v" not in captured.blocks:
            return "plain"  # the keys are the values (Gemma 4), and none has a score as a value
        core, document = captured.core, self._longest
        assert core is not None
        length = self._lengths[document]
        own = inputs[document, :length].float()
        per_group = captured.attention.heads.query // core.value.shape[1]
        width = own.shape[-1] // captured.attention.heads.query
        rotation = Rotation.none(length, 0, own.device)
        parts = core.parts_of(document, length)
        of_values = None if value_norm is None else replace(value_norm, raw=value_norm.raw[document, :, :length])
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
        holding = (name for name, one in formulas.items() if values_hold(captured, document, seen, one))
        if (found := next(holding, None)) is not None:
            return found
        return "replayed" if values_are_apart(captured, document, length) else "replayed one by one"

    def _without(self, captured: CapturedAttention, document: int, length: int) -> Without:
        """Return what gives queries and keys of a document without some neurons, by running the module again."""
        source = self._source(captured)
        of_keys = source.captured if source else captured

        def without(channels: Tensor, head: int | None) -> tuple[Tensor, Tensor]:
            sides = (("q", captured), ("k", of_keys))
            zeroed = [{s: _in_heads(one, s, int(i), head) for s, one in sides} for i in channels]
            query, key = captured.states(document, zeroed)
            if of_keys is not captured:
                key = of_keys.states(document, zeroed)[1]
            return query[:, :, :length], key[:, :, :length]

        return without

    def _inputs_without(
        self, captured: CapturedAttention, document: int, length: int
    ) -> Callable[[Tensor, int | None], Tensor]:
        def without(channels: Tensor, head: int | None) -> Tensor:
            zeroed = [{"v": _in_heads(captured, "v", int(i), head)} for i in channels]
            return captured.inputs(document, zeroed)[:, :length]

        return without


def _in_heads(captured: CapturedAttention, structure: str, channel: int, head: int | None) -> Tensor:
    """Return the neurons of one channel in one head, or in every head; none if it has no neurons."""
    count = captured.attention.heads.query if structure == "q" else captured.attention.heads.groups
    width = captured.blocks[structure].size // count
    heads = torch.arange(count) if head is None else torch.arange(head, min(head + 1, count))
    return heads * width + channel if channel < width else heads[:0]
