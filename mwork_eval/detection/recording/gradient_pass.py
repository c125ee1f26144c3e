"""A pass through the model and back, for the gradient of a document's log-probability along every activation."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import nn

from mwork_eval.detection.scoring.feed_forward_forms import Form, containers_of
from mwork_eval.detection.scoring.row_factors import first_tensor, watch_part
from mwork_eval.files.tensor_file import Array
from mwork_eval.models.blocks import Block
from mwork_eval.models.feed_forwards import FeedForward
from mwork_eval.models.find_head import find_head
from mwork_eval.models.head import OutputHead
from mwork_eval.models.layout import Layout
from mwork_eval.models.loss import next_token_losses
from mwork_eval.models.products import frozen
from mwork_eval.neurons.neuron_set import Place
from mwork_eval.neurons.structures import ATTENTION

Tensor = torch.Tensor


@dataclass(frozen=True)
class _Active:
    """A tensor of activations `[rows, channels]`.

    Attributes:
        values: It.
        channels: By place, which of its channels are neurons and the index of the first of these; None for all.
        output: What comes out of the block that the rows are added up in; None if they are the tokens in their order.
    """

    values: Tensor
    channels: Mapping[Place, tuple[Tensor | None, int]]
    output: list[Tensor] | None = None


class GradientPass:
    """Runs documents through a model and back, one at a time; gradients are taken along activations alone."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    @cached_property
    def _head(self) -> OutputHead | None:
        with torch.inference_mode(False):
            return find_head(self._layout.model)

    def attributions(
        self, tokens: Sequence[int], begun: int, forms: Mapping[tuple[int, int], Form]
    ) -> dict[Place, Array]:
        """Return |activation x gradient of the mean log-probability of the tokens|, averaged over tokens.

        The model is left as it was, also after an exception: hooks come off, and parameters learn as before.

        Args:
            tokens: The document.
            begun: How many of its first tokens, 0 or 1, only begin it and do not count.
            forms: The forms of the feed-forwards; those that are recomputed are left out.

        Returns:
            Per (layer, structure) float32 `[neurons]`.
        """
        active: list[_Active] = []
        head = self._head
        with torch.inference_mode(False), torch.enable_grad(), frozen(self._layout.model), ExitStack() as undo:
            watched = self._watch(active, forms, undo)
            loss = self._loss(head, tokens)
            given = [one.values for one in active]
            gradients = torch.autograd.grad(loss, given, allow_unused=True, retain_graph=bool(begun))
            found = {place: torch.zeros(self._layout.shape.sizes[place[0]][place[1]]) for place in watched}
            for one, gradient in zip(active, gradients, strict=True):
                _add(found, one, gradient, begun, len(tokens))
        return {place: total.numpy() for place, total in found.items()}

    def _loss(self, head: OutputHead | None, tokens: Sequence[int]) -> Tensor:
        ids = torch.tensor([list(tokens)], device=self._layout.device)
        if head is None:
            states: Tensor = self._layout.model(input_ids=ids, use_cache=False).logits[0, :-1]
            losses = nn.functional.cross_entropy(states.float(), ids[0, 1:].to(states.device), reduction="none")
        else:
            states = self._layout.decoder(input_ids=ids, use_cache=False).last_hidden_state[0, :-1]
            losses = next_token_losses(head, states, ids[0, 1:].to(states.device))
        return losses.sum() / max(1, len(tokens) - 1)

    def _watch(
        self, active: list[_Active], forms: Mapping[tuple[int, int], Form], undo: ExitStack[bool | None]
    ) -> set[Place]:
        """Collect what is active as it comes; return the places that are watched."""
        layout = self._layout
        watched = {place for place in layout.blocks if place[1] in ATTENTION}

        def begin(_: nn.Module, __: tuple[Any, ...], output: Tensor) -> Tensor:
            return output.detach().requires_grad_().clone()  # what comes after may be changed in place

        undo.callback(layout.model.get_input_embeddings().register_forward_hook(begin).remove)  # type: ignore[operator]
        outputs: dict[nn.Module, dict[Place, Block]] = {}
        for (layer, structure), blocks in layout.blocks.items():
            for block in blocks if structure in ("q", "k", "v") else ():
                outputs.setdefault(block.module, {})[layer, structure] = block
            for block in blocks if structure == "o" else ():
                _watch_input(active, block.module, {(layer, structure): (None, block.start)}, undo)
        for module, of_it in outputs.items():
            _watch_output(
                active, module, {place: (block.channels, block.start) for place, block in of_it.items()}, undo
            )
        for layer in range(layout.shape.layers):
            for container in containers_of(layout, layer):
                shown: list[Tensor] = []
                for number, part in container.parts.items():
                    form = forms.get((layer, number), Form("plain"))
                    if form.kind != "recomputed":
                        watched.add((layer, "up"))
                        start = layout.blocks[layer, "up"][number].start
                        _watch_switches(active, (layer, "up"), start, part, form, shown, undo)
                if any(part.kind != "dense" for part in container.parts.values()):
                    keep = lambda _, __, output, shown=shown: shown.append(first_tensor(output))  # noqa: E731
                    undo.callback(container.module.register_forward_hook(keep).remove)
        return watched


def _add(found: dict[Place, Tensor], one: _Active, gradient: Tensor | None, begun: int, length: int) -> None:
    """Add the mean over tokens of |activation x gradient| where it belongs."""
    if gradient is None:  # the loss does not depend on it
        return
    each = (one.values.detach().float() * gradient.float()).abs().flatten(0, -2)
    counted = each[begun:] if one.output is None or not begun else each[~_of_first_token(one)]
    total = (counted.sum(0) / max(1, length - begun)).cpu()
    for place, (channels, start) in one.channels.items():
        own = total if channels is None else total[channels.cpu()]
        found[place][start : start + len(own)] += own


def _of_first_token(one: _Active) -> Tensor:
    """Say which rows `[rows]` are added to the output of the first token: those that its output depends on."""
    assert one.output
    states = one.output[0]
    first = states.flatten(0, -2)[0]
    direction = torch.randn(first.shape, generator=torch.Generator().manual_seed(0)).to(first)
    (gradient,) = torch.autograd.grad(first, one.values, direction, retain_graph=True, allow_unused=True)
    rows = one.values.flatten(0, -2)
    if gradient is None:
        return torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
    return gradient.flatten(0, -2).ne(0).any(-1)


def _watch_output(
    active: list[_Active],
    module: nn.Module,
    channels: Mapping[Place, tuple[Tensor | None, int]],
    undo: ExitStack[bool | None],
) -> None:
    def keep(_: nn.Module, __: tuple[Any, ...], output: Tensor) -> Tensor:
        active.append(_Active(output, channels))
        return output.clone()  # what comes after may change it in place

    undo.callback(module.register_forward_hook(keep).remove)


def _watch_input(
    active: list[_Active],
    module: nn.Module,
    channels: Mapping[Place, tuple[Tensor | None, int]],
    undo: ExitStack[bool | None],
) -> None:
    def keep(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        own = args[0].clone()  # that of this product alone
        active.append(_Active(own, channels))
        return own, *args[1:]

    undo.callback(module.register_forward_pre_hook(keep).remove)


def _watch_switches(
    active: list[_Active],
    place: Place,
    start: int,
    part: FeedForward,
    form: Form,
    shown: list[Tensor],
    undo: ExitStack[bool | None],
) -> None:
    if form.before is not None:
        _watch_input(active, form.before.module, {place: (None, start)}, undo)
        return
    width = part.blocks["up"].size // max(part.blocks["up"].experts, 1)

    def keep(expert: int, hidden: Tensor) -> Tensor:
        unordered = None if part.kind == "dense" else shown
        own = hidden.clone()
        active.append(_Active(own, {place: (None, start + expert * width)}, unordered))
        return own

    watch_part(part, undo, before=keep)
