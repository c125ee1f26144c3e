"""Time of a whole ablation matrix against one run of lm-eval's `hf` per cell.

    python benchmarks/matrix.py [--limit 16] [--languages en,zh,es,de] [--tasks xquad,bpb] [--preset understanding]

Runs the matrix on the default model and the embedded data, then the cells of the first mask language once more with
lm-eval's own `hf` on the same model, masked the same way, and extrapolates from those to all cells. What a command
pays to start and to load the model is measured once with `lm_eval` on one document, and given apart: the matrix pays it
once, a command per cell for every cell.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import lm_eval
import torch
from common import print_figures
from lm_eval.models.huggingface import HFLM

from mwork_eval.interventions.zero import zero_neurons
from mwork_eval.lm.model import MworkHF
from mwork_eval.matrix.identity import ModelFacts
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.planning import MatrixPlan, plan_matrix
from mwork_eval.matrix.presets import find_preset
from mwork_eval.matrix.runner import run_matrix
from mwork_eval.models import default_model
from mwork_eval.models.loading import load_model
from mwork_eval.neurons.references import find_language_sets
from mwork_eval.results.store import CellStore


def hf_seconds(
    model: MworkHF, hf: HFLM, plan: MatrixPlan, language: str, store: CellStore
) -> dict[tuple[str, bool], Any]:
    """Return, per benchmark and whether it is English, the seconds of each cell of a mask language with `hf`.

    Prints each cell's score in both ways.
    """
    seconds: dict[tuple[str, bool], list[float]] = {}
    for identity, cell in plan.distinct.items():
        if cell.mask is None or cell.mask.language != language:
            continue
        prepared = plan.tasks[cell.task]
        with zero_neurons(model.layout, cell.mask.neurons):
            start = time.perf_counter()
            found = lm_eval.simple_evaluate(
                model=hf,
                tasks=[prepared.task],
                task_manager=prepared.manager,
                samples={prepared.name: list(prepared.documents or range(prepared.requests))},
                bootstrap_iters=0,
            )
            taken = time.perf_counter() - start
        seconds.setdefault((cell.family.name, cell.language == "en"), []).append(taken)
        score = store.load(identity)
        if score is None or found is None:
            raise AssertionError("the matrix has run")
        theirs = found["results"][prepared.name][score.metric]
        print(f"  {cell.label}: {taken:.1f} s, {theirs:.4f} with hf, {score.score:.4f} in the matrix", file=sys.stderr)
    return seconds


def start_seconds(folder: Path) -> float:
    """Return the seconds of a whole `lm_eval` command on one document."""
    arguments = f"pretrained={folder},dtype=float32"
    command = [sys.executable, "-m", "lm_eval", "--model", "hf", "--model_args", arguments, "--tasks", "bpb_en"]
    start = time.perf_counter()
    subprocess.run([*command, "--device", "cpu", "--metadata", "data=embedded", "--limit", "1"], check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=16)
    parser.add_argument("--languages", default="en,zh,es,de")
    parser.add_argument("--tasks", default="xquad,bpb")
    parser.add_argument("--preset", default="understanding")
    parser.add_argument("--seeds", default="1")
    options = parser.parse_args()
    torch.set_num_threads(2)
    languages = tuple(options.languages.split(","))
    loaded = load_model("gemma3-270m", device="cpu", dtype="float32")
    arguments: dict[str, Any] = {"tokenizer": loaded.tokenizer, "batch_size": 8}
    model, hf = MworkHF(loaded.model, **arguments), HFLM(loaded.model, **arguments)
    matrix = MatrixOptions(
        (find_preset(options.preset),),
        tuple(options.tasks.split(",")),
        languages,
        limit=options.limit,
        seeds=tuple(map(int, options.seeds.split(","))),
        data="embedded",
    )
    sets = find_language_sets("gemma3-270m", [code for code in languages if code != "en"])
    plan = plan_matrix(ModelFacts.of(model, "gemma3-270m"), sets, matrix)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        cells = run_matrix(model, plan, Path(folder), advance=lambda label, _: print(label, file=sys.stderr))
        whole = time.perf_counter() - start
        seconds = hf_seconds(model, hf, plan, languages[1], CellStore(Path(folder)))
    mean = {key: sum(values) / len(values) for key, values in seconds.items()}
    extrapolated = sum(mean[cell.family.name, cell.language == "en"] for cell in plan.distinct.values())
    print(f"{options.preset} on {options.tasks}, {options.languages}, {options.limit} documents: {cells} cells")
    print(f"matrix: {whole:.0f} s; hf, extrapolated from {sum(map(len, seconds.values()))} cells: {extrapolated:.0f} s")
    print(f"hf / matrix: {extrapolated / whole:.2f}")
    starting = start_seconds(default_model.ensure())
    commands = (extrapolated + cells * starting) / (whole + starting)
    print(f"with {starting:.0f} s to start, once for the matrix and for every cell of hf: {commands:.2f}")
    print_figures(
        benchmark="matrix",
        model="gemma3-270m",
        preset=options.preset,
        tasks=options.tasks,
        languages=options.languages,
        limit=options.limit,
        cells=cells,
        seconds=whole,
        hf_seconds_extrapolated=extrapolated,
        hf_over_matrix=extrapolated / whole,
        start_seconds=starting,
        hf_commands_over_matrix_command=commands,
    )


if __name__ == "__main__":
    main()
