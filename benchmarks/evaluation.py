"""Time, memory and scores of `mwork-hf` against lm-eval's own `hf`, alternating, on one model in one process.

    python benchmarks/evaluation.py --data FOLDER [--model gemma3-270m] [--dtype float32] [--rounds 3] [--cases bpb]

FOLDER holds the benchmarks' published files, as for `MWORK_DATA`; `embedded` takes the small texts of the package.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from common import alternate, forget_peak, peak_memory, peak_of, print_figures, ratio
from lm_eval.models.huggingface import HFLM

from mwork_eval.evaluation.evaluate import prepare_tasks
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.lm.model import MworkHF
from mwork_eval.models.loading import load_model


@dataclass(frozen=True)
class Case:
    """A benchmark in some languages: documents of each, or for XQuAD paragraphs with all their questions."""

    task: str
    languages: tuple[str, ...]
    count: int
    paragraphs: bool = False

    def requests(self, data: str) -> list[Any]:
        """Return the requests of all languages."""
        names = [f"{self.task}_{language}" for language in self.languages]
        found = []
        sample = Sample(None if self.paragraphs else self.count)
        for name, prepared in prepare_tasks(names, data=data, sample=sample).items():
            instances = prepared.task.instances
            if self.paragraphs:
                runs = [list(run) for _, run in groupby(instances, key=lambda i: i.doc["context"])]
                instances = [instance for run in runs[: self.count] for instance in run]
            found += instances
            print(f"{name}: {len(instances)} requests", file=sys.stderr)
        return found


CASES = {
    "xcsqa": Case("xcsqa", ("zh", "en"), 32),
    "xquad": Case("xquad", ("zh", "en"), 8, paragraphs=True),
    "xlsum": Case("xlsum", ("zh", "en"), 4),
    "bpb": Case("bpb", ("zh", "en"), 4),
}
METHODS = {"xcsqa": "loglikelihood", "bpb": "loglikelihood_rolling"}


def compare(name: str, hf: Sequence[Any], ours: Sequence[Any]) -> dict[str, Any]:
    """Return how far the answers differ: natural logarithms, or the texts that are not the same."""
    if name in METHODS:
        values = [[answer[0] if isinstance(answer, tuple) else answer for answer in answers] for answers in (hf, ours)]
        found: dict[str, Any] = {
            "largest_difference": max(abs(a - b) for a, b in zip(*values, strict=True)),
            "largest_magnitude": max(map(abs, values[0])),
        }
        if name == "xcsqa":
            found["same_greedy"] = all(a[1] == b[1] for a, b in zip(hf, ours, strict=True))
        return found
    others = [(a, b) for a, b in zip(hf, ours, strict=True) if a != b]
    for a, b in others:
        print(f"  differs: {a!r} | {b!r}")
    return {"identical": 1 - len(others) / len(hf), "others": others}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", default="gemma3-270m")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--peak", choices=["hf", "mwork-hf"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(2)
    loaded = load_model(options.model, device="cpu", dtype=options.dtype)
    arguments: dict[str, Any] = {"tokenizer": loaded.tokenizer, "batch_size": options.batch_size}
    models = {"hf": HFLM(loaded.model, **arguments), "mwork-hf": MworkHF(loaded.model, **arguments)}
    models["mwork-hf"].show_progress = False

    def answer(which: str, case: str, requests: list[Any]) -> Any:
        if which == "mwork-hf":
            models[which].forget()  # else answers of the round before would be drafts for this one
        return getattr(models[which], METHODS.get(case, "generate_until"))(requests, disable_tqdm=True)

    if options.peak:
        requests = CASES[options.cases].requests(options.data)
        before = forget_peak()
        answer(options.peak, options.cases, requests)
        print(json.dumps({"peak": peak_memory(), "loaded": before}))
        return

    print(f"{options.model}, {options.dtype}, batch size {options.batch_size}, {options.rounds} rounds")
    figures = {}
    for name in options.cases.split(","):
        requests = CASES[name].requests(options.data)
        kept: dict[str, Any] = {}

        def run(which: str, name: str = name, requests: list[Any] = requests, kept: dict[str, Any] = kept) -> None:
            kept[which] = answer(which, name, requests)

        seconds = alternate({which: lambda which=which: run(which) for which in models}, options.rounds)
        same = compare(name, kept["hf"], kept["mwork-hf"])
        command = ("--data", options.data, "--model", options.model, "--dtype", options.dtype)
        command += ("--batch-size", str(options.batch_size))
        peaks = {which: peak_of(__file__, *command, "--cases", name, "--peak", which) for which in models}
        above = {which: peak["peak"] - peak["loaded"] for which, peak in peaks.items()}
        figures[name] = {
            "requests": len(requests),
            "hf_over_mwork": ratio(seconds, "hf", "mwork-hf"),
            "seconds": {which: statistics.median(values) for which, values in seconds.items()},
            "peak_mib_above_weights": {which: round(value / 2**20) for which, value in above.items()},
            **{key: value for key, value in same.items() if key != "others"},
        }
        print(f"{name}: {figures[name]['hf_over_mwork']:.2f} x faster than hf; {json.dumps(figures[name])}")
    print_figures(
        benchmark="evaluation", model=options.model, dtype=options.dtype, batch_size=options.batch_size, figures=figures
    )


if __name__ == "__main__":
    main()
