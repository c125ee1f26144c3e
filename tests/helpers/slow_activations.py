"""The slow truth of records: activations and their gradients, read off a plain forward pass of one document.

Channels are found by the names and shapes of the weights (`neuron_tables`), not by the package.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from helpers.neuron_tables import Part, layers_of, parts_of

Tensor = torch.Tensor
At = tuple[int, str]


class Seen:
    """What one document shows.

    Attributes:
        values: Per (layer, structure), the activations `[l, neurons]`, with their gradients in `.grad`.
        gates: Per layer, act(gate), or act(up) without a gate `[l, neurons]`.
        residual: Per layer, what it gives `[l, d_model]`.
        routed: Per layer, which experts each token went to, and their hidden states and act(gate).
    """

    def __init__(self) -> None:
        self.values: dict[At, tuple[Tensor, Tensor]] = {}
        self.gates: dict[int, Tensor] = {}
        self.residual: dict[int, Tensor] = {}
        self.routed: dict[int, list[tuple[int, int, Tensor, Tensor]]] = {}
        self.experts: dict[int, int] = {}

    def activation(self, place: At, tokens: int) -> Tensor:
        """Return activations `[l, neurons]`; zero for experts that a token does not go to."""
        return self._whole(place, tokens, lambda hidden: hidden)

    def contribution(self, place: At, tokens: int) -> Tensor:
        """Return |activation x gradient| `[l, neurons]`."""
        return self._whole(place, tokens, lambda one: (one * one.grad).abs())

    def over_zero(self, place: At, tokens: int) -> Tensor:
        """Return whether act(gate) is above zero, or for q, k, v and o the activation `[l, neurons]`."""
        layer, structure = place
        if structure != "up":
            return self.activation(place, tokens) > 0
        found = self._of_experts(layer, tokens, 3, lambda gate: gate)
        return torch.cat([found, *([self.gates[layer]] if layer in self.gates else [])], 1) > 0

    def _whole(self, place: At, tokens: int, of: Any) -> Tensor:
        found = [self._of_experts(place[0], tokens, 2, of)] if place[1] == "up" else []
        if place in self.values:  # shared experts come after the others
            whole, channels = self.values[place]
            found.append(of(whole).detach().reshape(tokens, -1)[:, channels])
        return torch.cat(found, 1)

    def _of_experts(self, layer: int, tokens: int, column: int, of: Any) -> Tensor:
        rows = self.routed.get(layer, [])
        if not rows:
            return torch.zeros(tokens, 0)
        found = torch.zeros(tokens, self.experts[layer], rows[0][2].shape[-1])
        for row in rows:
            found[row[0], row[1]] = of(row[column]).detach()
        return found.flatten(1)


def see(model: Any, token_ids: list[int]) -> Seen:
    """Run a document forwards and, from its mean log-probability, backwards on whole tensors."""
    seen = Seen()
    with _watched(model, seen):
        logits = model(input_ids=torch.tensor([token_ids]), use_cache=False).logits[0, :-1]
        log_probabilities = torch.log_softmax(logits.float(), -1)
        log_probabilities[torch.arange(len(logits)), token_ids[1:]].mean().backward()
    model.zero_grad()
    return seen


@contextmanager
def _watched(model: Any, seen: Seen) -> Iterator[None]:
    undo = []
    for number, (_, layer) in enumerate(layers_of(model)):
        parts = parts_of(model, layer)
        gated = any(part.structure == "gate" for part in parts)
        undo.append(layer.register_forward_hook(lambda _, __, out, n=number: _keep_states(seen, n, out)).remove)
        for part in parts:
            name, positions = part.entries[0]
            parameter = layer.get_parameter(name)
            if parameter.ndim == 3:
                if part.structure == "down":
                    undo += _watch_experts(seen, number, layer.get_submodule(name.rpartition(".")[0]))
                continue
            module = layer.get_submodule(name.rpartition(".")[0])
            channels = _channels(part, module, positions)
            if part.structure in "qkv":
                undo.append(module.register_forward_hook(_keep_output(seen, (number, part.structure), channels)).remove)
            elif part.structure in ("o", "down"):
                place = (number, "o" if part.structure == "o" else "up")
                undo.append(module.register_forward_pre_hook(_keep_input(seen, place, channels, gated)).remove)
            elif part.structure == "gate":
                act = _act_of(layer, name)
                hook = lambda _, __, out, n=number, c=channels, act=act: seen.gates.update(  # noqa: E731
                    {n: act(out.detach().reshape(-1, out.shape[-1])[:, c])}
                )
                undo.append(module.register_forward_hook(hook).remove)
    try:
        yield
    finally:
        for one in undo:
            one()


def _act_of(layer: Any, name: str) -> Any:
    """Return the activation function of the block that a gate's weight is in."""
    block = layer.get_submodule(name.rsplit(".", 2)[0])
    return next(getattr(block, name) for name in ("act_fn", "activation_fn", "act") if hasattr(block, name))


def _channels(part: Part, module: Any, positions: Tensor) -> Tensor:
    """Return the row of each neuron in the weight `[out, in]`, or the column of o and down; Conv1D has `[in, out]`."""
    rows = positions[:, 0] // module.weight.shape[1], positions[:, 0] % module.weight.shape[1]
    columns = part.structure in ("o", "down")
    return rows[(not columns) if type(module).__name__ == "Conv1D" else columns]


def _keep_output(seen: Seen, place: At, channels: Tensor) -> Any:
    def hook(_: Any, __: Any, output: Tensor) -> None:
        output.retain_grad()
        seen.values[place] = output, channels

    return hook


def _keep_input(seen: Seen, place: At, channels: Tensor, gated: bool) -> Any:
    def hook(_: Any, args: tuple[Tensor, ...]) -> None:
        args[0].retain_grad()
        seen.values[place] = args[0], channels
        if place[1] == "up" and not gated:
            seen.gates[place[0]] = args[0].detach().reshape(-1, args[0].shape[-1])[:, channels]

    return hook


def _keep_states(seen: Seen, number: int, output: Any) -> None:
    seen.residual[number] = (output if isinstance(output, Tensor) else output[0]).detach()[0]


def _watch_experts(seen: Seen, number: int, module: Any) -> list[Any]:
    """Let experts compute one token and one expert at a time."""
    rows = seen.routed[number] = []
    seen.experts[number] = len(module.down_proj)

    def forward(states: Tensor, index: Tensor, weights: Tensor) -> Tensor:
        outputs = []
        for token, state in enumerate(states):
            total = torch.zeros_like(state)
            for expert, weight in zip(index[token].tolist(), weights[token], strict=True):
                gate, up = _gate_and_up(module, state, expert)
                passed = _act(module, gate)
                hidden = passed * up
                hidden.retain_grad()
                rows.append((token, expert, hidden, passed.detach()))
                total = total + weight * _down(module, hidden, expert)
            outputs.append(total)
        return torch.stack(outputs)

    module.__dict__["forward"] = forward
    return [lambda: module.__dict__.pop("forward")]


def _gate_and_up(module: Any, state: Tensor, expert: int) -> tuple[Tensor, Tensor]:
    if type(module).__name__ == "GptOssExperts":  # [d_model, 2·d_inter], gate and up by turns, clamped
        both = state @ module.gate_up_proj[expert] + module.gate_up_proj_bias[expert]
        return both[::2].clamp(max=module.limit), both[1::2].clamp(-module.limit, module.limit) + 1
    gate, up = (module.gate_up_proj[expert] @ state).chunk(2)
    return gate, up


def _act(module: Any, gate: Tensor) -> Tensor:
    if type(module).__name__ == "GptOssExperts":
        return gate * torch.sigmoid(module.alpha * gate)
    return module.act_fn(gate)


def _down(module: Any, hidden: Tensor, expert: int) -> Tensor:
    if type(module).__name__ == "GptOssExperts":
        return hidden @ module.down_proj[expert] + module.down_proj_bias[expert]
    return module.down_proj[expert] @ hidden
