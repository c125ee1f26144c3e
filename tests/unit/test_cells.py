"""Cells shared by several processes: claims, what is left behind, known answers, queue, shards, manifest; no model."""

import errno
import json
import multiprocessing
import os
import signal
from dataclasses import replace
from types import SimpleNamespace

import pytest
from helpers.earlier_files import rewrite
from helpers.neuron_sets import SHAPE, STAGES, make

from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.errors import InputError
from mwork_eval.evaluation.known_answers import request_key
from mwork_eval.evaluation.prepared_task import PreparedTask
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.matrix import cell_queue
from mwork_eval.matrix.cell_plan import TaskSource
from mwork_eval.matrix.cell_queue import CellQueue, wait_for_cell
from mwork_eval.matrix.compute import CellResult
from mwork_eval.matrix.identity import ModelFacts
from mwork_eval.matrix.identity import identity_of as cell_identity
from mwork_eval.matrix.manifest import record_matrix
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.plan import Cell, Mask, plan_cells, plan_masks
from mwork_eval.matrix.planning import MatrixPlan
from mwork_eval.matrix.presets import find_preset
from mwork_eval.matrix.reuse import known_answers
from mwork_eval.matrix.revisions import outdated_cells
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.recorded_sets import find_recorded_set
from mwork_eval.results.store import CellStore, load_manifest
from mwork_eval.results.task_score import TaskScore

SCORE = TaskScore("acc,none", True, ((1.0, 1.0),), {"acc,none": 1.0})
RESULT = CellResult(SCORE, [], {}, None)
FAMILY = TaskFamily("xquad", ("en", "zh"))
ZH = make(q0=[1, 2], up1=[2, 5, 6], q3=[4], up3=[0, 1, 2, 3], v7=[1], up7=[3, 4])


def cells(*names: str) -> list[tuple[str, Cell]]:
    return [(name, Cell(None, FAMILY, "en")) for name in names]


def quiet(label: str, done: int) -> None:
    pass


def test_cells_of_an_earlier_version_are_computed_again_and_the_reason_is_told(tmp_path):
    store, cell = CellStore(tmp_path), Cell(None, FAMILY, "en")
    store.save("a-1", SCORE, {"label": cell.label}, [])
    assert outdated_cells(store, [cell]) == []
    path = store.path("a-1")
    rewrite(path, ('"revision": 3, ', ""), ('"clusters": []', '"other": 1'))
    assert store.load("a-1") == SCORE
    (line,) = outdated_cells(store, [cell])
    assert line.startswith(
        "1 cells of xquad are of an earlier version and are computed again: answers are compared anew"
    )
    store.save("a-2", SCORE, {"label": cell.label}, [])
    assert outdated_cells(store, [cell]) == []  # another limit of what was computed again
    assert outdated_cells(store, []) == outdated_cells(store, [Cell(None, FAMILY, "zh")]) == []


def test_a_claimed_cell_is_nobody_elses(tmp_path):
    mine, theirs = CellStore(tmp_path), CellStore(tmp_path)
    with mine.claim("a") as first, theirs.claim("a") as second, theirs.claim("b") as third:
        assert (first, second, third) == (True, False, True)
    with theirs.claim("a") as again:
        assert again


def test_a_claim_ends_with_its_process(tmp_path):
    def hold(ready):
        with CellStore(tmp_path).claim("a"):
            (tmp_path / "cells/.a.jsonl.half").write_text("{")
            ready.send(True)
            signal.pause()

    receive, send = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=hold, args=(send,))
    process.start()
    assert receive.recv()
    store = CellStore(tmp_path)
    store.discard_left_behind()
    with store.claim("a") as claimed:
        assert not claimed
    assert (tmp_path / "cells/.a.jsonl.half").exists()  # its writer lives
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with store.claim("a") as claimed:
        assert claimed
        assert not (tmp_path / "cells/.a.jsonl.half").exists()


def test_a_stored_cell_leaves_no_lock(tmp_path):
    store = CellStore(tmp_path)
    with store.claim("a"):
        store.save("a", SCORE, {}, [])
    assert [path.name for path in (tmp_path / "cells").iterdir()] == ["a.jsonl"]
    with pytest.raises(KeyboardInterrupt), store.claim("b"):
        raise KeyboardInterrupt
    with store.claim("b") as claimed:
        assert claimed


def test_what_killed_processes_left_is_removed(tmp_path):
    store = CellStore(tmp_path)
    store.save("a", SCORE, {}, [])
    for name in (".a.jsonl.x1", ".b.jsonl.x2", "a.lock"):
        (tmp_path / "cells" / name).write_text("{")
    store.discard_left_behind()
    left = {path.name for path in (tmp_path / "cells").iterdir()}
    assert left == {"a.jsonl", "b.lock"}
    assert store.load("a") == SCORE


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    store = CellStore(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"), CellQueue(store, cells("a"), quiet) as queue:
        queue.store(*queue.take(), RESULT)
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "cells").iterdir()] == ["a.lock"]
    with CellQueue(store, cells("a"), quiet) as queue:
        queue.store(*queue.take(), RESULT)
    assert store.load("a") == SCORE


def test_a_queue_puts_off_what_others_compute(tmp_path, monkeypatch):
    store, said, done = CellStore(tmp_path), [], []

    def finish_elsewhere(seconds):
        CellStore(tmp_path).save("a", SCORE, {}, [])
        other.close()

    monkeypatch.setattr(cell_queue.time, "sleep", finish_elsewhere)
    other = CellStore(tmp_path).claim("a")
    other.__enter__()
    other.close = lambda: other.__exit__(None, None, None)
    with CellQueue(store, cells("a", "b"), lambda label, count: done.append(count)) as queue:
        identity, cell = wait_for_cell(queue, said.append)
        assert identity == "b"
        queue.store(identity, cell, RESULT)
        assert said == []
        assert wait_for_cell(queue, said.append) is None
    assert said == ["waiting for another process, which computes baseline · xquad_en"]
    assert queue.computed == 1
    assert sum(done) == 2


def test_a_cell_of_a_process_that_died_is_given_out(tmp_path, monkeypatch):
    other = CellStore(tmp_path).claim("a")
    other.__enter__()
    monkeypatch.setattr(cell_queue.time, "sleep", lambda seconds: other.__exit__(None, None, None))
    with CellQueue(CellStore(tmp_path), cells("a"), quiet) as queue:
        assert wait_for_cell(queue, lambda message: None)[0] == "a"


def test_a_cell_given_back_comes_first(tmp_path):
    with CellQueue(CellStore(tmp_path), cells("a", "b"), quiet) as queue:
        queue.give_back(*queue.take())
        assert [queue.take()[0], queue.take()[0], queue.take()] == ["a", "b", None]


def prepared(name: str, digest: str, *requests: tuple[str, tuple]) -> PreparedTask:
    instances = [SimpleNamespace(request_type=kind, args=args) for kind, args in requests]
    return PreparedTask(name, SimpleNamespace(instances=instances), None, None, digest, len(requests))


def identity_of(model: str, neurons: NeuronSet | None, task: PreparedTask) -> str:
    return cell_identity(model, None if neurons is None else Intervention(neurons), task)


def test_identities_separate_all_that_determines_an_answer():
    task = prepared("xquad_zh", "d1")
    identity = identity_of("m", ZH, task)
    assert identity == identity_of("m", make(up7=[4, 3], v7=[1], up3=[3, 2, 1, 0]) | ZH, task)
    others = [
        identity_of("n", ZH, task),
        identity_of("m", ZH.strongest(3), task),
        identity_of("m", None, task),
        identity_of("m", ZH, prepared("xquad_en", "d1")),
        identity_of("m", ZH, prepared("xquad_zh", "d2")),
    ]
    assert len({identity, *others}) == 6
    group = identity.partition("-")[0]
    assert [other.partition("-")[0] == group for other in others] == [False] * 4 + [True]


def test_an_empty_mask_is_the_baseline():
    empty = Cell(Mask(find_preset("existence").settings[1], "zh", None, make()), FAMILY, "en")
    assert empty.intervention is None
    assert identity_of("m", make(), prepared("t", "d")) == identity_of("m", None, prepared("t", "d"))


def test_answers_of_the_same_task_and_mask_are_known(tmp_path):
    store = CellStore(tmp_path)
    few, more, elsewhere = "g-1", "g-2", "h-1"
    store.save(
        few, SCORE, {}, [
            {"arguments": [["q", " a"], ["q", " b"]], "resps": [[[-1.5, True]], [[float("-inf"), False]]]},
            {"arguments": [["sampled", {"until": ["\n"]}]], "resps": [["x", "y"]]},
        ],
    )  # fmt: skip
    store.save(elsewhere, SCORE, {}, [{"arguments": [["q", " c"]], "resps": [[[-3.0, True]]]}])
    task = prepared("t", "d", ("loglikelihood", ("q", " a")))
    assert known_answers(store, more, task) == {
        request_key("loglikelihood", ("q", " a")): [-1.5, True],
        request_key("loglikelihood", ("q", " b")): [float("-inf"), False],
    }
    assert known_answers(store, "other-1", task) == {}
    mixed = prepared("t", "d", ("loglikelihood", ("q", " a")), ("generate_until", ("q", {})))
    assert known_answers(store, more, mixed) == {}
    with store.path(few).open("a", encoding="utf-8") as file:
        file.write("{")
    with pytest.raises(InputError, match=r"g-1\.jsonl is damaged"):
        known_answers(store, more, task)


@pytest.fixture
def plan() -> MatrixPlan:
    preset = find_preset("existence")
    masks = plan_masks(preset, {"zh": ZH}, STAGES, seeds=(1, 2))
    cells = list(plan_cells(masks, [FAMILY])) * 2
    tasks = {name: prepared(name, name) for name in ("xquad_en", "xquad_zh")}
    identities = [cell_identity("m", cell.intervention, tasks[cell.task]) for cell in cells]
    source = TaskSource(("xquad_en", "xquad_zh"), None)
    return MatrixPlan(
        cells=cells,
        identities=identities,
        source=source,
        tasks=tasks,
        stages=STAGES,
        masks={"existence": masks},
        families=[FAMILY],
        presets=["existence"] * len(cells),
    )


def test_shards_make_up_the_matrix_and_the_baseline_comes_first(plan, tmp_path):
    store = CellStore(tmp_path)
    whole = plan.missing(store)
    assert len(whole) == 2 + 2 * 3  # each once: baseline, and three masks on both languages
    assert [cell.label for _, cell in whole[:3]] == [
        "baseline · xquad_en",
        "baseline · xquad_zh",
        "LS all · zh · xquad_zh",
    ]
    parts = [plan.missing(store, (index, 3)) for index in range(3)]
    assert sorted(len(part) for part in parts) == [2, 3, 3]
    assert {identity for part in parts for identity, _ in part} == {identity for identity, _ in whole}
    store.save(parts[0][0][0], SCORE, {}, [])
    assert len(plan.missing(store)) == 7
    assert plan.missing(store, (1, 3)) == parts[1]


def test_a_table_is_shown_once_its_baselines_are_there(plan, tmp_path):
    store = CellStore(tmp_path)
    (first, _), (second, _), (masked, _) = plan.missing(store)[:3]
    store.save(masked, SCORE, {}, [])
    store.save(first, SCORE, {}, [])
    assert not plan.shows_a_table(store)
    store.save(second, SCORE, {}, [])
    assert plan.shows_a_table(store)


def test_a_manifest_keeps_tables_of_other_commands(plan, tmp_path):
    existence = find_preset("existence")
    own = replace(existence, name="mine", table=None)
    facts = ModelFacts("m", "i", "f", "float32", SHAPE)

    def record(facts, preset, family, data=None, sets=None, **changes):
        options = MatrixOptions((preset,), (family.name,), ("en", "zh"), data=data)
        planned = replace(
            plan,
            masks={preset.name: plan.masks["existence"]},
            families=[family],
            **{"presets": [preset.name] * len(plan.cells), **changes},
        )
        record_matrix(tmp_path, facts, sets or {"zh": ZH}, options, planned)
        return load_manifest(tmp_path)

    first = record(facts, existence, FAMILY)
    assert {name: (task.digest, task.count) for name, task in first.requests.items()} == {
        name: (name, 0) for name in ("xquad_en", "xquad_zh")
    }
    both = record(facts, own, TaskFamily("bpb", ("en", "zh")))
    assert [preset.name for preset in both.presets] == ["existence", "mine"]
    assert [task.name for task in both.tasks] == ["bpb", "xquad"]
    assert tuple(cell for cell in both.cells if cell.preset == "existence") == first.cells
    first_two = {"cells": plan.cells[:2], "identities": plan.identities[:2], "presets": ["existence"] * 2}
    again = record(facts, existence, FAMILY, **first_two)
    assert [cell.preset for cell in again.cells] == ["mine"] * len(plan.cells) + ["existence"] * 2
    with pytest.raises(InputError, match=r"holds results of another model; found m f; expected m g; choose another"):
        record(replace(facts, fingerprint="g"), own, FAMILY)
    assert find_recorded_set(tmp_path, "zh", ZH.digest) == ZH
    # A table that stays must have been made alike; a table that is replaced need not.
    with pytest.raises(InputError, match=r"holds the tables existence, which were made otherwise; found data None"):
        record(facts, own, FAMILY, data="embedded")
    with pytest.raises(InputError, match=r"made otherwise; found set zh"):
        record(facts, own, FAMILY, sets={"zh": make(q0=[1])})
    assert load_manifest(tmp_path) == again


def test_a_stored_cell_is_read_by_line(tmp_path):
    store = CellStore(tmp_path)
    store.save("g-1", SCORE, {"label": "x"}, [{"doc_id": 0, "arguments": [], "resps": []}])
    header, sample = store.path("g-1").read_text().splitlines()
    assert json.loads(header)["identity"] == "g-1"
    assert list(store.related_samples("g-2")) == [json.loads(sample)]
