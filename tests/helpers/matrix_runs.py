"""A small matrix on a tiny model, and ways to run it: here, in forked children, by the command."""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from helpers.commands import mwork
from mwork_eval.application.report import write_reports
from mwork_eval.lm.model import MworkHF
from mwork_eval.matrix.identity import ModelFacts
from mwork_eval.matrix.manifest import record_matrix
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.planning import MatrixPlan, plan_matrix
from mwork_eval.matrix.presets import find_presets
from mwork_eval.matrix.runner import run_matrix
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.results.store import CellStore

OPTIONS = MatrixOptions(
    find_presets(["existence"]), ("xcsqa", "bpb"), ("en", "zh", "es"), limit=2, seeds=(1, 2), data="embedded"
)
CELLS = 30  # per task: 3 baselines, and 3 masks (LS, R with two seeds) of 2 languages on their own and English


def arguments(model: Path, neurons: Path, out: Path) -> list[str]:
    """The command of the same matrix."""
    return [
        "ablate", "--model", str(model), "--neurons", str(neurons), "--preset", "existence", "--tasks", "xcsqa,bpb",
        "--languages", "en,zh,es", "--data", "embedded", "--limit", "2", "--seeds", "1,2", "--dtype", "float32",
        "--out", str(out),
    ]  # fmt: skip


def ablate(model: Path, neurons: Path, out: Path, *extra: object, code: int = 0) -> str:
    return mwork(*arguments(model, neurons, out), "--device", "cpu", *extra, code=code)


@dataclass(frozen=True)
class Matrix:
    """A matrix with its model in this process; forked children run it without loading anything."""

    model: MworkHF
    sets: Mapping[str, NeuronSet]
    options: MatrixOptions = OPTIONS

    @property
    def facts(self) -> ModelFacts:
        return ModelFacts.of(self.model, "tiny")

    def plan(self) -> MatrixPlan:
        return plan_matrix(self.facts, self.sets, self.options)

    def run(self, plan: MatrixPlan, folder: Path, **how: Any) -> int:
        record_matrix(folder, self.facts, self.sets, self.options, plan)
        return run_matrix(self.model, plan, folder, **how)


def fork(work: Callable[[], Any]) -> int:
    """Run something in a child that shares all that is loaded; returns its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def exit_code(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def started_cells(log: Path) -> Counter[str]:
    """Count how often each cell was begun, by all processes."""
    return Counter(log.read_text(encoding="utf-8").splitlines()) if log.exists() else Counter()


def logging_to(log: Path) -> Callable[[str, int], None]:
    """Note each cell as it is begun, in one write, so that a kill cannot tear it."""

    def advance(label: str, done: int) -> None:
        if not done:
            with log.open("ab", buffering=0) as file:
                file.write(f"{label}\n".encode())

    return advance


def assert_the_same(folder: Path, whole: Path) -> None:
    """Compare everything but when and by whom it was made."""
    write_reports(folder)
    assert (folder / "report.json").read_bytes() == (whole / "report.json").read_bytes()
    assert (folder / "manifest.json").read_bytes() == (whole / "manifest.json").read_bytes()
    assert {path.name for path in (folder / "cells").iterdir()} == {path.name for path in (whole / "cells").iterdir()}


def assert_close(folder: Path, whole: Path) -> None:
    """Compare the scores of all cells, which may be batched otherwise."""
    names, expected = ({path.name for path in (f / "cells").iterdir()} for f in (folder, whole))
    assert names == expected
    for identity in (name.removesuffix(".jsonl") for name in names):
        assert_close_documents(*(CellStore(f).load(identity).documents for f in (folder, whole)))


def assert_close_documents(mine: Any, theirs: Any) -> None:
    assert len(mine) == len(theirs)
    for one, other in zip(mine, theirs, strict=True):
        assert one == pytest.approx(other, rel=1e-5)
