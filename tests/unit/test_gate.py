"""The gate: what it compares, what it lets pass, and what it refuses to compare."""

import json
import math
import random
from pathlib import Path
from statistics import mean, pvariance

import pytest
from gate_folders import make_lm_eval, make_results

from mwork_eval.errors import InputError
from mwork_eval.gate.baseline import write_baseline
from mwork_eval.gate.check import check_folders
from mwork_eval.gate.findings import Check
from mwork_eval.gate.limits import Limits
from mwork_eval.gate.limits_file import read_limits
from mwork_eval.gate.lm_eval_folder import read_lm_eval_folder
from mwork_eval.gate.reading import read_snapshot
from mwork_eval.gate.snapshot import TaskName
from mwork_eval.gate.verdict import NOT_ENOUGH, Outcome

EN, ZH, ES = (("xquad", language) for language in ("en", "zh", "es"))


def answers(count: int, right: int) -> list[float]:
    return [1.0] * right + [0.0] * (count - right)


def check(old: Path, new: Path, limits: Limits | None = None, strict: bool = False) -> Check:
    return check_folders(old, new, limits or Limits(), strict)


def limits(path: Path, text: str) -> Limits:
    path.write_text(text, encoding="utf-8")
    return read_limits(path)


@pytest.fixture
def folders(tmp_path):
    """Make OLD and NEW from scores of the same tasks."""

    def make(old, new, *, old_texts=None, new_texts=None, **both):
        return (
            make_results(tmp_path / "old", old, **both, **(old_texts or {})),
            make_results(tmp_path / "new", new, **both, **(new_texts or {})),
        )

    return make


@pytest.fixture
def dropped(folders):
    """Chinese loses 10 points of 80 on 200 documents, English nothing."""
    return folders({EN: answers(200, 150), ZH: answers(200, 160)}, {EN: answers(200, 150), ZH: answers(200, 140)})


def test_no_change_passes(folders):
    found = check(*folders({EN: answers(20, 15), ZH: answers(20, 10)}, {EN: answers(20, 15), ZH: answers(20, 10)}))
    assert found.exit_code == 0
    assert [result.name.full for result in found.tasks] == ["xquad_en", "xquad_zh"]
    assert [(result.change.old, result.change.new) for result in found.tasks] == [(75, 75), (50, 50)]
    assert all(result.change.change.low == result.change.change.high == 0 for result in found.tasks)
    assert not found.problems + found.notes


def test_a_true_drop_of_ten_points_fails(dropped):
    found = check(*dropped)
    assert found.exit_code == 1
    english, chinese = found.tasks
    assert english.verdict.outcome is Outcome.PASS
    assert chinese.verdict.outcome is Outcome.REGRESSION
    assert chinese.change.change.value == pytest.approx(-10)
    assert chinese.verdict.reason == "dropped by 10.0 points (12.5% of the score), allowed: 1.0 points"


def test_the_interval_of_a_change_is_that_of_paired_documents(folders):
    generator = random.Random(3)
    old = [generator.random() for _ in range(300)]
    new = [max(0.0, value - generator.random() / 5) for value in old]
    (result,) = check(*folders({ZH: old}, {ZH: new})).tasks
    differences = [100 * (b - a) for a, b in zip(old, new, strict=True)]
    error = math.sqrt(pvariance(differences) / len(differences))
    change = result.change.change
    assert change.value == pytest.approx(mean(differences))
    assert change.standard_error == pytest.approx(error, rel=0.05)
    assert change.low == pytest.approx(change.value - 1.97 * error, abs=0.1 * error)
    assert change.high == pytest.approx(change.value + 1.97 * error, abs=0.1 * error)
    assert result.change.relative == pytest.approx(mean(differences) / (100 * mean(old)))
    assert result.change.detectable == pytest.approx(2.80 * error, rel=0.05)


def test_a_drop_of_ten_points_on_eight_documents_is_not_enough_to_tell(folders):
    old = [0.9, 0.2, 0.7, 0.4, 0.8, 0.1, 0.6, 0.5]
    new = [0.2, 0.5, 0.3, 0.6, 0.4, 0.5, 0.6, 0.3]
    assert 100 * (mean(new) - mean(old)) == pytest.approx(-10)
    both = folders({ZH: old}, {ZH: new})
    found = check(*both)
    assert found.exit_code == 0
    (result,) = found.tasks
    assert result.verdict.outcome is Outcome.UNSURE
    error = math.sqrt(pvariance([100 * (b - a) for a, b in zip(old, new, strict=True)]) / 8)
    told = result.verdict.reason.rpartition(": 8 documents can tell about ")[2].partition(" points at best")[0]
    assert float(told) == pytest.approx(2.80 * error, rel=0.05)
    assert NOT_ENOUGH in result.verdict.reason
    strict = check(*both, strict=True)
    assert strict.exit_code == 1
    assert NOT_ENOUGH not in strict.tasks[0].verdict.reason


def test_one_document_is_never_enough_to_tell(folders):
    (result,) = check(*folders({ZH: [1.0]}, {ZH: [0.0]})).tasks
    assert result.verdict.outcome is Outcome.UNSURE
    assert result.verdict.reason.endswith("there is only 1 document")


def test_a_gain_passes_and_so_does_a_drop_of_the_limit(folders):
    found = check(*folders({EN: answers(100, 50), ZH: answers(100, 50)}, {EN: answers(100, 90), ZH: answers(100, 49)}))
    assert [result.verdict.outcome for result in found.tasks] == [Outcome.PASS, Outcome.PASS]
    assert found.tasks[0].change.change.value == pytest.approx(40)


def test_more_bits_per_byte_are_damage(folders):
    task = ("bpb", "zh")
    old = [(100.0 + n, 100.0) for n in range(20)]
    worse = [(bits + 5, size) for bits, size in old]
    both = folders({task: old}, {task: worse}, metric="bits_per_byte,none")
    (result,) = check(*both).tasks
    assert result.change.change.value == pytest.approx(-0.05)
    assert result.change.relative == pytest.approx(-0.05 / 1.095)
    assert result.limit.max_drop == 0.02
    assert result.verdict.outcome is Outcome.REGRESSION
    assert "dropped by 0.050 bits per byte" in result.verdict.reason
    assert check(*reversed(both)).exit_code == 0
    # Points say nothing about bits per byte; the task's own limit does.
    assert check(*both, Limits(overall={"max_drop": 5.0}, per={"zh": {"max_drop": 5.0}})).exit_code == 1
    assert check(*both, Limits(per={"bpb": {"max_drop": 0.06}})).exit_code == 0


def test_limits_of_a_task_a_benchmark_and_a_language(dropped):
    for per in ("xquad_zh", "xquad", "zh"):
        assert check(*dropped, Limits(per={per: {"max_drop": 10.0}})).exit_code == 0
        assert check(*dropped, Limits(per={per: {"max_drop": 9.0}})).exit_code == 1
    assert check(*dropped, Limits(per={"en": {"max_drop": 50.0}})).exit_code == 1
    assert check(*dropped, Limits(overall={"max_drop": 50.0}, per={"zh": {"max_drop": 2.0}})).exit_code == 1
    near = {"xquad_zh": {"max_drop": 11.0}, "xquad": {"max_drop": 2.0}, "zh": {"max_drop": 3.0}}
    limit = Limits(per=near).of_task(TaskName("xquad_zh", "xquad", "zh"), "points")
    assert limit.max_drop == 11
    del near["xquad_zh"]
    assert Limits(per=near).of_task(TaskName("xquad_zh", "xquad", "zh"), "points").max_drop == 2
    with pytest.raises(InputError, match=r"limits name what neither folder has; found 'xqad'; .* xquad xquad_en"):
        check(*dropped, Limits(per={"xqad": {"max_drop": 1.0}}))


def test_a_relative_limit_counts_with_the_absolute_one(dropped):
    absolute_off = {"max_drop": None}
    assert check(*dropped, Limits(overall=absolute_off)).exit_code == 0
    assert check(*dropped, Limits(overall=absolute_off | {"max_relative_drop": 0.125})).exit_code == 0
    found = check(*dropped, Limits(overall=absolute_off | {"max_relative_drop": 0.12}))
    assert found.exit_code == 1
    assert found.tasks[1].verdict.reason.endswith("allowed: 12.0% of the score")
    assert check(*dropped, Limits(per={"zh": {"max_drop": 20.0, "max_relative_drop": 0.2}})).exit_code == 0


def test_a_limits_file_is_read(tmp_path):
    found = limits(
        tmp_path / "limits.yaml",
        "max_drop: 2\nmax_relative_drop: 0.1\nper:\n  zh: {max_drop: 3}\n  xquad_zh:\n    max_drop: null\n"
        'require:\n  delta:\n    "LS all": {min: 10}\n  overlap: {zh: 0.5}\n',
    )
    assert found == Limits(
        {"max_drop": 2.0, "max_relative_drop": 0.1},
        {"zh": {"max_drop": 3.0}, "xquad_zh": {"max_drop": None}},
        {"LS all": 10.0},
        {"zh": 0.5},
    )
    assert limits(tmp_path / "empty.yaml", "# nothing\n") == Limits()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_dorp: 1", r"line 1: entry 'max_dorp'; found an unknown entry; expected one of max_drop, "),
        ("per:\n  zh:\n    max_drop: much", r"line 3: entry 'per': 'zh': 'max_drop'; found 'much'"),
        ("max_drop: -1", "line 1: entry 'max_drop'; found -1.*from 0"),
        ("max_drop: .nan", "found nan"),
        ("max_drop: true", "found True"),
        ("\nmax_relative_drop: 5", "line 2: .*found 5; expected a share from 0 to 1"),
        ("per: [zh]", "line 1: entry 'per'; found list; expected a mapping by name"),
        ("per:\n  no: {max_drop: 1}", "line 1: entry 'per'; found False; expected a name; put it in quotes"),
        ("per:\n  zh: {max_drop: 1}\n  zh: {max_drop: 2}", "line 3: entry 'per': 'zh'; found the entry twice"),
        ("require:\n  delta:\n    LS all: 10", "line 3: entry 'require': 'delta': 'LS all'; found int"),
        ("require:\n  delta:\n    LS all: {}", "'min'; found None; expected a number in the unit"),
        ("require: {overlap: {zh: 50}}", "'zh'; found 50; expected a Jaccard index"),
        ("- max_drop", "line 1: the file; found list"),
        ("max_drop: [", "cannot read .*; expected a YAML file"),
    ],
)
def test_a_wrong_limits_file_is_told_by_entry_and_line(text, message, tmp_path):
    with pytest.raises(InputError, match=message) as error:
        limits(tmp_path / "limits.yaml", text)
    assert "\n" not in str(error.value)


def problems(found: Check) -> str:
    assert found.exit_code == 2
    return "; ".join(f"{problem.subject}: {problem.reason}" for problem in found.problems)


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
    assert problems(check(*both)) == "bpb_zh: 1 of 4 documents of NEW have no finite score"


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
    lines = text.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
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


# What ∆ says.


def masked(damage: dict[tuple[str, int | None], int], count: int = 40) -> dict:
    """English loses a document under every mask, Chinese and Spanish as many as `damage` says by setting and seed."""
    scores = {}
    for (setting, seed), lost in damage.items():
        for language in ("zh", "es"):
            scores[setting, language, seed, language] = answers(count, 30 - lost)
            scores[setting, language, seed, "en"] = answers(count, 29)
    return scores


UNMASKED = {EN: answers(40, 30), ZH: answers(40, 30), ES: answers(40, 30)}


@pytest.fixture
def matrices(tmp_path):
    before = masked({("LS all", None): 20, ("R all", 1): 2, ("R all", 2): 0})
    after = masked({("LS all", None): 8, ("R all", 1): 1, ("R all", 2): 1})
    return (
        make_results(tmp_path / "old", UNMASKED, masked=before),
        make_results(tmp_path / "new", UNMASKED, masked=after),
    )


def test_delta_is_compared_row_by_row(matrices):
    found = check(*matrices)
    assert found.exit_code == 0
    specific, control = (result.row for result in found.rows)
    assert (specific.setting, control.setting) == ("LS all", "R all")
    # 40 documents: a document is 2.5 points; English lost one of them under every mask.
    assert specific.delta.old == pytest.approx(20 * 2.5 - 2.5)
    assert specific.delta.new == pytest.approx(8 * 2.5 - 2.5)
    assert specific.delta.change.value == pytest.approx(-30)
    assert control.delta.change.value == pytest.approx(0)
    # Per language, twelve documents are answered in OLD alone; the languages' means are independent.
    changes = [100.0] * 12 + [0.0] * 28
    error = math.sqrt(2 * (pvariance(changes) / 40) / 4)
    assert specific.delta.change.standard_error == pytest.approx(error, rel=0.05)
    own = [100.0] * 8 + [0.0] * 32
    lost = [100.0] + [0.0] * 39
    error = math.sqrt(2 * (pvariance(own) / 40) / 4 + pvariance(lost) / 40)
    assert specific.new.standard_error == pytest.approx(error, rel=0.05)


def test_a_required_delta_fails_only_where_the_documents_can_tell(matrices):
    assert check(*matrices, Limits(delta={"LS all": 17.5})).exit_code == 0
    unsure = check(*matrices, Limits(delta={"LS all": 18.0}))
    assert (unsure.exit_code, unsure.rows[0].verdict.outcome) == (0, Outcome.UNSURE)
    assert check(*matrices, Limits(delta={"LS all": 18.0}), strict=True).exit_code == 1
    failed = check(*matrices, Limits(delta={"LS all on xquad": 40.0}))
    assert failed.exit_code == 1
    assert failed.rows[0].verdict.reason == "∆ is 17.5 points, required: 40.0"
    assert failed.rows[1].minimum is None
    assert problems(check(*matrices, Limits(delta={"LS gen": 1.0}))) == "∆ of LS gen: required, and not compared"


def test_rows_that_only_one_folder_has_are_named(tmp_path):
    old = make_results(tmp_path / "old", UNMASKED, masked=masked({("LS all", None): 5}))
    new = make_results(tmp_path / "new", UNMASKED, masked=masked({("LS gen", None): 5}))
    found = check(old, new)
    assert found.rows == []
    assert found.notes == [
        "∆ of LS all, mine on xquad was not compared: NEW has no such row.",
        "∆ of LS gen, mine on xquad was not compared: OLD has no such row.",
    ]


def test_the_overlap_of_neuron_sets_can_be_required(tmp_path):
    old = make_results(tmp_path / "old", UNMASKED, sets={"zh": 1, "es": 2})
    new = make_results(tmp_path / "new", UNMASKED, sets={"zh": 3, "es": 2})
    found = check(old, new)
    spanish, chinese = found.overlaps
    before, after = (read_snapshot(folder).sets["zh"] for folder in (old, new))
    members = [{(*place, k) for place, ks in neurons.indices.items() for k in ks} for neurons in (before, after)]
    assert chinese.overlap == pytest.approx(len(members[0] & members[1]) / len(members[0] | members[1]))
    assert 0 < chinese.overlap < 0.5
    assert spanish.overlap == 1
    assert found.exit_code == 0
    failed = check(old, new, Limits(overlap={"zh": 0.5, "es": 1.0}))
    assert (failed.exit_code, [r.verdict.outcome for r in failed.overlaps]) == (1, [Outcome.PASS, Outcome.REGRESSION])
    (new / "neurons" / "zh.safetensors").unlink()
    lost = check(old, new, Limits(overlap={"zh": 0.1}))
    assert problems(lost) == "neuron sets of zh: the file of the set is not in the folder NEW"


def test_a_written_baseline_stands_for_its_folder(matrices, tmp_path):
    old = make_results(tmp_path / "with-sets", UNMASKED, masked=masked({("LS all", None): 20}), sets={"zh": 1})
    stored = tmp_path / "stored"
    write_baseline(read_snapshot(old), stored)
    assert read_snapshot(stored) == read_snapshot(old)
    limit = Limits(delta={"LS all": 40.0})
    from_folder, from_baseline = (check(folder, matrices[1], limit) for folder in (old, stored))
    assert from_baseline.exit_code == 1
    for part in ("tasks", "rows", "overlaps", "problems", "notes"):
        assert getattr(from_baseline, part) == getattr(from_folder, part)
    path = stored / "baseline.json"
    text = path.read_text()
    assert "arguments" not in text
    path.write_text(text[: len(text) // 2])
    assert f"{path} is damaged" in problems(check(stored, matrices[1]))
    path.write_text(text.replace('"version":1', '"version":9'))
    assert "found mwork-baseline version 9" in problems(check(stored, matrices[1]))


# Folders of plain lm-eval.


def test_plain_lm_eval_folders_are_compared_by_their_newest_results(tmp_path):
    old = make_lm_eval(tmp_path / "old", {"xnli_zh": answers(200, 150), "arc_easy": answers(50, 30)})
    new = make_lm_eval(tmp_path / "new", {"xnli_zh": answers(200, 150), "arc_easy": answers(50, 30)})
    make_lm_eval(new, {"xnli_zh": answers(200, 100)}, date="2026-01-03T00-00-00.000000")
    found = check(old, new)
    assert found.exit_code == 1
    assert {result.name.full: result.change.change.value for result in found.tasks} == {
        "xnli_zh": pytest.approx(-25),
        "arc_easy": 0,
    }
    assert [(result.name.task, result.name.language) for result in found.tasks] == [("xnli", "zh"), ("arc_easy", None)]
    assert found.models == ("org/tiny", "org/tiny")
    assert check(old, new, Limits(per={"zh": {"max_drop": 30.0}})).exit_code == 0


def test_a_matrix_is_compared_with_plain_lm_eval(tmp_path):
    old = make_lm_eval(tmp_path / "old", {"xquad_zh": answers(40, 30), "xquad_en": answers(40, 30)})
    new = make_results(tmp_path / "new", {EN: answers(40, 30), ZH: answers(40, 10)})
    found = check(old, new)
    assert found.exit_code == 1
    assert {result.name.full: result.change.change.value for result in found.tasks} == {
        "xquad_zh": pytest.approx(-50),
        "xquad_en": 0,
    }


def test_damaged_lm_eval_folders_cannot_be_compared(tmp_path):
    scores = {"xnli_zh": answers(8, 4)}
    old = make_lm_eval(tmp_path / "old", scores)
    folder = make_lm_eval(tmp_path / "new", scores)
    samples, results = next(folder.rglob("samples_*")), next(folder.rglob("results_*"))
    lines = samples.read_text().splitlines(keepends=True)

    def reason_of(text: str) -> str:
        samples.write_text(text)
        return problems(check(old, folder))

    assert "found 7 documents; expected the 8 scored" in reason_of("".join(lines[:-1]))
    assert "is damaged" in reason_of("".join(lines)[:-20])
    assert "found other samples than those scored" in reason_of("".join([lines[1], lines[0], *lines[2:]]))
    assert "no metric of xnli_zh is a mean over documents; found acc,none" in reason_of(
        "".join(lines).replace('"acc": 1.0', '"acc": 0.5')
    )
    samples.unlink()
    assert f"found no {samples.name}; run lm_eval with --log_samples" in problems(check(old, folder))
    results.write_text(results.read_text()[:-9])
    assert f"{results} is damaged" in problems(check(old, folder))


def test_results_of_several_models_are_told_apart(tmp_path):
    for model in ("org/one", "org/two"):
        make_lm_eval(tmp_path, {"xnli_zh": answers(8, 4)}, model=model)
    with pytest.raises(InputError, match="several models; found org__one, org__two; name one of these folders"):
        read_lm_eval_folder(tmp_path)
    assert read_lm_eval_folder(tmp_path / "org__one").model == "org/one"
