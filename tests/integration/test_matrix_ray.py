"""The matrix on a local Ray of two workers: equal to one process, also when workers die."""

import os
import signal

import pytest
from helpers.matrix_runs import CELLS, ablate, assert_close

from mwork_eval.errors import InputError
from mwork_eval.matrix import ray_engine
from mwork_eval.matrix.ray_engine import RayEngine, ray_cluster
from mwork_eval.results.store import CellStore

pytest_plugins = ["helpers.matrix_fixtures"]
pytestmark = pytest.mark.slow

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster():
    with ray_cluster():
        yield


def test_the_command_finds_on_ray_what_one_process_finds(tiny_llama, neurons, whole, tmp_path):
    said = ablate(tiny_llama, neurons, tmp_path, "--engine", "ray", "--workers", "2")
    assert f"{CELLS} cells, {CELLS} to compute" in said
    assert_close(tmp_path, whole)
    assert "0 to compute" in ablate(tiny_llama, neurons, tmp_path)


def worker_that_notes_itself(model, notes):
    """Make a function that loads the model; made here, it is pickled by value, as a worker has no such module."""

    def load():
        import os

        from mwork_eval.lm.model import MworkHF

        (notes / str(os.getpid())).touch()
        return MworkHF(str(model), device="cpu", dtype="float32", batch_size=8)

    return load


def test_a_worker_that_dies_costs_its_cell_only(tiny_llama, plan, whole, cluster, tmp_path):
    notes, folder = tmp_path / "workers", tmp_path / "o"
    notes.mkdir()
    said, begun = [], []

    def advance(label, done):
        begun.extend([label] * (not done))
        if len(begun) == 10 and not done:
            os.kill(int(min(path.name for path in notes.iterdir())), signal.SIGKILL)

    engine = RayEngine(worker_that_notes_itself(tiny_llama, notes), "tiny", 2)
    engine.most = 3  # more than there is room for: the third waits until one dies
    assert engine.run(plan, folder, advance=advance, tell=said.append) == CELLS
    # The third may still be loading when the second has done the rest.
    assert len(list(notes.iterdir())) in (2, 3)
    (message,) = said
    assert message.startswith("a worker died while computing ")
    assert len(begun) == CELLS + 1
    assert_close(folder, whole)
    assert engine.run(plan, folder) == 0


def test_a_worker_killed_for_its_memory_is_replaced(tiny_llama, plan, whole, cluster, tmp_path, monkeypatch):
    notes = tmp_path / "workers"
    notes.mkdir()
    engine = RayEngine(worker_that_notes_itself(tiny_llama, notes), "tiny", 1)
    get, calls, said = ray_engine._result, [], []

    def killed_once(reference):
        calls.append(reference)
        if len(calls) == 4:  # Ray's memory monitor kills the worker and raises this, which is no RayActorError
            (worker,) = notes.iterdir()
            os.kill(int(worker.name), signal.SIGKILL)  # alive, it would keep the room that another one waits for
            raise ray.exceptions.OutOfMemoryError("Task was killed due to the node running low on memory.")
        return get(reference)

    monkeypatch.setattr(ray_engine, "_result", killed_once)
    assert engine.run(plan, tmp_path / "o", tell=said.append) == CELLS
    assert [message.partition(" while")[0] for message in said] == ["a worker died"]
    assert len(list(notes.iterdir())) == 2
    assert_close(tmp_path / "o", whole)


def test_a_cell_that_kills_its_workers_is_given_up(tiny_llama, plan, cluster, tmp_path):
    def load():
        import os

        from mwork_eval.lm.model import MworkHF

        model = MworkHF(str(tiny_llama), device="cpu", dtype="float32", batch_size=8)
        ask = model.loglikelihood
        model.loglikelihood = lambda requests, **how: os._exit(9) if model.masked else ask(requests, **how)
        return model

    engine = RayEngine(load, "tiny", 1)
    with pytest.raises(InputError, match=r"3 workers died while computing LS all · zh · xcsqa_zh; found .*the same"):
        engine.run(plan, tmp_path)
    assert len(list(tmp_path.glob("cells/*.jsonl"))) == 6  # the baselines
    with CellStore(tmp_path).claim(next(iter(plan.distinct))) as free:
        assert free


def test_a_model_that_a_worker_cannot_load_is_named(cluster, tmp_path):
    from functools import partial

    from mwork_eval.matrix.loading import load_for_matrix

    with pytest.raises(InputError, match=r"model .*none cannot be loaded"):
        RayEngine(partial(load_for_matrix, str(tmp_path / "none"), "cpu", None, 8), "none", 1)


def test_other_documents_on_a_worker_are_refused(tiny_llama, plan, cluster, tmp_path):
    from dataclasses import replace

    engine = RayEngine(worker_that_notes_itself(tiny_llama, tmp_path), "tiny", 1)
    tasks = {name: replace(task, digest="0" * 64) for name, task in plan.tasks.items()}
    with pytest.raises(InputError, match="a worker has other documents or prompts of xcsqa_en"):
        engine.run(replace(plan, tasks=tasks), tmp_path / "o")
