"""How often `mwork check` fails without a true change, and what drops it finds, on made-up runs with a known truth.

    python benchmarks/gate.py [--runs 200]

Tables in Markdown: false alarms of a whole run by kind of score, documents and documents per cluster, family-wise and
per task, with a limit of zero, so that nothing but the test holds them back; the share of true drops found, with the
default limit, by documents, tasks in the run and size of the drop; and the share of later comparisons that exceed a
limit of `--calibrate`. `gate_simulation.py` says what the runs are like.
"""

import argparse
import time
from collections.abc import Sequence

import numpy as np
from common import print_figures
from gate_simulation import KINDS, change, judged

from mwork_eval.benchmarks.task_family import TaskName
from mwork_eval.gate.calibration import measure_noise
from mwork_eval.gate.comparison import ScoreChange
from mwork_eval.gate.limits import LEVEL, POINTS, Control
from mwork_eval.gate.verdict import Outcome
from mwork_eval.results.task_score import TaskScore

TASKS = 12


def false_alarms(kind: str, documents: int, cluster: int, runs: int, generator: np.random.Generator) -> list[float]:
    """Return the share of runs of twelve tasks that fail without a true change: family-wise, and per task."""
    failed = [0, 0]
    for _ in range(runs):
        changes = [change(kind, documents, cluster, 0.0, generator) for _ in range(TASKS)]
        for place, control in enumerate(Control):
            outcomes = [result.verdict.outcome for result in judged(changes, 0.0, control).tasks]
            failed[place] += Outcome.REGRESSION in outcomes
    return [count / runs for count in failed]


def found(
    quiet: Sequence[ScoreChange], cluster: int, drop: float, tasks: int, runs: int, generator: np.random.Generator
) -> tuple[float, float | None]:
    """Return the share of runs in which a true drop of one binary task fails, and the drop that the gate names.

    Args:
        quiet: Changes of tasks without a drop, of which every run has some.
        cluster: Documents per cluster.
        drop: The true drop, as a share.
        tasks: Number of tasks in a run.
        runs: Number of runs.
        generator: Source of chance.
    """
    count, told, documents = 0, [], quiet[0].documents
    for _ in range(runs):
        others = [quiet[place] for place in generator.choice(len(quiet), tasks - 1, replace=False)]
        result = judged([change("binary", documents, cluster, drop, generator), *others], POINTS).tasks[0]
        count += result.verdict.outcome is Outcome.REGRESSION
        told.append(result.evidence.detectable)
    return count / runs, None if None in told else float(np.median(told))


def exceeded(repeats: int, strays: float, runs: int, generator: np.random.Generator) -> float:
    """Return how often a later run of twelve tasks falls by more than any limit, without a true change.

    Args:
        repeats: Number of runs the limits come from.
        strays: Share of the 250 documents whose answer is open.
        runs: Number of calibrations.
        generator: Source of chance.
    """

    def score(chances: np.ndarray) -> TaskScore:
        values = (generator.random(len(chances)) < chances).astype(float)
        return TaskScore("acc,none", True, tuple((value, 1.0) for value in values), {})

    count = 0
    for _ in range(runs):
        beyond = False
        for _ in range(TASKS):
            chances = np.where(generator.random(250) < strays, generator.random(250), 1.0)
            scores = [score(chances) for _ in range(repeats + 2)]
            noise = measure_noise(TaskName("t", "t", None), scores[:repeats], LEVEL / TASKS, None)
            beyond |= 100 * (scores[-2].score - scores[-1].score) > noise.limit + 1e-9
        count += beyond
    return count / runs


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    print()
    for line in (columns, ["---"] * len(columns), *rows):
        print("| " + " | ".join(line) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    start, generator = time.perf_counter(), np.random.default_rng(15)

    alarms = {}
    for kind in KINDS:
        for documents in (64, 250, 1000):
            for cluster in (1, 13):
                few = runs // 4 if documents == 1000 and kind != "binary" and cluster == 1 else runs
                alarms[kind, documents, cluster] = few, *false_alarms(kind, documents, cluster, few, generator)
    rows = [
        [kind, str(documents), str(cluster), str(few), f"{family:.1%}", f"{alone:.1%}"]
        for (kind, documents, cluster), (few, family, alone) in alarms.items()
    ]
    table(["scores", "documents", "per cluster", "runs", "family-wise", "--per-task"], rows)

    generator, drops, power = np.random.default_rng(16), (2, 5, 10, 20), {}
    for documents in (64, 250, 1000, 4000):
        for cluster in (1, 13) if documents in (250, 1000) else (1,):
            quiet = [change("binary", documents, cluster, 0.0, generator) for _ in range(400)]
            for tasks in (1, 12, 40):
                shares = [found(quiet, cluster, drop / 100, tasks, runs, generator) for drop in drops]
                _, told = found(quiet, cluster, 0.0, tasks, runs // 4, generator)
                power[documents, cluster, tasks] = [share for share, _ in shares], told
    rows = [
        [
            str(documents),
            str(cluster),
            str(tasks),
            *(f"{share:.0%}" for share in shares),
            f"{told:.1f}" if told else "–",
        ]
        for (documents, cluster, tasks), (shares, told) in power.items()
    ]
    table(["documents", "per cluster", "tasks", *(f"{drop} points" for drop in drops), "can find"], rows)

    generator = np.random.default_rng(17)
    beyond = {
        (repeats, strays): exceeded(repeats, strays, runs // 2, generator)
        for repeats in (2, 3, 5)
        for strays in (0.02, 0.1, 0.3)
    }
    rows = [[str(repeats), f"{strays:.0%}", f"{share:.1%}"] for (repeats, strays), share in beyond.items()]
    table(["runs", "documents whose answer is open", "later runs over a limit"], rows)
    print()
    print_figures(
        benchmark="gate",
        runs=runs,
        seconds=time.perf_counter() - start,
        false_alarms={" ".join(map(str, key)): values[1:] for key, values in alarms.items()},
        found={" ".join(map(str, key)): values for key, values in power.items()},
        over_calibrated_limit={" ".join(map(str, key)): share for key, share in beyond.items()},
    )


if __name__ == "__main__":
    main()
