"""What attention weights of a batch are computed from: read off the call of an attention function, or off its work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mwork_eval.detection.scoring.attention import Attention
from mwork_eval.detection.scoring.masks import Masks, window_of
from mwork_eval.detection.scoring.outside import Work
from mwork_eval.detection.scoring.rotation import Rotation

Tensor = torch.Tensor

_SINKS = ("s_aux", "sinks")
_BIASES = ("position_bias",)


@dataclass(frozen=True)
class Core:
    """What the attention weights of a batch are computed from (B documents, padded to l tokens).

    Attributes:
        query: `[B, H, l, d]`.
        key: `[B, G, l, d]`.
        value: `[B, G, l, d_v]`.
        scale: Factor of the scores.
        softcap: Their cap, or None.
        window: Number of tokens that a row sees, or None for all up to itself, or for a mask.
        mask: Added to the scores `[1 or B, 1 or H, l, l]`, or None.
        key_bias: Added to the scores of each key `[1 or B, H, l]`, or None.
        sink: A further logit `[1 or B, H, 1 or l]`, or None.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    scale: float
    softcap: float | None = None
    window: int | None = None
    mask: Tensor | None = None
    key_bias: Tensor | None = None
    sink: Tensor | None = None

    @classmethod
    def called(
        cls,
        module: Any,
        groups: int,
        states: tuple[Tensor, Tensor, Tensor],
        attention_mask: Tensor | None,
        options: Mapping[str, Any],
        masks: Masks,
    ) -> "Core":
        """Read the arguments that an attention function of transformers gets.

        Args:
            module: The attention module.
            groups: G.
            states: Queries, keys and values `[B, heads, l, width]`.
            attention_mask: As the model made it.
            options: The other arguments.
            masks: Those that were made for this forward pass.
        """
        query, key, value = states
        scale = options.get("scaling")
        window, mask = masks.read(attention_mask, query, options.get("sliding_window"))
        for name in _BIASES:
            if (bias := options.get(name)) is not None:
                bias = bias[..., : key.shape[2]].float()
                shown = masks.bias(window, query) if mask is None else mask
                mask, window = (bias + shown.float()).clamp_min(torch.finfo(torch.float32).min), None
        return cls(
            query=query,
            key=of_groups(key, groups),
            value=of_groups(value, groups),
            scale=query.shape[-1] ** -0.5 if scale is None else float(scale),
            softcap=options.get("softcap"),
            window=window,
            mask=mask,
            sink=_sink(module, options),
        )

    @classmethod
    def seen(cls, work: Work, groups: int, value: Tensor, scale: float, masks: Masks, few: bool = False) -> "Core":
        """Read what an attention module was seen to do.

        Args:
            work: What it did.
            groups: G.
            value: `[B, G, l, d_v]`.
            scale: Factor of the scores, where the softmax was seen.
            masks: Those that were made for this forward pass.
            few: Whether a few rows of scores may tell what is added to all.
        """
        key = of_groups(work.key, groups)
        if work.logits is None:
            window, mask = masks.read(work.mask, work.query, None)
            return cls(work.query, key, value, work.scale or work.query.shape[-1] ** -0.5, window=window, mask=mask)
        told = work.bias_of_keys(scale) if few else None
        if told is not None:
            window, of_keys = told
            key_bias = of_keys if window is None and bool(of_keys.any()) else None
            return cls(work.query, key, value, scale, window=window, key_bias=key_bias, sink=work.sink)
        bias = work.bias(scale)
        plain, window = window_of(bias)
        if plain:
            return cls(work.query, key, value, scale, window=window, sink=work.sink)
        key_bias = masks.of_keys(bias)
        mask = bias if key_bias is None else None
        return cls(work.query, key, value, scale, mask=mask, key_bias=key_bias, sink=work.sink)

    def parts_of(self, document: int, length: int) -> dict[str, Any]:
        """Return the arguments of `Attention` for a document without its padding."""

        def own(batch: Tensor | None, *dims: int) -> Tensor | None:
            if batch is None:
                return None
            one = batch[document if len(batch) > 1 else 0]
            for dim in dims:
                one = one.narrow(dim, 0, min(length, one.shape[dim]))
            return one

        return {
            "query": own(self.query, 1),
            "key": own(self.key, 1),
            "value": own(self.value, 1),
            "window": self.window,
            "key_bias": own(self.key_bias, 1),
            "scale": self.scale,
            "softcap": self.softcap,
            "mask": own(self.mask, 1, 2),
            "sink": own(self.sink, 1),
        }

    def heads(self, lengths: Sequence[int], memory: int) -> Tensor:
        """Return the attention output of the batch `[B, H, l, d_v]`, zero for padding."""
        found = self.query.new_zeros(*self.query.shape[:3], self.value.shape[-1])
        for document, length in enumerate(lengths):
            if not length:
                continue
            rotation = Rotation.none(0, 0, self.query.device)
            seen = Attention(**self.parts_of(document, length), rotation=rotation, query_norm=None, key_norm=None)
            found[document, :, :length] = seen.heads(memory).to(found.dtype)
        return found


def of_groups(states: Tensor, groups: int) -> Tensor:
    """Return keys or values `[B, G, l, d]`, where a model repeats them for the query heads of a group."""
    times = states.shape[1] // groups
    return states[:, ::times] if times > 1 else states


def _sink(module: Any, options: Mapping[str, Any]) -> Tensor | None:
    candidates = [options.get(name) for name in _SINKS] + [getattr(module, name, None) for name in _SINKS]
    sink = next((one.float() for one in candidates if isinstance(one, Tensor)), None)
    if sink is None or sink.ndim == 3:
        return sink
    return sink[None, :, None] if sink.ndim == 1 else sink[..., 0]
