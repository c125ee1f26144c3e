"""The gate: what it lets pass, what it fails, limits."""

import math
import random
from statistics import mean, pvariance

import pytest
from helpers.gate_folders import EN, ZH, answers, check, limits

from mwork_eval.benchmarks.task_family import TaskName
from mwork_eval.errors import InputError
from mwork_eval.gate.limits import Limits
from mwork_eval.gate.verdict import NOT_ENOUGH, Outcome

pytest_plugins = ["helpers.gate_fixtures"]


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
    assert chinese.verdict.reason == (
        "dropped by 10.0 points (12.5% of the score), allowed: 1.0 points; p <0.001, Holm over 2 comparisons"
    )


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
    assert 2.80 * error < result.evidence.detectable < 2 * 2.80 * error


def test_a_drop_of_ten_points_on_eight_documents_is_not_enough_to_tell(folders):
    old = [0.9, 0.2, 0.7, 0.4, 0.8, 0.1, 0.6, 0.5]
    new = [0.2, 0.5, 0.3, 0.6, 0.4, 0.5, 0.6, 0.3]
    assert 100 * (mean(new) - mean(old)) == pytest.approx(-10)
    both = folders({ZH: old}, {ZH: new})
    found = check(*both)
    assert found.exit_code == 0
    (result,) = found.tasks
    assert result.verdict.outcome is Outcome.UNSURE
    assert result.verdict.reason.endswith("8 documents can tell no drop, however large")
    assert NOT_ENOUGH in result.verdict.reason
    strict = check(*both, strict=True)
    assert strict.exit_code == 1
    assert NOT_ENOUGH not in strict.tasks[0].verdict.reason


def test_one_document_is_never_enough_to_tell(folders):
    (result,) = check(*folders({ZH: [1.0]}, {ZH: [0.0]})).tasks
    assert result.verdict.outcome is Outcome.UNSURE
    assert result.verdict.reason.endswith(
        "p = 1.000, Holm over 1 comparison; not enough documents to tell: 1 document can tell no drop, however large"
    )


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
    assert found.tasks[1].verdict.reason.endswith("allowed: 12.0% of the score; p <0.001, Holm over 2 comparisons")
    assert check(*dropped, Limits(per={"zh": {"max_drop": 20.0, "max_relative_drop": 0.2}})).exit_code == 0


def test_a_limits_file_is_read(tmp_path):
    found = limits(
        tmp_path / "limits.yaml",
        "max_drop: 2\nmax_relative_drop: 0.1\nper:\n  zh: {max_drop: 3}\n  xquad_zh:\n    max_drop: null\n"
        "  belebele: {cluster: link}\n"
        'require:\n  delta:\n    "LS all": {min: 10}\n  overlap: {zh: 0.5}\n',
    )
    assert found == Limits(
        {"max_drop": 2.0, "max_relative_drop": 0.1},
        {"zh": {"max_drop": 3.0}, "xquad_zh": {"max_drop": None}, "belebele": {}},
        {"LS all": 10.0},
        {"zh": 0.5},
        {"belebele": "link"},
    )
    assert limits(tmp_path / "empty.yaml", "# nothing\n") == Limits()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_dorp: 1", r"line 1: entry 'max_dorp'; found an unknown entry; expected one of max_drop, "),
        ("per:\n  zh:\n    max_drop: much", r"line 3: entry 'per': 'zh': 'max_drop'; found 'much'"),
        ("per: {zh: {cluster: 3}}", "line 1: entry 'per': 'zh': 'cluster'; found 3; expected the name of a field"),
        ("cluster: link", "line 1: entry 'cluster'; found an unknown entry"),
        ("max_drop: -1", "line 1: entry 'max_drop'; found -1.*from 0"),
        ("max_drop: .nan", r"limits\.yaml:1: not a number to count with; found \.nan"),
        ("max_drop: true", "found True"),
        ("\nmax_relative_drop: 5", "line 2: .*found 5; expected a share from 0 to 1"),
        ("per: [zh]", "line 1: entry 'per'; found list; expected a mapping by name"),
        ("per:\n  no: {max_drop: 1}", "line 1: entry 'per'; found False; expected a name; put it in quotes"),
        ("per:\n  zh: {max_drop: 1}\n  zh: {max_drop: 2}", r"limits\.yaml:3: an entry stands twice; found zh"),
        ("require:\n  delta:\n    LS all: 10", "line 3: entry 'require': 'delta': 'LS all'; found int"),
        ("require:\n  delta:\n    LS all: {}", "'min'; found None; expected a number in the unit"),
        ("require: {overlap: {zh: 50}}", "'zh'; found 50; expected a Jaccard index"),
        ("- max_drop", "line 1: the file; found list"),
        ("max_drop: [", r"limits\.yaml:1: not YAML; .* expected a YAML file of limits"),
    ],
)
def test_a_wrong_limits_file_is_told_by_entry_and_line(text, message, tmp_path):
    with pytest.raises(InputError, match=message) as error:
        limits(tmp_path / "limits.yaml", text)
    assert "\n" not in str(error.value)
