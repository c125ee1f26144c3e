"""How near the scores of each method are to the truth of Eq. 1, on a real model and real text.

    python benchmarks/exactness.py [--model gemma3-270m] [--corpus FILE] [--documents 24] [--tokens 128]

For a random 5 % of the neurons of six layers: zero the neuron, run its block again, and compare.
"""

import argparse
import statistics
import sys

import torch
from common import print_figures
from scipy.stats import spearmanr
from truth import Truth

from mwork_eval.detection.corpus.documents import DocumentRules, DocumentStream
from mwork_eval.detection.corpus.sources import Corpus
from mwork_eval.detection.scoring.methods import METHODS
from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.models.layout import Layout
from mwork_eval.models.loading import load_model
from mwork_eval.neurons.structures import STRUCTURES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="gemma3-270m")
    parser.add_argument("--corpus", default="embedded", help="text file, a document a line")
    parser.add_argument("--language", default="de")
    parser.add_argument("--documents", type=int, default=24)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--methods", default=",".join(METHODS))
    options = parser.parse_args()

    loaded = load_model(options.model, device="cpu", dtype="float32")
    layout = Layout.of(loaded.model)
    rules = DocumentRules(max_documents=options.documents, max_tokens=options.tokens)
    documents = list(DocumentStream(Corpus(options.language, options.corpus), loaded.tokenizer, rules))
    count = min(options.layers, layout.shape.layers)
    layers = [round(i * (layout.shape.layers - 1) / max(1, count - 1)) for i in range(count)]
    generator = torch.Generator().manual_seed(0)
    sampled = {}
    for layer in layers:
        for structure, size in layout.shape.sizes[layer].items():
            few = max(4, round(options.share * size))
            sampled[layer, structure] = torch.randperm(size, generator=generator)[:few].sort().values
    methods = options.methods.split(",")
    scorers = {method: Scorer(layout, method) for method in methods}
    rows: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for number, tokens in enumerate(documents, 1):
        found = {method: scorer.score([tokens])[0] for method, scorer in scorers.items()}
        with Truth(layout, tokens) as truths:
            true = {place: truths.scores(*place, neurons.tolist()) for place, neurons in sampled.items()}
        for (layer, structure), neurons in sampled.items():
            truth = true[layer, structure]
            for method in methods:
                scores = torch.from_numpy(found[method][layer, structure])[neurons].double()
                error = (scores - truth).abs() / truth.clamp_min(1e-12 * float(truth.max()))
                rows.setdefault((method, structure), []).append(
                    (float(spearmanr(scores, truth).statistic), float(error.median()), float(error.quantile(0.95)))
                )
        print(f"{number}/{len(documents)} documents", file=sys.stderr)
    print(f"{options.model}, {len(documents)} documents of {options.tokens} tokens, layers {layers}")
    print(f"{'method':10} {'structure':10} {'Spearman':>9} {'worst':>7} {'median error':>13} {'95 %':>8}")
    figures = {}
    for method in methods:
        for structure in STRUCTURES:
            if (method, structure) in rows:
                columns = list(zip(*rows[method, structure], strict=True))
                median, worst = statistics.median(columns[0]), min(columns[0])
                error, high = statistics.median(columns[1]), statistics.median(columns[2])
                figures[f"{method}.{structure}"] = {
                    "spearman": median,
                    "spearman_worst": worst,
                    "median_relative_error": error,
                    "relative_error_95": high,
                }
                print(f"{method:10} {structure:10} {median:9.4f} {worst:7.4f} {error:13.2g} {high:8.2g}")
    print_figures(
        benchmark="exactness",
        model=options.model,
        corpus=options.corpus,
        documents=len(documents),
        tokens=options.tokens,
        layers=layers,
        share=options.share,
        figures=figures,
    )


if __name__ == "__main__":
    main()
