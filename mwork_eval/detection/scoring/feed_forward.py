"""Watch the feed-forward parts of a layer during a forward pass, and hand what their scores need to a sink."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import torch
from torch import nn

from mwork_eval.detection.scoring.activation_listener import ActivationListener
from mwork_eval.detection.scoring.feed_forward_forms import (
    Container,
    Form,
    containers_of,
    is_routing,
    routed_rows,
)
from mwork_eval.detection.scoring.norms import changes_after, changes_before
from mwork_eval.detection.scoring.row_factors import Traced, first_tensor, trace, watch_part
from mwork_eval.models.feed_forwards import FeedForward
from mwork_eval.models.layout import Layout
from mwork_eval.models.products import watch_projection, wrap_forward
from mwork_eval.neurons.structures import FEED_FORWARD

Tensor = torch.Tensor


@dataclass(frozen=True)
class Rows:
    """Activations of a part of a feed-forward.

    Attributes:
        hidden: Input of the last product or output of the up projection, `[B, l, d_inter]`, padding included, or
            `[n, d_inter]`.
        expert: Number of the expert, or 0.
        documents: Document of each row, -1 for padding `[n]`; None if it is the first axis.
        factors: What each row is multiplied by before it is added to the block's output `[n]`, or one for all.
        structures: The structures whose neurons these are.
    """

    hidden: Tensor
    expert: int = 0
    documents: Tensor | None = None
    factors: Tensor | float = 1.0
    structures: Sequence[str] = FEED_FORWARD


class FeedForwardSink(Protocol):
    """Receives the feed-forward of a batch of documents, layer by layer, during the forward pass."""

    def feed_forward(self, layer: int, part: int, structure: str, rows: Rows) -> None:
        """Take activations of the structure `down` or `up` in a part of the feed-forward."""

    def changes(self, layer: int, part: int, structures: Sequence[str], expert: int, found: Tensor) -> None:
        """Take what each neuron of an expert (or of the part) changes in each document `[B, d_inter]`."""


@dataclass(frozen=True)
class _Watch:
    layout: Layout
    layer: int
    container: Container
    forms: Mapping[tuple[int, int], Form]
    documents: Tensor  # [B, l], -1 for padding
    sink: FeedForwardSink
    listener: ActivationListener | None = None
    ups: dict[int, Tensor] = field(default_factory=dict)  # by part, until its last product runs

    def form(self, number: int) -> Form:
        return self.forms.get((self.layer, number), Form("traced"))

    def listen(self, number: int, expert: int, hidden: Tensor, tokens: Tensor | None = None) -> None:
        """Show the listener the activations of a part whose output of up was seen just before."""
        if self.listener is None:
            return
        part, up = self.container.parts[number], self.ups.pop(number, None)
        gate: Tensor | None = hidden
        if "gate" in part.blocks:
            # What the gate lets through is what up was multiplied by.
            gate = None if up is None else hidden / up.reshape(hidden.shape)
        self.listener.switches(self.layer, number, expert, hidden, gate, tokens)

    def down(self, number: int, expert: int = 0) -> Tensor:
        """Return W of the last product of an expert `[d_inter, d_model]`."""
        block = self.container.parts[number].blocks["down"]
        if block.experts and block.weight is not None:
            return block.weight[expert]  # not `neurons`, which copies those of all experts
        return block.neurons()

    def by_document(self, found: Tensor, documents: Tensor) -> Tensor:
        """Sum rows `[n, d_inter]` over each document."""
        total = torch.zeros(len(self.documents) + 1, found.shape[-1], device=found.device)
        return total.index_add_(0, documents.to(found.device) + 1, found.float())[1:]


def watch_feed_forward(
    layout: Layout,
    layer: int,
    forms: Mapping[tuple[int, int], Form],
    lengths: Sequence[int],
    sink: FeedForwardSink,
    undo: ExitStack[bool | None],
    listener: ActivationListener | None = None,
) -> None:
    """Hand the feed-forward of a layer to a sink until a stack is closed.

    Args:
        layout: The model.
        layer: The layer.
        forms: The forms of the parts, as `find_forms` gives them.
        lengths: Number of tokens of each document of the batch.
        sink: Receives it.
        undo: Takes the watch off.
        listener: Receives the activations.
    """
    position = torch.arange(max(lengths))
    rows = torch.arange(len(lengths))[:, None]
    documents = torch.where(position < torch.tensor(lengths)[:, None], rows, -1)
    for container in containers_of(layout, layer):
        watch = _Watch(layout, layer, container, forms, documents, sink, listener)
        slow = {}
        for number, part in container.parts.items():
            form = watch.form(number)
            if part.kind == "dense" or (part.kind == "expert" and listener is not None):
                _watch_up(watch, number, part, undo)
            if form.kind == "plain":
                _watch_plain(watch, number, part, form, undo)
            elif form.kind == "routed":
                hook = partial(_show_routed, watch, number)
                undo.callback(part.module.register_forward_pre_hook(hook, with_kwargs=True).remove)
            else:
                slow[number] = part
        if slow:
            wrap_forward(container.module, undo, partial(_run, watch, slow))


def _watch_plain(watch: _Watch, number: int, part: FeedForward, form: Form, undo: ExitStack[bool | None]) -> None:
    sink, layer = watch.sink, watch.layer
    batch, norm = len(watch.documents), form.before
    structures = FEED_FORWARD if norm is None else ("down",)

    def show_hidden(_: int, hidden: Tensor) -> Tensor:
        # OPT flattens documents and tokens.
        own = hidden.reshape(batch, -1, hidden.shape[-1])
        sink.feed_forward(layer, number, "down", Rows(own, factors=form.factor, structures=structures))
        if norm is None:
            watch.listen(number, 0, own)
        return hidden

    watch_projection(part.blocks["down"].module, undo, before=show_hidden)
    if norm is not None:

        def show_before(_: nn.Module, args: tuple[Tensor, ...]) -> None:
            inner = args[0].reshape(-1, args[0].shape[-1])
            found = form.factor**2 * changes_before(norm, inner, watch.down(number).to(inner.device))
            found = watch.by_document(found, watch.documents.flatten())
            sink.changes(layer, number, ("gate", "up"), 0, found)
            watch.listen(number, 0, args[0].reshape(batch, -1, inner.shape[-1]))

        undo.callback(norm.module.register_forward_pre_hook(show_before).remove)


def _watch_up(watch: _Watch, number: int, part: FeedForward, undo: ExitStack[bool | None]) -> None:
    up = part.blocks["up"]

    def show_up(_: nn.Module, __: tuple[Any, ...], output: Tensor) -> None:
        assert up.channels is not None
        own = output[..., up.channels.to(output.device)] if up.size != output.shape[-1] else output
        if watch.listener is not None:
            watch.ups[number] = own.detach()
        if part.kind == "dense":
            rows = Rows(own.reshape(len(watch.documents), -1, up.size))
            watch.sink.feed_forward(watch.layer, number, "up", rows)

    undo.callback(up.module.register_forward_hook(show_up).remove)


@torch.no_grad()
def _show_routed(watch: _Watch, number: int, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    call = tuple(value for value in (*args, *kwargs.values()) if isinstance(value, Tensor))
    assert is_routing(call)
    states, index, _ = call
    documents = watch.documents.flatten().to(states.device)
    count = watch.container.parts[number].blocks["down"].experts
    for expert in index[documents >= 0].unique().tolist():
        if expert >= count:  # more rows in the router than experts: some pass on what they get
            continue
        own = routed_rows(module, call, expert)
        factors = own.weights.float() * watch.form(number).factor
        watch.sink.feed_forward(watch.layer, number, "up", Rows(own.up, expert, documents[own.states]))
        watch.sink.feed_forward(watch.layer, number, "down", Rows(own.hidden, expert, documents[own.states], factors))
        if watch.listener is not None:
            tokens = torch.where(documents[own.states] < 0, -1, own.states)
            watch.listener.switches(watch.layer, number, expert, own.hidden, own.passed, tokens)


def _run(watch: _Watch, parts: Mapping[int, FeedForward], forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Run a block whose rows have factors of their own, or run it again and again."""
    traced = {n: part for n, part in parts.items() if watch.form(n).kind == "traced"}
    after = next((norm for n in traced if (norm := watch.form(n).after) is not None), None)
    total: list[Tensor] = []
    with ExitStack() as undo:
        if after is not None:
            undo.callback(after.module.register_forward_pre_hook(lambda _, given: total.append(given[0])).remove)
        if traced:
            until = None if after is None else after.module
            output, products = trace(watch.container.module, forward, args, kwargs, traced, until)
        else:
            output, products = forward(*args, **kwargs), []
    documents = watch.documents.flatten().to(first_tensor(output).device)
    for product in products:
        used = product.tokens >= 0
        rows = Rows(product.hidden[used], product.expert, documents[product.tokens[used]], product.factors[used])
        watch.listen(product.part, product.expert, product.hidden, product.tokens)
        if after is None:
            watch.sink.feed_forward(watch.layer, product.part, "down", rows)
        else:
            _show_normed(watch, product, rows, total[0].detach().flatten(0, -2)[product.tokens[used]])
    for number, part in parts.items():
        if number not in traced:
            for expert, structures, found in _recomputed(
                watch, number, part, output, partial(forward, *args, **kwargs)
            ):
                watch.sink.changes(watch.layer, number, structures, expert, found)
    return output


@torch.no_grad()
def _show_normed(watch: _Watch, product: Traced, rows: Rows, total: Tensor) -> None:
    after = watch.form(product.part).after
    assert after is not None
    assert rows.documents is not None
    assert isinstance(rows.factors, Tensor)
    hidden = rows.hidden.float() * rows.factors[:, None]
    found = changes_after(after, total, hidden, watch.down(product.part, product.expert).to(hidden.device))
    found = watch.by_document(found, rows.documents)
    watch.sink.changes(watch.layer, product.part, FEED_FORWARD, product.expert, found)


def _recomputed(
    watch: _Watch, number: int, part: FeedForward, output: Any, run: Callable[[], Any]
) -> Iterator[tuple[int, Sequence[str], Tensor]]:
    """Run a block again without each neuron."""
    block = part.blocks["down"]
    experts = max(block.experts, 1)
    width, states = block.size // experts, first_tensor(output)
    hit: set[int] = set()
    with ExitStack() as undo:
        watch_part(part, undo, before=lambda expert, hidden: hit.add(expert) or hidden)  # type: ignore[func-returns-value]
        run()

    def change(put: Callable[[ExitStack[bool | None]], None]) -> Tensor:
        with ExitStack() as undo:
            put(undo)
            apart = (first_tensor(run()).float() - states.float()).square().sum(-1)
        return watch.by_document(apart.reshape(-1, 1), watch.documents.flatten())[:, 0]

    def without(expert: int, neuron: int, undo: ExitStack[bool | None]) -> None:
        def drop(of: int, hidden: Tensor) -> Tensor:
            return hidden.index_fill(-1, torch.tensor([neuron], device=hidden.device), 0) if of == expert else hidden

        watch_part(part, undo, before=drop)

    def without_up(neuron: int, undo: ExitStack[bool | None]) -> None:
        up = part.blocks["up"]
        assert up.channels is not None
        channel = up.channels[neuron : neuron + 1]
        drop = lambda _, __, output: output.index_fill(-1, channel.to(output.device), 0)  # noqa: E731
        undo.callback(up.module.register_forward_hook(drop).remove)

    mixed = watch.form(number).mixed
    for expert in sorted(hit):
        found = torch.stack([change(partial(without, expert, neuron)) for neuron in range(width)], -1)
        yield expert, ("down",) if mixed else FEED_FORWARD, found
    if mixed:
        yield 0, ("gate", "up"), torch.stack([change(partial(without_up, neuron)) for neuron in range(width)], -1)
