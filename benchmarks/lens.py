"""What looking through the lens costs: time and peak memory against making all logits of a layer at once.

    python benchmarks/lens.py [--model gemma3-270m] [--tokens 512] [--rounds 3]

Both ways run the model once and find the five best tokens of every layer at every position. Times are ratios of runs
that take turns. Memory is the peak beside the weights, of a process of its own.
"""

import argparse
import json
import statistics

import torch
from common import alternate, forget_peak, peak_memory, peak_of, print_figures, ratio, read_weights, token_stream

from mwork_eval.analysis.layer_states import find_head, read_layers
from mwork_eval.models.layout import Layout
from mwork_eval.models.loading import load_model

WAYS = ("blocks", "whole")
K = 5

Tensor = torch.Tensor


def look(layout: Layout, tokens: list[int], way: str) -> list[Tensor]:
    """Return the best tokens of every layer, each `[tokens, k]`."""
    head = find_head(layout)
    if way == "blocks":
        return read_layers(layout, tokens, lambda states: head.top(states, K)[0])
    return read_layers(layout, tokens, lambda states: head.logits(states).log_softmax(-1).topk(K).indices)


def main() -> None:
    """Print both peaks, the ratio of times, and whether both ways find the same tokens."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="gemma3-270m")
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peak", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    loaded = load_model(options.model, dtype="float32")
    layout, tokens = Layout.of(loaded.model), token_stream(loaded.tokenizer, options.tokens)
    if options.peak:
        read_weights(loaded.model)
        before = forget_peak()
        look(layout, tokens, options.peak)
        print(json.dumps({"peak": peak_memory(), "loaded": before}))
        return

    words = find_head(layout).module.weight.shape[0]
    print(f"{options.model}, float32, {layout.shape.layers} layers, {options.tokens} tokens, {words} words")
    seconds = alternate({way: lambda way=way: look(layout, tokens, way) for way in WAYS}, options.rounds)
    found = [torch.stack(look(layout, tokens, way)) for way in WAYS]
    same = float((found[0] == found[1]).float().mean())
    command = (__file__, "--model", options.model, "--tokens", str(options.tokens))
    peaks = {way: peak_of(*command, "--peak", way) for way in WAYS}
    figures = {
        "same_tokens": same,
        "whole_over_blocks": ratio(seconds, "whole", "blocks"),
        "seconds": {way: statistics.median(values) for way, values in seconds.items()},
        "peak_mib_above_weights": {way: round((p["peak"] - p["loaded"]) / 2**20) for way, p in peaks.items()},
    }
    sizes = {"layers": layout.shape.layers, "tokens": options.tokens, "words": words, "k": K}
    print_figures(benchmark="lens", model=options.model, **sizes, figures=figures)


if __name__ == "__main__":
    main()
