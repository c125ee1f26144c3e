"""What the benchmarks share: text to run on, alternating timing, peak memory, and the last line of the output."""

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from mwork_eval.resources import embedded_folder


def token_stream(tokenizer: Any, count: int, language: str = "de") -> list[int]:
    """Return ``count`` tokens of the embedded texts, repeated if need be."""
    text = (embedded_folder() / "corpus" / f"{language}.txt").read_text(encoding="utf-8")
    ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
    return (ids * (count // len(ids) + 1))[:count]


def alternate(runs: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Time functions in turn, A B A B, after one round that is not counted; returns the seconds of each."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if number:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(seconds: Mapping[str, list[float]], over: str, under: str) -> float:
    """Return the median over rounds of the ratio of two functions' times."""
    return statistics.median(a / b for a, b in zip(seconds[over], seconds[under], strict=True))


def read_weights(model: torch.nn.Module) -> None:
    """Bring every weight into memory, where the file is only mapped so far, so that peaks do not count them."""
    for weights in model.parameters():
        weights.detach().sum()


def forget_peak() -> int:
    """Start measuring the peak memory of this process anew (Linux); returns the memory it has now, in bytes."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return peak_memory()


def peak_memory() -> int:
    """Return the largest memory of this process since `forget_peak`, in bytes (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def peak_of(script: str, *arguments: str) -> dict[str, int]:
    """Run a script in a new process and return the JSON object of its last line."""
    command = [sys.executable, script, *arguments]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, int] = json.loads(result.stdout.splitlines()[-1])
    return found


def print_figures(**figures: Any) -> None:
    """Print figures, threads and versions as one JSON line, the last line of every benchmark."""
    versions = {name: version(name) for name in ("torch", "transformers", "lm_eval", "mwork_eval")}
    versions["python"] = platform.python_version()
    print(json.dumps({**figures, "threads": torch.get_num_threads(), "versions": versions}, sort_keys=True))
