"""Do intervals, p-values and "can tell" of the reports hold what they say? Simulated samples with a known truth."""

import argparse
import time
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from common import print_figures
from scipy import stats
from simulated import KINDS, World
from trials import coverage, null_p, power

DOCUMENTS, QUESTIONS = (16, 64, 240), (1, 13)
MANY, FEW = (0.6, -0.8), (0.1, -0.06)
"""Interactions and shift of a set that moves about a fifth of right-or-wrong answers, and of one that moves 3 %."""
SPREADS = {"documents": 0.0, "draws": 0.3}


def coverage_rows(trials: int) -> Iterator[dict[str, Any]]:
    """Yield a row per world: how often the intervals of ∆n-Eng and ∆ are shown, hold the truth, and are wrong."""
    for kind, changes, parallel, documents, questions in product(
        KINDS, ("many", "few"), (True, False), DOCUMENTS, QUESTIONS
    ):
        moves, shift = MANY if changes == "many" else FEW
        found = coverage(World(kind, documents, questions, parallel, moves), shift, trials, seed=documents + questions)
        row: dict[str, Any] = {
            "kind": kind,
            "changes": changes,
            "parallel": parallel,
            "documents": documents,
            "questions": questions,
        }
        for name, of in zip(("n-Eng", "delta"), found, strict=True):
            row[name] = {
                "shown": round(of.shown, 3),
                "covered": None if np.isnan(of.covered) else round(of.covered, 3),
                "wrong": round(of.wrong, 3),
            }
        print(row, flush=True)
        yield row


def null_rows(trials: int) -> Iterator[dict[str, Any]]:
    """Yield a row per world and null hypothesis: how p is distributed."""
    sizes = ((64, 1), (240, 13))
    for kind, (documents, questions), draws, (null, spread) in product(KINDS, sizes, (3, 20), SPREADS.items()):
        p = null_p(World(kind, documents, questions, True, 0.4), draws, spread, trials, seed=documents + draws)
        told = p[~np.isnan(p)]
        row = {"kind": kind, "documents": documents, "questions": questions, "draws": draws, "null": null}
        row |= {f"p<{level}": round(float(np.mean(told < level)), 3) for level in (0.05, 0.1, 0.25, 0.5)}
        row["uniform"] = round(float(stats.kstest(told, "uniform").pvalue), 3)
        print(row, flush=True)
        yield row


def power_rows(trials: int) -> Iterator[dict[str, Any]]:
    """Yield a row per world: the effect that tables print, and how often it is found."""
    for kind, draws, rows in product(KINDS, (5, 20), (1, 6)):
        world = World(kind, 240, 4, True, 0.4)
        found = power(world, draws, 0.1, rows, trials, seed=draws + rows)
        row = {"kind": kind, "draws": draws, "rows": rows, "printed": found.printed, "power": round(found.found, 3)}
        print(row, flush=True)
        yield row


def main() -> None:
    """Run the grid and print a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000, help="samples per world [1000]")
    parser.add_argument("--only", choices=("coverage", "null", "power"), help="a part of the grid [all]")
    options = parser.parse_args()
    start, few = time.perf_counter(), max(1, options.trials // 2)
    parts = {
        "coverage": (coverage_rows, options.trials),
        "null": (null_rows, options.trials),
        "power": (power_rows, few),
    }
    chosen = {name: part for name, part in parts.items() if options.only in (None, name)}
    figures = {name: list(rows(trials)) for name, (rows, trials) in chosen.items()}
    print_figures(trials=options.trials, **figures, seconds=round(time.perf_counter() - start))


if __name__ == "__main__":
    main()
