"""What detection costs: against the model's own forward pass, against the reference algorithm, by length and documents.

    python benchmarks/detection.py [--model gemma3-270m] [--tokens 256] [--rounds 5]

Times are ratios of runs that take turns. Memory is the peak of a process of its own.
"""

import argparse
import json
import statistics
import sys
from typing import Any

import torch
from common import alternate, forget_peak, peak_memory, peak_of, print_figures, ratio, token_stream

from mwork_eval.detection.attention import Attention
from mwork_eval.detection.batches import make_batches
from mwork_eval.detection.capture import run_batch
from mwork_eval.detection.detect import DetectOptions, batch_tokens
from mwork_eval.detection.plnd import Scorer
from mwork_eval.detection.score_table import ScoreAccumulator
from mwork_eval.models.layout import Layout
from mwork_eval.models.loading import load_model

Tensor = torch.Tensor


class ReferenceAlgorithm:
    """The published algorithm written down plainly: every l x l x d map of a layer in memory at once."""

    def score(self, layout: Layout, token_ids: list[int]) -> dict[tuple[int, str], Tensor]:
        """Score one document."""
        self.found: dict[tuple[int, str], Tensor] = {}
        run_batch(layout, [token_ids], self)
        return self.found

    def attention(self, layer: int, document: int, seen: Attention) -> Tensor:
        """Score q and k by recomputing all maps, v by Σ|O|."""
        key = seen.key.repeat_interleave(seen.per_group, 0)
        mask = seen.bias(slice(None), slice(None))
        raw = seen.query @ key.mT
        before = torch.softmax(raw + mask, -1)
        maps = seen.query[:, :, None, :] * key[:, None, :, :]  # [H, l, l, d]
        after = torch.softmax(raw[..., None] - maps + mask[..., None], 2)
        self.found[layer, "q"] = (after - before[..., None]).square().sum((1, 2)).flatten()
        self.found[layer, "k"] = self.found[layer, "q"]
        heads = torch.softmax(raw * seen.scale + mask, -1) @ seen.value.repeat_interleave(seen.per_group, 0)
        self.found[layer, "v"] = heads.abs().sum(1).flatten()
        return heads

    def feed_forward(self, layer: int, structure: str, activations: Tensor) -> None:
        """Score the feed-forward by Σ|x W_up|."""
        if structure == "up":
            self.found[layer, "up"] = activations[0].abs().sum(0)

    def experts(self, layer: int, states: Tensor, index: Tensor, weights: Tensor) -> None:
        """Nothing: the published code knows no experts."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="gemma3-270m")
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak", choices=["load", "body", "detect", "reference"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(2)
    loaded = load_model(options.model, device="cpu", dtype="float32")
    model: Any = loaded.model
    layout = Layout.of(model)
    scorer = Scorer(layout)

    def body(tokens: list[int]) -> None:
        with torch.inference_mode():
            layout.decoder(input_ids=torch.tensor([tokens]), use_cache=False)

    def logits(tokens: list[int]) -> None:
        with torch.inference_mode():
            model(input_ids=torch.tensor([tokens]), use_cache=False)

    def detect(tokens: list[int]) -> None:
        ScoreAccumulator(layout.shape).add(scorer.score([tokens])[0])

    if options.peak:
        before = forget_peak()
        tokens = token_stream(loaded.tokenizer, options.tokens)
        runs = {"body": body, "detect": detect, "reference": lambda t: ReferenceAlgorithm().score(layout, t)}
        if options.peak != "load":
            runs[options.peak](tokens)
        print(json.dumps({"peak": peak_memory(), "loaded": before}))
        return

    tokens = token_stream(loaded.tokenizer, options.tokens)
    accumulator = ScoreAccumulator(layout.shape)
    seconds = alternate(
        {
            "body": lambda: body(tokens),
            "detect": lambda: accumulator.add(scorer.score([tokens])[0]),
            "logits": lambda: logits(tokens),
        },
        options.rounds,
    )
    ratios = {
        "detect_over_body": ratio(seconds, "detect", "body"),
        "detect_over_logits": ratio(seconds, "detect", "logits"),
    }
    print(f"{options.model}, {len(tokens)} tokens, {options.rounds} rounds")
    print(f"detection / body forward: {ratios['detect_over_body']:.2f}")
    print(f"detection / forward with logits: {ratios['detect_over_logits']:.2f}")
    plain = ReferenceAlgorithm()
    both = alternate(
        {
            "detect": lambda: accumulator.add(scorer.score([tokens])[0]),
            "reference": lambda: plain.score(layout, tokens),
        },
        max(1, options.rounds // 2),
    )
    ratios["reference_over_detect"] = ratio(both, "reference", "detect")
    print(f"reference algorithm / detection: {ratios['reference_over_detect']:.1f}")

    by_length = {}
    for length in (64, 128, 256, 512, 1024):
        some = token_stream(loaded.tokenizer, length)
        timed = alternate({"body": lambda s=some: body(s), "detect": lambda s=some: detect(s)}, 2)
        by_length[length] = {
            "over_body": ratio(timed, "detect", "body"),
            "microseconds_per_token": 1e6 * statistics.median(timed["detect"]) / length,
        }
        print(f"length {length}: {by_length[length]['over_body']:.2f} x body forward", file=sys.stderr)
    documents = [token_stream(loaded.tokenizer, 128 * 64)[128 * i : 128 * (i + 1)] for i in range(64)]
    most = batch_tokens(layout, DetectOptions().memory // 2)

    def detect_all(count: int) -> None:
        collected = ScoreAccumulator(layout.shape)
        for batch in make_batches(documents[:count], most):
            for found in scorer.score(batch.token_ids):
                collected.add(found)

    timed = alternate({str(count): lambda n=count: detect_all(n) for count in (8, 16, 32, 64)}, 2)
    by_documents = {count: ratio(timed, count, "8") * 8 / int(count) for count in timed}
    for count, cost in by_documents.items():
        print(f"documents {count}: {cost:.2f} x the cost per document of 8", file=sys.stderr)

    peaks = {}
    for name, length in (("body", 512), ("detect", 512), ("detect", options.tokens), ("reference", options.tokens)):
        peaks[f"{name}_{length}"] = peak_of(__file__, "--model", options.model, "--tokens", str(length), "--peak", name)
    over = peaks["detect_512"]["peak"] / peaks["body_512"]["peak"]
    print(f"peak memory at 512 tokens, detection / body forward: {over:.2f}")
    for name, peak in peaks.items():
        print(
            f"  {name}: {peak['peak'] / 2**30:.2f} GiB, {(peak['peak'] - peak['loaded']) / 2**20:.0f} MiB above loading"
        )
    print_figures(
        benchmark="detection",
        model=options.model,
        tokens=len(tokens),
        rounds=options.rounds,
        ratios=ratios,
        by_length=by_length,
        by_documents=by_documents,
        peaks=peaks,
        peak_over_body_512=over,
    )


if __name__ == "__main__":
    main()
