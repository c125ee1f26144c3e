"""The gate: what it refuses to compare, and how documents are paired."""

import json
import math
import shutil
from pathlib import Path
from statistics import pvariance

import pytest
from helpers.earlier_files import without_digests
from helpers.gate_folders import EN, ES, ZH, answers, check, make_lm_eval, make_results, problems

from mwork_eval.gate.verdict import Outcome

pytest_plugins = ["helpers.gate_fixtures"]


def test_swapped_languages_cannot_be_compared(tmp_path):
    scores = {EN: answers(8, 4), ZH: answers(8, 4), ES: answers(8, 4)}
    old = make_results(tmp_path / "old", scores)
    new = make_results(tmp_path / "new", scores, documents={ZH: ES, ES: ZH})
    found = problems(check(old, new))
    assert "xquad_zh: NEW has the documents of xquad_es here; languages or tasks are swapped" in found
    assert "xquad_es: NEW has the documents of xquad_zh here" in found
    assert "xquad_en" not in found


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("prompt", "another prompt in 8 of 8 documents"),
        ("target", "another right answer in 8 of 8 documents"),
        ("doc", "other documents: 8 of 8 are only in OLD, 8 of 8 only in NEW"),
    ],
)
def test_changed_documents_cannot_be_compared(part, reason, folders):
    both = folders({ZH: answers(8, 4)}, {ZH: answers(8, 4)}, new_texts={part: "changed"})
    assert problems(check(*both)) == f"xquad_zh: {reason}"


def test_scores_of_another_definition_cannot_be_compared(folders):
    old, new = folders({ZH: answers(8, 4)}, {ZH: answers(8, 4)})
    assert check(old, new).exit_code == 0
    for path in (new / "cells").glob("*.jsonl"):
        head, *samples = without_digests(path).splitlines()
        header = json.loads(head)
        header["about"]["task"] = {"version": 3.0, "config": {"output_type": "loglikelihood_rolling"}}
        path.write_text("\n".join([json.dumps(header), *samples]) + "\n")
    assert "xquad_zh: another definition of the score; found version 3.0; expected version" in problems(check(old, new))
    # The same version, and a cell of before a second BOS was left out.
    del header["revision"]
    early = Path(shutil.copytree(new, new.with_name("early")))
    for path in (early / "cells").glob("*.jsonl"):
        head, *samples = without_digests(path).splitlines()
        path.write_text("\n".join([json.dumps(header | {"identity": path.stem}), *samples]) + "\n")
    assert "found version 3.0; expected version 3.0, as hf begins texts" in problems(check(early, new))


def test_another_number_of_documents_cannot_be_compared(folders):
    found = problems(check(*folders({ZH: answers(8, 4)}, {ZH: answers(6, 4)})))
    assert found == "xquad_zh: other documents: 2 of 8 are only in OLD, 0 of 6 only in NEW"


def test_a_missing_task_cannot_be_compared_and_an_extra_one_is_a_note(folders):
    both = folders({EN: answers(8, 4), ZH: answers(8, 4)}, {EN: answers(8, 4)})
    assert problems(check(*both)) == "xquad_zh: NEW lacks this task"
    backwards = check(*reversed(both))
    assert backwards.exit_code == 0
    assert backwards.notes[0] == "xquad_zh: only NEW has this task; it was not compared."
    assert "xquad_zh: only NEW has this task" in problems(check(*reversed(both), strict=True))


def test_unfinished_and_empty_results_cannot_be_compared(folders, tmp_path):
    both = folders({ZH: answers(8, 4)}, {ZH: None})
    assert problems(check(*both)) == "xquad_zh: NEW has not computed this task"
    assert problems(check(*reversed(both))) == "xquad_zh: OLD has not computed this task"
    empty = make_results(tmp_path / "empty", {})
    assert problems(check(empty, both[0])) == "results: OLD has no task"
    (tmp_path / "nothing").mkdir()
    assert "holds no results" in problems(check(both[0], tmp_path / "nothing"))


def test_another_metric_cannot_be_compared(tmp_path):
    old = make_results(tmp_path / "old", {ZH: answers(8, 4)})
    new = make_results(tmp_path / "new", {ZH: answers(8, 4)}, metric="f1,none")
    assert problems(check(old, new)) == "xquad_zh: another metric; found f1,none; expected acc,none"


def test_scores_that_are_no_numbers_never_pass(folders):
    task = ("bpb", "zh")
    both = folders({task: [(1.0, 1.0)] * 4}, {task: [(1.0, 1.0)] * 3 + [(math.nan, 1.0)]}, metric="bits_per_byte,none")
    assert "0.jsonl is damaged; found documents.3.0: Input should be a valid number" in problems(check(*both))


def test_other_tasks_are_judged_although_one_cannot_be_compared(folders):
    both = folders({EN: answers(8, 4), ZH: answers(200, 160)}, {ZH: answers(200, 100)})
    found = check(*both)
    assert found.exit_code == 2
    assert [result.verdict.outcome for result in found.tasks] == [Outcome.REGRESSION]


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_truncated_cell_cannot_be_compared(kept, folders):
    old, new = folders({ZH: answers(8, 4)}, {ZH: answers(8, 4)})
    path = new / "cells" / "0.jsonl"
    text = path.read_bytes()
    path.write_bytes(text[: int(kept * len(text))])
    assert f"{path} is damaged" in problems(check(old, new))
    path.write_bytes(b"".join(text.splitlines(keepends=True)[:-1]))
    assert "found samples with digest" in problems(check(old, new))
    path.write_bytes(text)
    lines = without_digests(path).splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    assert "found 7 samples; expected those of the 8 documents scored" in problems(check(old, new))


@pytest.mark.parametrize("entry", ["cells", "presets", "sets"])
def test_a_damaged_manifest_cannot_be_compared(entry, folders):
    old, new = folders({ZH: answers(8, 4)}, {ZH: answers(8, 4)})
    path = new / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, entry: 3}))
    assert "manifest" in problems(check(old, new))
    path.write_text(json.dumps(manifest)[:-5])
    assert f"{path} is damaged" in problems(check(old, new))


def test_documents_are_paired_by_what_they_are(tmp_path):
    old, new = [1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 1.0]
    make_lm_eval(tmp_path / "old", {"xquad_zh": old})
    folder = make_lm_eval(tmp_path / "new", {"xquad_zh": new})
    results, samples = (next(folder.rglob(pattern)) for pattern in ("results_*", "samples_*"))
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    for number, line in enumerate(reversed(lines)):
        line["doc_id"] = number
    samples.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert results.is_file()
    (result,) = check(tmp_path / "old", folder).tasks
    # Documents 0 and 3 differ, whatever the order they are stored in.
    error = math.sqrt(pvariance([-100, 0, 0, 100]) / 4)
    assert result.change.change.standard_error == pytest.approx(error, rel=0.05)
