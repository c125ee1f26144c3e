"""The tiny matrix that several files run, made once; a plugin of theirs."""

from collections import Counter
from pathlib import Path

import pytest
import torch

from helpers.commands import mwork
from helpers.matrix_runs import CELLS, Matrix, exit_code, fork, logging_to, started_cells
from mwork_eval.application.report import write_reports
from mwork_eval.lm.model import MworkHF
from mwork_eval.matrix.planning import MatrixPlan
from mwork_eval.neurons.references import find_language_sets


@pytest.fixture(scope="session")
def neurons(tiny_llama, tmp_path_factory) -> Path:
    """Sets for zh and es of the tiny model, from the embedded texts."""
    out = tmp_path_factory.mktemp("neurons")
    mwork(
        "detect", "--model", tiny_llama, "--languages", "en,zh,es", "--fraction", "0.4",
        "--max-docs", "4", "--max-tokens", "32", "--device", "cpu", "--out", out,
    )  # fmt: skip
    return out


@pytest.fixture(scope="session")
def matrix(tiny_llama, neurons) -> Matrix:
    torch.set_num_threads(1)  # threads of a parent do not exist in its forked children
    model = MworkHF(str(tiny_llama), device="cpu", dtype="float32", batch_size=8)
    return Matrix(model, find_language_sets(str(neurons), ["zh", "es"]))


@pytest.fixture(scope="session")
def plan(matrix) -> MatrixPlan:
    return matrix.plan()


@pytest.fixture(scope="session")
def whole(matrix, plan, tmp_path_factory) -> Path:
    """What an uninterrupted run in one process leaves."""
    folder = tmp_path_factory.mktemp("whole") / "o"
    log = folder.parent / "log"
    assert exit_code(fork(lambda: matrix.run(plan, folder, advance=logging_to(log)))) == 0
    assert started_cells(log) == Counter({cell.label: 1 for cell in plan.distinct.values()})
    assert len(plan.distinct) == CELLS
    write_reports(folder)
    return folder
