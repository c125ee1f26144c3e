"""Time and memory of `mwork leaderboard` on many made-up results folders, and how long its pages take to open.

    python benchmarks/leaderboard.py [--folders 1000]

Half of the folders are matrices of `mwork ablate` with their reports (two benchmarks, three languages, three settings,
32 documents), half are results of lm-eval with samples of two benchmarks in six languages, so that the front page
ranks as many models by the answers to the same documents. The pages are opened in headless Chromium if there is one
and the package playwright is installed: seconds until each kind is there and its first table is drawn, and on the front
page until all ranks are known, until another order is drawn and until a search is.
"""

import argparse
import hashlib
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import print_figures

from mwork_eval.results.store import MANIFEST, CellStore
from mwork_eval.results.task_score import TaskScore

LANGUAGES = ("en", "zh", "es")
SAMPLED_LANGUAGES = ("en", "zh", "es", "de", "vi", "ar")
BENCHMARKS = ("xquad", "xcsqa")
DATE = "2026-01-01T00-00-00.000000"
SETTINGS = (("R all", True), ("LS all", False), ("LS under", False))
DOCUMENTS = 32


def make_matrix(folder: Path, number: int, generator: random.Random) -> None:
    """Write a results folder of a matrix: cells, manifest and report."""
    store, cells, tables, report_cells = CellStore(folder), [], [], []
    for benchmark in BENCHMARKS:
        for language in LANGUAGES:
            place = {"preset": "mine", "setting": None, "mask_language": None, "seed": None}
            place |= {"task": benchmark, "language": language}
            identity = f"{benchmark}{language}"
            documents = tuple((float(generator.random() < 0.5), 1.0) for _ in range(DOCUMENTS))
            about = {"task_hash": f"{benchmark} {language} documents"}
            samples = [
                {"doc_id": n, "arguments": [["question " * 50]], "resps": [["answer"]]} for n in range(DOCUMENTS)
            ]
            store.save(identity, TaskScore("acc,none", True, documents, {}), about, samples)
            cells.append(place | {"identity": identity})
            report_cells.append(place | {"setting": "baseline", "score": 50.0})
        rows = [{"name": name, "random": is_random, "delta": _delta(generator)} for name, is_random in SETTINGS]
        tables.append(
            {
                "preset": "mine",
                "task": benchmark,
                "languages": LANGUAGES[1:],
                "counts": dict.fromkeys(LANGUAGES[1:], 15),
                "unit": "points",
                "documents": dict.fromkeys(LANGUAGES, DOCUMENTS),
                "rows": [
                    row | {"comparison": None if row["random"] else {"p_holm": generator.random()}} for row in rows
                ],
            }
        )
    shared = {"model": f"org/model-{number}", "fingerprint": f"{number:032x}", "sets": {}}
    manifest = {
        **{"format": "mwork-ablation", "version": 1, "dtype": "float32", "limit": DOCUMENTS, "data": None},
        **{"languages": LANGUAGES, "seeds": [], "versions": {}, "cells": cells, **shared},
        "stages": {"layers": 4, "understanding": 1, "generation": 1},
        "tasks": [{"name": benchmark, "languages": LANGUAGES, "missing": []} for benchmark in BENCHMARKS],
        "presets": [{"name": "mine", "table": None, "ability": "", "settings": [], "counts": {}}],
    }
    (folder / MANIFEST).write_text(json.dumps(manifest))
    report = {"format": "mwork-report", "tables": tables, "cells": report_cells, **shared}
    (folder / "report.json").write_text(json.dumps(report))


def _delta(generator: random.Random) -> dict[str, Any]:
    values = {name: generator.uniform(-20, 20) for name in ("delta_eng", "delta_non_eng", "delta")}
    return {name: {"value": value, "low": value - 5, "high": value + 5} for name, value in values.items()}


def make_results_file(folder: Path, number: int, generator: random.Random) -> None:
    """Write results of lm-eval with their samples, as `lm_eval --log_samples` does."""
    tasks = [f"{benchmark}_{language}" for benchmark in BENCHMARKS for language in SAMPLED_LANGUAGES]
    chance = generator.uniform(0.2, 0.9)
    samples = {task: [_sample(task, n, generator.random() < chance) for n in range(DOCUMENTS)] for task in tasks}
    shares = {task: sum(sample["acc"] for sample in own) / DOCUMENTS for task, own in samples.items()}
    results = {
        "model_name": f"org/plain-{number}",
        "date": 1e9 + number,
        "config": {"model": "vllm", "model_num_parameters": 10 ** generator.randint(8, 10)},
        "results": {task: {"acc,none": share, "acc_stderr,none": 0.05} for task, share in shares.items()},
        "n-samples": {task: {"original": DOCUMENTS, "effective": DOCUMENTS} for task in tasks},
        "higher_is_better": {task: {"acc": True} for task in tasks},
        "task_hashes": {task: _digest(own) for task, own in samples.items()},
    }
    folder.mkdir(parents=True)
    (folder / f"results_{DATE}.json").write_text(json.dumps(results))
    for task, own in samples.items():
        (folder / f"samples_{task}_{DATE}.jsonl").write_text("".join(f"{json.dumps(sample)}\n" for sample in own))


def _sample(task: str, number: int, right: bool) -> dict[str, Any]:
    doc = {"id": number, "question": f"question {number} " * 10}
    hashes = {f"{part}_hash": f"{part} {task} {number}" for part in ("doc", "prompt", "target")}
    asked = {"doc_id": number, "filter": "none", "doc": doc, "arguments": [[doc["question"]]], "resps": [["answer"]]}
    return {**asked, **hashes, "metrics": ["acc"], "acc": float(right)}


def _digest(samples: list[dict[str, Any]]) -> str:
    parts = (sample[f"{part}_hash"] for sample in samples for part in ("doc", "prompt", "target"))
    return hashlib.sha256("".join(parts).encode()).hexdigest()


DRAWN = "new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
SORT = """document.querySelector('#ranked thead [data-sort="zh"]').click()"""
SEARCH = """(() => {
  const search = document.querySelector('[data-state="q"]');
  search.value = "1";
  search.dispatchEvent(new Event("input", { bubbles: true }));
})()"""

TIMED = f"""async () => {{
  const start = performance.now();
  %s;
  await {DRAWN};
  return performance.now() - start;
}}"""


def open_pages(site: Path) -> dict[str, float]:
    """Return the seconds until each kind of page is there, and until what one does on the first is seen."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        return {}
    from playwright.sync_api import sync_playwright

    seconds = {}
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for kind, path in (
            ("index", site / "index.html"),
            ("compare", site / "compare" / "index.html"),
            ("benchmark", next((site / "tasks").glob("*/index.html"))),
            ("model", next((site / "models").glob("*/index.html"))),
        ):
            page = browser.new_page()
            start = time.perf_counter()
            page.goto(path.as_uri())
            page.locator("tbody tr:visible").first.wait_for()
            page.evaluate(DRAWN)
            seconds[kind] = time.perf_counter() - start
            if kind == "index":
                page.locator('#board[data-ranked="true"]').wait_for(timeout=120_000)
                seconds["ranks"] = time.perf_counter() - start
                for what, script in (("sort", SORT), ("search", SEARCH)):
                    seconds[what] = page.evaluate(TIMED % script) / 1000
            page.close()
        browser.close()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folders", type=int, default=1000)
    options = parser.parse_args()
    generator = random.Random(0)
    with tempfile.TemporaryDirectory() as temporary:
        runs, site = Path(temporary, "runs"), Path(temporary, "site")
        for number in range(options.folders):
            make = make_results_file if number % 2 else make_matrix
            make(runs / f"{number:04}", number, generator)
        command = [sys.executable, "-m", "mwork_eval", "leaderboard", str(runs), "--out", str(site)]
        start = time.perf_counter()
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) / 1024**2
        opened = open_pages(site)
    print(f"{options.folders} folders: {seconds:.1f} s, {peak:.0f} MiB, a site of {size:.0f} MiB")
    print("pages open in " + ", ".join(f"{kind} {taken:.2f} s" for kind, taken in opened.items()))
    print_figures(
        benchmark="leaderboard",
        folders=options.folders,
        seconds=seconds,
        peak_mib=peak,
        site_mib=size,
        open_seconds=opened,
    )


if __name__ == "__main__":
    main()
