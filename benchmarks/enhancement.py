"""What training only a neuron set costs: step time and peak memory against full fine-tuning and LoRA of equal size.

    python benchmarks/enhancement.py [--model gemma3-270m] [--neurons gemma3-270m/zh] [--tokens 128] [--rounds 5]

Full fine-tuning and LoRA (peft) take transformers' own loss, as its Trainer does; the selection is also measured with
that loss. LoRA gets the rank and the kinds of matrices whose number of parameters is nearest to the selection's. Steps
take turns, all models in one process; peak memory is that of two steps in a process of its own, beside the weights.
"""

import argparse
import itertools
import json
import statistics
from typing import Any

import torch
from common import alternate, forget_peak, peak_memory, peak_of, print_figures, ratio, read_weights, token_stream
from peft import LoraConfig, get_peft_model

from mwork_eval.enhancement.training import SelectedModel
from mwork_eval.models.layout import Layout
from mwork_eval.models.loading import load_model
from mwork_eval.neurons.references import find_neurons
from mwork_eval.weight_deltas.parts import TrainedParts, parts_of

WAYS = ("selection", "selection, transformers' loss", "LoRA", "full")
MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
RANKS = range(1, 9)

Tensor = torch.Tensor


class Way:
    """A model with what is trained of it, and one step of training."""

    def __init__(self, name: str, model_name: str, neurons: str, batch: Tensor) -> None:
        loaded = load_model(model_name, dtype="float32")
        layout = Layout.of(loaded.model)
        trained = TrainedParts(parts_of(layout, find_neurons(neurons)))
        self._batch, self._trained, self.chosen = batch, None, ""
        read_weights(loaded.model)
        self._model: Any = loaded.model
        if name == "full":
            self._model.requires_grad_(True)
        elif name == "LoRA":
            count = sum(value.numel() for value in trained.parameters())
            rank, targets = nearest_lora(loaded.model, count)
            self.chosen = f"rank {rank} of {', '.join(targets)}"
            config = LoraConfig(r=rank, target_modules=list(targets), task_type="CAUSAL_LM")
            self._model = get_peft_model(loaded.model, config)
        else:
            self._trained = trained
            selected = SelectedModel(loaded.model, layout, trained)
            self._model = selected if name == "selection" else loaded.model
        parameters = trained.parameters() if self._trained else self._model.parameters()
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self._optimizer = torch.optim.AdamW(self.parameters, lr=1e-4)

    def step(self) -> None:
        """Train on the batch once."""
        if self._trained is None:
            self._descend()
        else:
            self._trained.write()
            with self._trained.attached():
                self._descend()

    def _descend(self) -> None:
        loss = self._model(input_ids=self._batch, labels=self._batch)["loss"]
        loss.backward()
        self._optimizer.step()
        self._optimizer.zero_grad()

    @property
    def optimizer_bytes(self) -> int:
        """What the optimiser keeps."""
        states = self._optimizer.state.values()
        return sum(v.nbytes for state in states for v in state.values() if isinstance(v, Tensor) and v.dim())


def nearest_lora(model: Any, count: int) -> tuple[int, tuple[str, ...]]:
    """Return the rank and the matrices of a LoRA whose number of parameters is nearest to another number."""
    sizes = dict.fromkeys(MATRICES, 0)
    for name, module in model.named_modules():
        kind = name.rpartition(".")[2]
        if kind in sizes:
            sizes[kind] += module.in_features + module.out_features
    kinds = [kind for kind in MATRICES if sizes[kind]]
    subsets = [s for n in range(1, len(kinds) + 1) for s in itertools.combinations(kinds, n)]

    def distance(choice: tuple[int, tuple[str, ...]]) -> int:
        rank, chosen = choice
        return abs(rank * sum(sizes[kind] for kind in chosen) - count)

    return min(itertools.product(RANKS, subsets), key=distance)


def main() -> None:
    """Print step times as ratios, and peaks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="gemma3-270m")
    parser.add_argument("--neurons", default="gemma3-270m/zh")
    parser.add_argument("--tokens", type=int, default=128, help="per document")
    parser.add_argument("--batch-size", type=int, default=4, help="documents per step")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    tokenizer = load_model(options.model, dtype="float32").tokenizer
    batch = torch.tensor(token_stream(tokenizer, options.batch_size * options.tokens, "zh")).view(-1, options.tokens)

    def make(name: str) -> Way:
        return Way(name, options.model, options.neurons, batch)

    if options.peak:
        way = make(options.peak)
        before = forget_peak()
        way.step()
        way.step()
        print(json.dumps({"peak": peak_memory(), "loaded": before}))
        return

    print(f"{options.model}, float32, {options.batch_size} documents of {options.tokens} tokens, {options.neurons}")
    ways = {name: make(name) for name in WAYS}
    seconds = alternate({name: way.step for name, way in ways.items()}, options.rounds)
    figures = {}
    for name, way in ways.items():
        command = ("--model", options.model, "--neurons", options.neurons, "--tokens", str(options.tokens))
        peak = peak_of(__file__, *command, "--batch-size", str(options.batch_size), "--peak", name)
        figures[name] = {
            "parameters": sum(parameter.numel() for parameter in way.parameters),
            "seconds": statistics.median(seconds[name]),
            "over_selection": ratio(seconds, name, "selection"),
            "optimizer_bytes": way.optimizer_bytes,
            "peak_mib_above_weights": round((peak["peak"] - peak["loaded"]) / 2**20),
        }
        print(f"{name}{f' ({way.chosen})' if way.chosen else ''}: {json.dumps(figures[name])}")
    sizes = {"tokens": options.tokens, "batch_size": options.batch_size}
    print_figures(benchmark="enhancement", model=options.model, neurons=options.neurons, **sizes, figures=figures)


if __name__ == "__main__":
    main()
