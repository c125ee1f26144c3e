"""One attention module during a captured forward pass: what its parts gave, what attention was given, and replays."""

import sys
from collections import UserDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from mwork_eval.detection.scoring.activation_listener import ActivationListener
from mwork_eval.detection.scoring.attention_replay import Replay, StopReplay, Zeroed, of_document
from mwork_eval.detection.scoring.core import Core, of_groups
from mwork_eval.detection.scoring.masks import Masks
from mwork_eval.detection.scoring.outside import Watch, Work
from mwork_eval.detection.scoring.path import Call
from mwork_eval.errors import InputError
from mwork_eval.models.blocks import Block
from mwork_eval.models.mixers import SoftmaxAttention

Tensor = torch.Tensor

_MEMORY = 2**28
"""Bytes that the attention weights of a replay may take."""


@dataclass(eq=False)
class CapturedAttention:
    """An attention module whose parts are watched.

    Attributes:
        number: Its layer.
        part: Which of the layer's attentions it is.
        attention: What it is.
        blocks: Its neurons of q, k, v and o.
        watch: Sees what attention does that calls no attention function.
        masks: The masks of this forward pass.
        batch: Number of documents.
        given: The arguments of the module's call.
        core: What attention was given in it.
        calls: The calls of modules inside it, apart from projections.
        by_eager: Whether its attention function is read by what it does, because its arguments do not tell.
        scale: Factor of the scores, where a module calls no attention function and it is known.
        few_rows: Whether a few rows tell what is added to the scores of all, likewise.
    """

    number: int
    part: int
    attention: SoftmaxAttention
    blocks: dict[str, Block]
    watch: Watch
    masks: Masks
    batch: int
    given: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
    core: Core | None = None
    calls: list[Call] = field(default_factory=list)
    _outputs: dict[int, Tensor] = field(default_factory=dict)
    _replay: Replay | None = None
    by_eager: bool = False
    scale: float | None = None
    few_rows: bool | None = None

    @property
    def replaying(self) -> Replay | None:
        """The replay that is running, or None."""
        return self._replay

    @property
    def name(self) -> str:
        """The module, in words."""
        return f"layer {self.number}, {self.attention.path} ({type(self.attention.module).__name__})"

    def hooks(self, before: Callable[[Tensor], None]) -> list[Any]:
        """Register hooks on the module and its parts.

        Args:
            before: Called with the input of the output projection before it runs, outside replays.
        """
        module = self.attention.module
        hooks = [module.register_forward_pre_hook(self._start, with_kwargs=True)]
        projections = {id(b.module): b.module for s, b in self.blocks.items() if s != "o"}
        hooks += [one.register_forward_hook(self._keep_output) for one in projections.values()]
        within = {id(p) for b in self.blocks.values() for p in b.module.modules()}
        hooks += [
            part.register_forward_hook(self._keep_call)
            for part in module.modules()
            if part is not module and id(part) not in within and not isinstance(part, nn.Linear | nn.Dropout)
        ]

        def reached(_: nn.Module, args: tuple[Tensor, ...]) -> None:
            if self._replay is not None:
                self._end_replay(args[0])
            before(args[0])

        return [*hooks, self.blocks["o"].module.register_forward_pre_hook(reached)]

    def raw(self, structure: str) -> Tensor | None:
        """Return what the projection gave for q, k or v `[B, heads, l, width]`; None if another layer's is used."""
        block = self.blocks.get(structure)
        if block is None or id(block.module) not in self._outputs:
            return None
        assert block.channels is not None
        output = self._outputs[id(block.module)]
        output = output.reshape(self.batch, -1, output.shape[-1])
        if block.size != output.shape[-1]:
            output = output[..., block.channels.to(output.device)]
        count = self.attention.heads.query if structure == "q" else self.attention.heads.groups
        found: Tensor = output.unflatten(-1, (count, -1)).transpose(1, 2)
        return found

    def show(self, inputs: Tensor, listener: ActivationListener) -> None:
        """Show the activations of q, k, v and o, whose are the inputs `[B, l, channels]` of the output projection."""
        for structure in ("q", "k", "v"):
            if (raw := self.raw(structure)) is not None:
                values = raw.transpose(1, 2).flatten(2)
                listener.channels(self.number, structure, self.blocks[structure].start, values)
        listener.channels(self.number, "o", self.blocks["o"].start, inputs)

    def attend(self, states: tuple[Tensor, Tensor, Tensor], mask: Tensor | None, options: dict[str, Any]) -> Core:
        """Take a call of the attention function.

        Raises:
            StopReplay: If a replay has shown what it should.
        """
        groups = self.attention.heads.groups
        if self.by_eager:
            core = self._by_eager(states, mask, options)
        else:
            core = Core.called(self.attention.module, groups, states, mask, options, self.masks)
        if self._replay is not None:
            self._replay.core = core
            if self._replay.until == "core":
                raise StopReplay
        else:
            self.core = core
        return core

    def eager_output(
        self, states: tuple[Tensor, Tensor, Tensor], mask: Tensor | None, options: dict[str, Any]
    ) -> Tensor | None:
        """Return what the attention function of the model's own code gives `[B, l, H, d_v]`, or None without one."""
        eager = getattr(sys.modules.get(type(self.attention.module).__module__), "eager_attention_forward", None)
        if eager is None:
            return None
        output: Tensor = eager(self.attention.module, *states, mask, **options)[0]
        return output

    def _by_eager(self, states: tuple[Tensor, Tensor, Tensor], mask: Tensor | None, options: dict[str, Any]) -> Core:
        watch = Watch()
        with watch:
            watch.start()
            self.eager_output(states, mask, options)
        work = watch.work(len(states[0]))
        if work is None:
            raise self.not_understood("no product of queries and keys before a softmax was seen")
        scale = options.get("scaling") or states[0].shape[-1] ** -0.5
        groups = self.attention.heads.groups
        return Core.seen(work, groups, of_groups(states[2], groups), scale, self.masks)

    def reached(self) -> Core:
        """Return what attention was given in the module's call, which has reached its output projection.

        Raises:
            InputError: If it was not seen.
        """
        if self.core is None:
            raise self.not_understood("it called no attention function")
        return self.core

    def see(self, document: int) -> Core:
        """Read what a module did that calls no attention function; it has reached its output projection.

        Args:
            document: The one to find the factor of the scores with, unless it is known.

        Raises:
            InputError: If it is not understood.
        """
        work = self.watch.work(self.batch)
        value = self.raw("v")
        if work is None or value is None:
            raise self.not_understood("no product of queries and keys before a softmax was seen")
        if work.logits is not None and self.scale is None:
            alone, doubled = self._work_times(document, 1.0), self._work_times(document, 2.0)
            self.scale = None if alone is None or doubled is None else alone.scale_by(doubled)
            if self.scale is None:
                raise self.not_understood("what the softmax is taken of is no multiple of the products, plus a bias")
        groups, few = self.attention.heads.groups, bool(self.few_rows)
        self.core = Core.seen(work, groups, value, self.scale or 1.0, self.masks, few)
        if self.few_rows is None:
            self.few_rows = self.core.mask is None
        return self.core

    def _work_times(self, document: int, factor: float) -> Work | None:
        """Return what the module does with a document if queries are multiplied by a factor."""
        self.watch.factor = factor
        try:
            work: Work | None = self.replay(document, Replay([{}], "output")).work
            return work
        finally:
            self.watch.factor = 1.0

    def replay(self, document: int, replay: Replay) -> Replay:
        """Run the module again for copies of one document, each with some neurons zeroed."""
        heads, copies = self.attention.heads.query, len(replay.zeroed)
        args, kwargs = (of_document(one, self.batch, heads, document, copies) for one in self.given)
        kept = self.given, self._outputs, self.calls, self.batch
        self._outputs, self.calls, self._replay, self.batch = {}, [], replay, len(replay.zeroed)
        try:
            self.attention.module(*args, **kwargs)
        except StopReplay:
            pass
        finally:
            self.given, self._outputs, self.calls, self.batch = kept
            self._replay = None
        return replay

    def states(self, document: int, zeroed: Sequence[Zeroed]) -> tuple[Tensor, Tensor]:
        """Return the queries `[n, H, l, d]` and keys `[n, G, l, d]` of a document with neurons zeroed."""
        cores = [self.replay(document, Replay(some, "core")).core for some in self._at_once(zeroed)]
        return torch.cat([core.query for core in cores]), torch.cat([core.key for core in cores])

    def inputs(self, document: int, zeroed: Sequence[Zeroed]) -> Tensor:
        """Return the input of the output projection `[n, l, channels]` of a document with neurons zeroed."""
        outputs = [self.replay(document, Replay(some, "output")).output for some in self._at_once(zeroed)]
        return torch.cat([output for output in outputs if output is not None])

    def _at_once(self, zeroed: Sequence[Zeroed]) -> list[Sequence[Zeroed]]:
        """Return what may be replayed together: a bias for all heads looks like one for each document and head."""
        return [zeroed] if self.attention.interface else [[one] for one in zeroed]

    def heads(self, core: Core, lengths: Sequence[int] = ()) -> Tensor:
        """Return what attention gives `[B, H, l, d_v]`, for all tokens unless lengths are given."""
        batch, _, tokens, _ = core.query.shape
        return core.heads(lengths or [tokens] * batch, _MEMORY)

    def forget(self) -> None:
        """Let go of the activations."""
        self.given, self.core = ((), {}), None
        self.calls.clear()
        self._outputs.clear()

    def not_understood(self, what: str) -> InputError:
        """Return the error that this attention cannot be scored."""
        return InputError(
            f"the attention of {self.name} cannot be scored: {what}",
            hint="CONTRIBUTING.md, 'How to add an architecture'; please report the model",
        )

    def _start(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._replay is None:
            self.given = args, {k: v.copy() if isinstance(v, dict | UserDict) else v for k, v in kwargs.items()}
            self._outputs, self.calls = {}, []
        if not self.attention.interface:
            self.watch.start()

    def _keep_output(self, module: nn.Module, _: tuple[Any, ...], output: Tensor) -> Tensor | None:
        if self._replay is not None:
            inside = {s: b.channels for s, b in self.blocks.items() if b.module is module and s != "o"}
            output = self._replay.zero(output, {s: c for s, c in inside.items() if c is not None})
            self._outputs[id(module)] = output
            return output
        self._outputs[id(module)] = output
        return None

    def _keep_call(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if self._replay is not None or not args or not isinstance(args[0], Tensor) or not isinstance(output, Tensor):
            return
        if args[0].shape == output.shape and args[0].ndim in (3, 4):
            self.calls.append(Call(module, args[0], output))

    def _end_replay(self, output: Tensor) -> None:
        assert self._replay is not None
        copies = len(self._replay.zeroed)
        self._replay.output = output.reshape(copies, -1, output.shape[-1])
        if not self.attention.interface:
            self._replay.work = work = self.watch.work(copies)
            value = self.raw("v")
            if work is not None and value is not None:
                groups = self.attention.heads.groups
                # Only queries and keys are asked of it.
                self._replay.core = Core(work.query, of_groups(work.key, groups), value, self.scale or 1.0)
        raise StopReplay
