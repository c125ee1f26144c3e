"""Rotary position embeddings as a linear map of a head's channels, in the layouts that model families use."""

from dataclasses import dataclass, replace
from typing import Literal

import torch

Tensor = torch.Tensor
Rotary = Literal["half", "interleaved", "none"]
"""How rotary embeddings pair the channels of a head: (k, k + r/2), (2k, 2k + 1), or not at all."""


@dataclass(frozen=True)
class Rotation:
    """The rotation R_i of every position i of one document (l tokens, d channels).

    R_i e_k = cos_ik e_k + sign_k sin_ik e_partner(k). Channels that are not rotated have cos 1 and sin 0.

    Attributes:
        cos: `[l, d]`, with every factor of a position in it: the attention factor of scaled rotary embeddings (YaRN,
            LongRoPE), and what a model multiplies its queries by at a position.
        sin: `[l, d]`, likewise.
        partner: `[d]`, the other channel of the pair; a channel that is not rotated is its own.
        sign: `[d]`, +1 for the first channel of a pair and -1 for the second.
        kind: How channels are paired.
        rotated: How many channels are.
        start: The first of them: 0, or what comes before the rotated part of a latent head.
    """

    cos: Tensor
    sin: Tensor
    partner: Tensor
    sign: Tensor
    kind: Rotary
    rotated: int
    start: int = 0

    @classmethod
    def of(cls, kind: Rotary, cos: Tensor, sin: Tensor, width: int, start: int = 0) -> "Rotation":
        """Build the rotation from a model's own cosines and sines `[l, r]`; the other d - r channels stay."""
        tokens, rotated = cos.shape
        channel = torch.arange(width, device=cos.device)
        place = channel - start
        inside = (place >= 0) & (place < rotated)
        if kind == "interleaved":
            partner, first = place ^ 1, place % 2 == 0
        else:
            partner, first = (place + rotated // 2) % max(rotated, 1), place < rotated // 2
        cosines, sines = cos.new_ones(tokens, width).float(), cos.new_zeros(tokens, width).float()
        cosines[:, start : start + rotated], sines[:, start : start + rotated] = cos, sin
        partner, sign = torch.where(inside, partner + start, channel), torch.where(inside & ~first, -1.0, 1.0)
        return cls(cosines, sines, partner, sign.to(cosines), kind, rotated, start)

    @classmethod
    def none(cls, tokens: int, width: int, device: torch.device) -> "Rotation":
        """Return the identity, for models without rotary embeddings."""
        channel = torch.arange(width, device=device)
        ones = torch.ones(tokens, width, device=device)
        return cls(ones, torch.zeros_like(ones), channel, torch.ones(width, device=device), "none", 0)

    def times(self, factors: Tensor) -> "Rotation":
        """Return the rotation with a factor for every position `[l]`."""
        return replace(self, cos=self.cos * factors[:, None], sin=self.sin * factors[:, None])

    def turned_off(self) -> "Rotation":
        """Return the same pairing without any rotation, for keys that are not rotated while queries are."""
        return replace(self, cos=torch.ones_like(self.cos), sin=torch.zeros_like(self.sin))

    def at(self, tokens: slice | Tensor) -> "Rotation":
        """Return the rotation of some positions."""
        return replace(self, cos=self.cos[tokens], sin=self.sin[tokens])

    def swap(self, channels: Tensor) -> Tensor:
        """Return `channels[..., partner]` by copying blocks, which is much faster than gathering."""
        if self.rotated == 0:
            return channels
        stop = self.start + self.rotated
        turned = channels[..., self.start : stop]
        if self.kind == "interleaved":
            turned = turned.unflatten(-1, (-1, 2)).flip(-1).flatten(-2)
        else:
            turned = turned.roll(self.rotated // 2, -1)
        if self.rotated == channels.shape[-1]:
            return turned
        return torch.cat([channels[..., : self.start], turned, channels[..., stop:]], -1)

    def undo(self, rotated: Tensor) -> Tensor:
        """Return the channels `[heads, l, d]` before the rotation."""
        turned = rotated * self.cos + self.sign * self.swap(rotated) * self.sin
        return turned / (self.cos.square() + self.sin.square())

    def apply(self, channels: Tensor) -> Tensor:
        """Rotate channels `[..., l, d]`."""
        return channels * self.cos - self.sign * self.swap(channels) * self.sin
