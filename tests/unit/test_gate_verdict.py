"""The gate's false alarms over a whole run, its exact tests, and what it can find."""

import itertools
import json
from statistics import mean

import numpy as np
import pytest
from gate_simulation import change, judged
from helpers.gate_folders import answers, check, make_results
from scipy import stats

from mwork_eval.gate.formats.github import annotations
from mwork_eval.gate.formats.json import as_json
from mwork_eval.gate.formats.junit import as_junit
from mwork_eval.gate.formats.markdown import as_markdown
from mwork_eval.gate.limits import LEVEL, Control, Limits
from mwork_eval.gate.verdict import Outcome
from mwork_eval.statistics.power import detectable_loss
from mwork_eval.statistics.resampling import holm
from mwork_eval.statistics.sign_flips import moved_needed, sign_flip_p

pytest_plugins = ["helpers.gate_fixtures"]

LANGUAGES = ("zh", "en", "de", "es", "fr", "it", "ja", "ru", "th", "sw", "tr", "vi")


@pytest.fixture
def losing(tmp_path):
    """Make OLD and NEW of 100 documents in some languages, of which Chinese loses some and the others nothing."""

    def make(lost: int, languages: int = 1):
        scores = {("xquad", language): answers(100, 80) for language in LANGUAGES[:languages]}
        folders = tmp_path / f"{lost}-{languages}"
        old = make_results(folders / "old", scores)
        return old, make_results(folders / "new", scores | {("xquad", "zh"): answers(100, 80 - lost)})

    return make


def test_four_documents_lost_and_none_won_pass(losing):
    found = check(*losing(4))
    assert found.exit_code == 0
    (result,) = found.tasks
    assert result.change.p == result.evidence.p_corrected == pytest.approx(0.125)
    assert result.verdict.outcome is Outcome.UNSURE
    assert "allowed: 1.0 points; p = 0.125, Holm over 1 comparison; not enough" in result.verdict.reason


def test_ten_documents_lost_fail_alone_and_with_eleven_quiet_tasks(losing):
    for languages, corrected in ((1, 2 / 2**10), (12, 12 * 2 / 2**10)):
        both = losing(10, languages)
        found = check(*both)
        assert found.exit_code == 1
        assert [result.verdict.outcome for result in found.tasks].count(Outcome.REGRESSION) == 1
        assert found.tasks[0].change.p == pytest.approx(0.001953, abs=1e-6)
        assert found.tasks[0].evidence.p_corrected == pytest.approx(corrected)
        # The limit still has its say.
        assert check(*both, Limits(overall={"max_drop": 10.0})).exit_code == 0
    assert found.comparisons == 12


def test_a_run_of_many_tasks_asks_for_more_than_a_task_by_itself(losing):
    both = losing(8, 12)  # p = 2 / 2^8 = 0.008, times 12 = 0.094
    assert check(*both).exit_code == 0
    alone = check(*both, control=Control.PER_TASK)
    assert alone.exit_code == 1
    assert alone.tasks[0].evidence.p_corrected == alone.tasks[0].evidence.p
    assert alone.tasks[0].verdict.reason.endswith("p = 0.008, of this comparison alone")
    assert check(*both, strict=True).exit_code == 1


def test_tasks_that_cannot_fail_do_not_count(losing):
    unlimited = {language: {"max_drop": None} for language in LANGUAGES[1:]}
    found = check(*losing(8, 12), Limits(per=unlimited))
    assert (found.exit_code, found.comparisons) == (1, 1)
    assert found.tasks[1].evidence.p_corrected is None


@pytest.mark.parametrize("control", list(Control))
def test_every_output_says_which_control_is_in_force(control, losing):
    found = check(*losing(10, 12), control=control)
    family = control is Control.FAMILY_WISE
    shown = "p = 0.023, Holm over 12 comparisons" if family else "p = 0.002, of this comparison alone"
    rule = "family-wise at 5% over 12 comparisons" if family else "each of 12 comparisons by itself at 5%"
    assert shown in as_markdown(found)
    assert rule in as_markdown(found)
    assert shown in as_junit(found)
    assert rule in as_junit(found)
    assert shown in annotations(found)[0]
    written = json.loads(as_json(found))
    assert written["control"] == {"name": str(control), "level": 0.05, "comparisons": 12}
    assert written["tasks"][0]["p"] == pytest.approx(2 / 2**10)
    assert written["tasks"][0]["p_corrected"] == pytest.approx(24 / 2**10 if family else 2 / 2**10)


# The exact test.


def by_enumeration(differences: np.ndarray) -> float:
    signs = np.array(list(itertools.product([-1, 1], repeat=len(differences))))
    sums = np.abs(signs @ np.abs(differences))
    return float((sums >= abs(differences.sum()) - 1e-9).mean())


@pytest.mark.parametrize(("won", "lost"), [(0, 4), (0, 10), (3, 9), (30, 14), (200, 260), (5, 5)])
def test_one_document_each_is_the_sign_test(won, lost):
    p = sign_flip_p(np.array([1.0] * won + [-1.0] * lost + [0.0] * 50))
    assert p == pytest.approx(stats.binomtest(won, won + lost).pvalue)


def test_the_test_tries_all_sign_patterns():
    generator = np.random.default_rng(5)
    for count in (1, 5, 13, 15):
        whole = generator.integers(-13, 14, count).astype(float)
        assert sign_flip_p(whole) == pytest.approx(by_enumeration(whole[whole != 0]) if whole.any() else 1)
        real = generator.normal(-0.5, 1, count)
        # Beyond thirteen numbers that are not whole, the sum is followed in steps.
        assert sign_flip_p(real) == pytest.approx(by_enumeration(real), rel=0.1 if count > 13 else 1e-9)
        assert sign_flip_p(1000 * real) == pytest.approx(sign_flip_p(real))
    assert sign_flip_p(np.zeros(9)) == 1
    assert 0 < sign_flip_p(-np.ones(1000)) < 1e-100
    with pytest.raises(ValueError, match="not finite"):
        sign_flip_p(np.array([1.0, np.nan]))


def test_many_numbers_that_are_not_whole_have_the_right_p():
    generator = np.random.default_rng(6)
    differences = generator.standard_t(3, 400) - 0.15
    signs = generator.choice([-1.0, 1.0], (40_000, 400))
    drawn = (np.abs(signs @ differences) >= abs(differences.sum())).mean()
    assert 0.001 < drawn < 0.2
    assert sign_flip_p(differences) == pytest.approx(drawn, abs=4 * (drawn / 40_000) ** 0.5)


@pytest.mark.parametrize("kind", ["binary", "bpb"])
@pytest.mark.parametrize("cluster", [1, 13])
def test_false_alarms_of_the_gate_over_twelve_tasks_without_a_true_change(kind, cluster):
    generator = np.random.default_rng(15)
    for documents, runs in ((250, 100), (1000, 30)) if (kind, cluster) == ("bpb", 1) else ((250, 200), (1000, 100)):
        found, alone = 0, 0
        for _ in range(runs):
            changes = [change(kind, documents, cluster, 0.0, generator) for _ in range(12)]
            outcomes = [result.verdict.outcome for result in judged(changes, 0.0).tasks]
            found += Outcome.REGRESSION in outcomes
            alone += sum(each.p < LEVEL for each in changes)
        # A count of runs that 5 % false alarms exceed in one of a thousand simulations.
        assert found <= stats.binom.ppf(0.999, runs, LEVEL)
        # Each test by itself keeps its level, and makes use of it.
        assert stats.binom.ppf(0.001, 12 * runs, 0.02) <= alone <= stats.binom.ppf(0.999, 12 * runs, LEVEL)


# What the gate can find.


def test_the_drop_that_can_be_found_is_found_in_four_of_five_runs():
    level = LEVEL / 12
    assert [moved_needed(p) for p in (0.05, level)] == [6, 9]
    assert [2 / 2 ** moved_needed(p) < p <= 4 / 2 ** moved_needed(p) for p in (0.05, level)] == [True, True]
    assert detectable_loss(8, 8, level) is None
    generator = np.random.default_rng(4)
    for documents, clusters in ((64, 64), (250, 250), (1000, 77)):
        loss = detectable_loss(documents, clusters, level)
        lost = generator.random((20_000, documents)) < loss
        touched = np.stack([part.any(1) for part in np.array_split(lost, clusters, axis=1)]).sum(0)
        assert (touched >= 9).mean() == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(
    ("kind", "documents", "cluster"),
    [("binary", 250, 1), ("binary", 1000, 13), ("f1", 250, 1), ("bpb", 64, 1), ("bpb", 1000, 13)],
)
def test_a_run_tells_what_it_can_find_in_each_task(kind, documents, cluster):
    generator = np.random.default_rng(8)
    factor = 1 if kind == "bpb" else 100

    def of(drop: float):
        return change(kind, documents, cluster, drop, generator)

    quiet = [of(0.0) for _ in range(11)]
    told = [result.evidence.detectable for result in judged(quiet, 0.0).tasks]
    assert max(told) < 2 * min(told)
    drop = mean(told) / factor
    outcomes = [judged([of(drop), *quiet], 0.0).tasks[0].verdict.outcome for _ in range(200)]
    assert 0.7 < outcomes.count(Outcome.REGRESSION) / len(outcomes) < 0.9


def test_where_no_drop_can_be_found_none_is_told():
    generator = np.random.default_rng(8)
    few = [change("binary", 8, 1, 0.0, generator) for _ in range(12)]
    assert {result.evidence.detectable for result in judged(few, 1.0).tasks} == {None}


def test_holm_is_what_corrects():
    generator = np.random.default_rng(9)
    changes = [change("binary", 250, 1, drop, generator) for drop in (0.1, 0.05, 0.0, 0.0)]
    corrected = [result.evidence.p_corrected for result in judged(changes, 1.0).tasks]
    assert corrected == holm([each.p for each in changes])
