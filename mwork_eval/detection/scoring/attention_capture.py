"""Attention during a captured forward pass: read what it is given, prove the formulas once, and show each document."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch

from mwork_eval.detection.scoring.activation_listener import ActivationListener
from mwork_eval.detection.scoring.angles import Angles
from mwork_eval.detection.scoring.attention import Attention
from mwork_eval.detection.scoring.attention_replay import of_document
from mwork_eval.detection.scoring.captured import CapturedAttention
from mwork_eval.detection.scoring.core import Core
from mwork_eval.detection.scoring.head_norm import HeadNorm
from mwork_eval.detection.scoring.masks import Masks
from mwork_eval.detection.scoring.outside import Watch
from mwork_eval.detection.scoring.path import Paths, find_norm, find_paths
from mwork_eval.detection.scoring.proof import formula_of_values, heads_are_apart, queries_and_keys_hold
from mwork_eval.detection.scoring.rotation import Rotation
from mwork_eval.detection.scoring.values import Output
from mwork_eval.detection.scoring.without import inputs_without, states_without
from mwork_eval.models.layout import Layout

Tensor = torch.Tensor

_MOST_BYTES = 2**30
"""Attention weights of a whole document that take more are not made, not even once to compare."""
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
        few_rows: Likewise, whether what is added to the scores of all rows is told by a few.
    """

    angles: Angles | None = None
    formulas: bool | None = None
    together: bool | None = None
    values: str | None = None
    by_eager: bool | None = None
    keys_of: int | None = None
    scale: float | None = None
    few_rows: bool | None = None


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
        self,
        layout: Layout,
        sink: AttentionSink,
        lengths: Sequence[int],
        known: dict[tuple[int, int], Known],
        listener: ActivationListener | None = None,
    ) -> None:
        """Take a batch.

        Args:
            layout: The model.
            sink: Receives the documents.
            lengths: Their numbers of tokens.
            known: What earlier batches found out, by layer and part; what this one finds out is added.
            listener: Receives the activations.
        """
        self._listener = listener
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
            told = self._as_eager(captured, core, states, mask, options)
            if told is False:
                captured.by_eager = True
                core = captured.attend(states, mask, options)
            if self._lengths[self._longest] >= _LEAST_TOKENS and told is not None:
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
    ) -> bool | None:
        """Say whether the arguments tell all that the model's own attention function does.

        Returns:
            None if the attention weights of the longest document, of which that function makes a few, are too large.
        """
        document, length = self._longest, self._lengths[self._longest]
        batch, heads, tokens = states[0].shape[:3]
        if 16 * heads * tokens**2 > _MOST_BYTES:
            return None
        whole = self.masks.whole(mask, core.window, states[0])
        alone, options = (of_document(one, batch, heads, document, 1) for one in ((*states, whole), options))
        eager = captured.eager_output(alone[:3], alone[3], options)
        if eager is None:
            return True
        only = [length if number == document else 0 for number in range(len(self._lengths))]
        ours = captured.heads(core, only)[document, :, :length].transpose(0, 1).float()
        theirs = eager[0, :length].reshape(ours.shape).float()
        tolerance = 1e-3 if torch.finfo(eager.dtype).eps < 1e-4 else 5e-2
        return bool((ours - theirs).square().sum() <= tolerance**2 * theirs.square().sum())

    def _reached_output(self, captured: CapturedAttention, inputs: Tensor) -> None:
        if not captured.attention.interface:
            about = self._about(captured)
            captured.scale, captured.few_rows = about.scale, about.few_rows
            seen = captured.see(self._longest)
            if self._lengths[self._longest] >= _LEAST_TOKENS:
                about.scale, about.few_rows = captured.scale, captured.few_rows
            self._show(captured, seen)
        inputs = inputs.reshape(len(self._lengths), -1, inputs.shape[-1])
        if self._listener is not None:
            captured.show(inputs, self._listener)
        about, source = self._about(captured), self._source(captured)
        value_norm = self._value_norm(captured)
        output_norm = find_norm(captured.calls, result=inputs[:, None])
        values = about.values
        if values is None:
            values = (
                source.values
                if source
                else formula_of_values(
                    captured, self._longest, self._lengths[self._longest], inputs, value_norm, output_norm
                )
            )
            if self._lengths[self._longest] >= _LEAST_TOKENS:
                about.values = values
        heads, core = captured.attention.heads, captured.reached()
        for document, length in enumerate(self._lengths):
            output = Output(
                inputs[document, :length],
                captured.part,
                heads.query,
                core.value.shape[1],
                about.keys_of,
                None if output_norm is None else replace(output_norm, raw=output_norm.raw[document, :, :length]),
                values,
                inputs_without(captured, document, length) if values.startswith("replayed") else None,
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
            without = states_without(captured, source.captured if source else captured, document, length)
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
