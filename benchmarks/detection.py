"""What detection costs: against the model's own forward pass, against the reference algorithm, by length and documents.

    python benchmarks/detection.py [--model gemma3-270m] [--tokens 256] [--rounds 5]

Times are ratios of runs that take turns. Memory is the peak of a process of its own.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from common import alternate, forget_peak, peak_memory, peak_of, print_figures, ratio, token_stream

from mwork_eval.detection.corpus.batches import make_batches
from mwork_eval.detection.detect import DetectOptions, batch_tokens
from mwork_eval.detection.recording.accumulator import ScoreAccumulator
from mwork_eval.detection.recording.scores import statistics_of
from mwork_eval.detection.scoring.attention import Attention
from mwork_eval.detection.scoring.capture import run_batch
from mwork_eval.detection.scoring.feed_forward import Rows
from mwork_eval.detection.scoring.feed_forward_forms import find_forms
from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.detection.scoring.values import Output
from mwork_eval.models.layout import Layout
from mwork_eval.models.loading import load_model

Tensor = torch.Tensor


class DecodingEveryLayer(torch.nn.Module):
    """A model whose forward also computes the logits of every layer at every position, as the published code does."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model, self.config = model, model.config

    def get_input_embeddings(self) -> Any:
        """Return the embeddings of the model."""
        return self.model.get_input_embeddings()

    def forward(self, **inputs: Any) -> dict[int, Tensor]:
        """Return the logits of every layer."""
        states = self.model.get_decoder()(**inputs, output_hidden_states=True).hidden_states
        return {layer: self.model.get_output_embeddings()(state) for layer, state in enumerate(states)}


class ReferenceAlgorithm:
    """The published algorithm written down plainly: every l x l map of every channel of a layer in memory at once."""

    def __init__(self, model: Any, layout: Layout, *, decode: bool) -> None:
        self._layout = replace(layout, decoder=DecodingEveryLayer(model)) if decode else layout
        self._forms = find_forms(layout, [1])

    def score(self, token_ids: list[int]) -> dict[tuple[int, str], list[float]]:
        """Score one document; the scores are handed on as Python lists."""
        self.found: dict[tuple[int, str], list[float]] = {}
        run_batch(self._layout, [token_ids], self, self._forms)
        return self.found

    def attention(self, layer: int, document: int, seen: Attention) -> Tensor:
        """Score q and k by recomputing all maps, v by Σ|O|."""
        key, value = (part.repeat_interleave(seen.per_group, 0) for part in (seen.key, seen.value))
        logits = seen.scale * seen.query @ key.mT + seen.bias(slice(None), slice(None))
        weights = torch.softmax(logits, -1)
        maps = seen.query.mT[..., None] @ key.mT[..., None].mT  # [H, d, l, l]
        maps = logits[:, None].expand_as(maps) - maps
        maps = torch.softmax(maps, -1)
        maps = maps - weights[:, None].expand_as(maps)
        scores = (maps**2).sum((-2, -1)).flatten()
        self.found[layer, "q"], self.found[layer, "k"] = scores.tolist(), scores.tolist()
        heads = weights @ value
        self.found[layer, "v"] = heads.abs().sum(1).flatten().tolist()
        return heads

    def attention_output(self, layer: int, document: int, output: Output) -> None:
        """Nothing: values were scored with the rest."""

    def feed_forward(self, layer: int, part: int, structure: str, rows: Rows) -> None:
        """Score the feed-forward by Σ|x W_up|."""
        if structure == "up":
            for name in ("up", "down"):
                self.found[layer, name] = rows.hidden.abs().sum(1).flatten().tolist()

    def changes(self, layer: int, part: int, structures: Sequence[str], expert: int, found: Tensor) -> None:
        """Nothing: the published code knows no norms inside a feed-forward."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="gemma3-270m")
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak", choices=["body", "detect", "maps", "reference"], help=argparse.SUPPRESS)
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
        ScoreAccumulator(layout.shape).add(statistics_of(scorer.score([tokens])[0]))

    if options.peak:
        before = forget_peak()
        tokens = token_stream(loaded.tokenizer, options.tokens)
        runs = {
            "body": body,
            "detect": detect,
            "maps": ReferenceAlgorithm(model, layout, decode=False).score,
            "reference": ReferenceAlgorithm(model, layout, decode=True).score,
        }
        runs[options.peak](tokens)
        print(json.dumps({"peak": peak_memory(), "loaded": before}))
        return

    tokens = token_stream(loaded.tokenizer, options.tokens)
    accumulator = ScoreAccumulator(layout.shape)
    seconds = alternate(
        {
            "body": lambda: body(tokens),
            "detect": lambda: accumulator.add(statistics_of(scorer.score([tokens])[0])),
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
    maps, published = (ReferenceAlgorithm(model, layout, decode=decode) for decode in (False, True))
    timed = alternate(
        {
            "detect": lambda: accumulator.add(statistics_of(scorer.score([tokens])[0])),
            "maps": lambda: maps.score(tokens),
            "published": lambda: published.score(tokens),
        },
        max(1, options.rounds // 2),
    )
    ratios["reference_maps_over_detect"] = ratio(timed, "maps", "detect")
    ratios["reference_over_detect"] = ratio(timed, "published", "detect")
    print(
        f"reference algorithm / detection: {ratios['reference_over_detect']:.1f}, of which its score maps alone", end=""
    )
    print(f" {ratios['reference_maps_over_detect']:.1f}; the rest is that it decodes every layer")

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
                collected.add(statistics_of(found))

    timed = alternate({str(count): lambda n=count: detect_all(n) for count in (8, 16, 32, 64)}, 2)
    by_documents = {count: ratio(timed, count, "8") * 8 / int(count) for count in timed}
    for count, cost in by_documents.items():
        print(f"documents {count}: {cost:.2f} x the cost per document of 8", file=sys.stderr)

    peaks = {}
    for name, length in (
        ("body", 512),
        ("detect", 512),
        ("detect", options.tokens),
        ("maps", options.tokens),
        ("reference", options.tokens),
    ):
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
