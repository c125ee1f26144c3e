"""The matrix on a tiny model: killed, shared by processes, extended."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.matrix_runs import (
    CELLS,
    OPTIONS,
    arguments,
    assert_close,
    assert_close_documents,
    assert_the_same,
    exit_code,
    fork,
    logging_to,
    started_cells,
)

from mwork_eval.errors import InputError
from mwork_eval.matrix.identity import ModelFacts
from mwork_eval.matrix.planning import plan_matrix
from mwork_eval.matrix.runner import run_matrix
from mwork_eval.neurons.stages import Stages
from mwork_eval.neurons.tuned_stages import TunedOn, with_stages
from mwork_eval.resources import embedded_folder
from mwork_eval.results.store import CellStore

pytest_plugins = ["helpers.matrix_fixtures"]

KILLS = 20
ENVIRONMENT = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


@pytest.mark.slow
def test_a_matrix_killed_twenty_times_loses_and_repeats_nothing(matrix, plan, whole, tmp_path):
    log, folder = tmp_path / "log", tmp_path / "o"
    generator = random.Random(1)
    finished: dict[Path, tuple[int, int]] = {}
    start = time.monotonic()
    assert exit_code(fork(lambda: matrix.run(plan, tmp_path / "timed"))) == 0
    longest = 1.5 * (time.monotonic() - start) / KILLS  # three quarters of the work are done in killed processes
    for _ in range(KILLS):
        begun = started_cells(log).total()
        child = fork(lambda: matrix.run(plan, folder, advance=logging_to(log)))
        deadline = time.monotonic() + 60
        while started_cells(log).total() == begun:  # looking at the folder takes longer than a cell
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(generator.uniform(0, longest))
        os.kill(child, signal.SIGKILL)
        assert exit_code(child) == -signal.SIGKILL
        for path in folder.glob("cells/*.jsonl"):
            stat = path.stat()
            assert finished.setdefault(path, (stat.st_ino, stat.st_mtime_ns)) == (stat.st_ino, stat.st_mtime_ns)
    assert 0 < len(finished) < CELLS
    assert exit_code(fork(lambda: matrix.run(plan, folder, advance=logging_to(log)))) == 0
    for path, written in finished.items():
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == written
    begun = started_cells(log)
    assert len(begun) == CELLS
    assert begun.total() <= CELLS + KILLS  # a kill costs the cell it hits and no other
    assert_the_same(folder, whole)


def test_two_processes_on_one_folder_share_the_cells(matrix, plan, whole, tmp_path):
    folder, logs = tmp_path / "o", [tmp_path / "1", tmp_path / "2"]
    children = [fork(lambda log=log: matrix.run(plan, folder, advance=logging_to(log))) for log in logs]
    assert [exit_code(child) for child in children] == [0, 0]
    first, second = map(started_cells, logs)
    assert first + second == Counter({cell.label: 1 for cell in plan.distinct.values()})
    assert first
    assert second
    assert_the_same(folder, whole)


@pytest.fixture
def asked(matrix, monkeypatch) -> list[tuple[Any, ...]]:
    """The requests that reach the model."""
    found: list[tuple[Any, ...]] = []

    def counting(ask):
        def count(requests, *rest, **options):
            found.extend(request.args for request in requests)
            return ask(requests, *rest, **options)

        return count

    for kind in ("loglikelihood", "loglikelihood_rolling"):
        monkeypatch.setattr(matrix.model, kind, counting(getattr(matrix.model, kind)))
    return found


def test_a_larger_limit_asks_only_what_is_new(matrix, asked, tmp_path):
    options = replace(OPTIONS, languages=("en", "zh"), seeds=(1,))
    smaller, larger = (
        replace(matrix, options=replace(options, limit=limit), sets={"zh": matrix.sets["zh"]}) for limit in (2, 4)
    )
    few, more = smaller.plan(), larger.plan()
    smaller.run(few, tmp_path / "o")
    before = len(asked)
    assert before == sum(few.tasks[cell.task].requests for cell in few.distinct.values())
    assert larger.run(more, tmp_path / "o") == len(more.distinct) == len(few.distinct)
    assert len(asked) - before == before  # twice the documents, half of them new
    assert not set(few.distinct) & set(more.distinct)

    asked.clear()
    larger.run(more, tmp_path / "fresh")
    assert len(asked) == 2 * before
    for identity, cell in more.distinct.items():
        extended, fresh = (CellStore(tmp_path / name).load(identity) for name in ("o", "fresh"))
        assert len(fresh.documents) == 4, cell.label
        assert_close_documents(extended.documents, fresh.documents)
    # The smaller matrix is still there.
    assert smaller.run(few, tmp_path / "o") == 0


def test_a_corrected_answer_is_scored_without_asking_again(matrix, asked, tmp_path):
    data = tmp_path / "data" / "xcsqa"
    data.mkdir(parents=True)
    for code in ("en", "zh"):
        lines = (embedded_folder() / "xcsqa" / f"{code}.jsonl").read_text(encoding="utf-8").splitlines()[:2]
        (data / f"{code}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = replace(OPTIONS, tasks=("xcsqa",), languages=("en", "zh"), data=str(data.parent), seeds=(1,))
    corrected = replace(matrix, options=options, sets={"zh": matrix.sets["zh"]})
    corrected.run(corrected.plan(), tmp_path / "o")
    zh = (data / "zh.jsonl").read_text(encoding="utf-8")
    (data / "zh.jsonl").write_text(zh.replace('"answerKey": "C"', '"answerKey": "D"'), encoding="utf-8")
    asked.clear()
    assert corrected.run(corrected.plan(), tmp_path / "o") == 3  # zh: baseline, LS and R
    assert asked == []


@pytest.mark.slow
def test_two_processes_share_each_cell(tiny_llama, neurons, whole, tmp_path):
    out = tmp_path / "o"
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
        "--module", "mwork_eval", *arguments(tiny_llama, neurons, out),
    ]  # fmt: skip
    run = subprocess.run(command, env=ENVIRONMENT, text=True, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stderr.count(f"{CELLS} cells, {CELLS} to compute") == 1
    assert_close(out, whole)


def test_fewer_documents_than_processes_are_refused(matrix, plan, tmp_path, monkeypatch):
    monkeypatch.setattr(type(matrix.model), "world_size", 3)
    with pytest.raises(InputError, match="has fewer documents than there are processes; found 3 processes"):
        run_matrix(matrix.model, plan, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["xcsqa", "xcsqa_{l}"])
def test_tuning_documents_are_left_out_however_the_task_was_written(matrix, name):
    tuned_on = {"task": name, "language": "zh", "documents": 2}
    sets = {code: with_stages(s, Stages(s.shape.layers, 1, 1), tuned_on) for code, s in matrix.sets.items()}
    for written in ("xcsqa", "xcsqa_{l}"):
        plan = plan_matrix(ModelFacts.of(matrix.model, "tiny"), sets, replace(OPTIONS, tasks=(written, "bpb")))
        assert set(plan.source.sample.skip.values()) == {TunedOn(2, first=2)}
        assert {task.partition("_")[0] for task in plan.source.sample.skip} == {"xcsqa"}


def test_tuning_documents_are_left_out_of_tables_under_another_name(matrix):
    tuned_on = {"task": "other", "documents": 1, "items": ["zh 1"], "tasks": ["xcsqa_en", "xcsqa_zh"]}
    sets = {code: with_stages(s, Stages(s.shape.layers, 1, 1), tuned_on) for code, s in matrix.sets.items()}
    mine = {language: f"xcsqa_{language}" for language in OPTIONS.languages}
    options = replace(OPTIONS, tasks=("mine", "bpb"), own_tasks={"mine": mine})
    skip = plan_matrix(ModelFacts.of(matrix.model, "tiny"), sets, options).source.sample.skip
    assert {task: found.items for task, found in skip.items()} == {task: {"zh 1"} for task in mine.values()}
