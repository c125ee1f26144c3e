"""Limits from the noise between runs of one checkpoint."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from helpers.gate_folders import EN, ZH, answers, check, make_lm_eval, make_results
from scipy import stats

from mwork_eval.benchmarks.task_family import TaskName
from mwork_eval.cli.main import main
from mwork_eval.gate.calibration import as_limits_file, calibrate, measure_noise
from mwork_eval.gate.limits import Control, Limits, read_limits
from mwork_eval.results.task_score import TaskScore

BITS = ("bpb", "zh")


def run(*arguments: object, code: int):
    result = CliRunner().invoke(main, ["check", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def repeats(tmp_path) -> list[Path]:
    """Three runs of a checkpoint: in each, some of 200 Chinese answers are others, and English always the same."""
    folders = []
    for number in range(3):
        chinese = answers(200, 140)
        for place in range(10 * number, 10 * number + 6):
            chinese[place] = 0.0
        folders.append(make_results(tmp_path / f"run{number}", {EN: answers(200, 150), ZH: chinese}))
    return folders


def test_limits_are_measured_and_kept_by_the_runs_they_come_from(repeats, tmp_path):
    printed = run("--calibrate", *repeats, "--out", tmp_path / "made", code=0)
    file = tmp_path / "made" / "limits.yaml"
    assert printed.stdout == file.read_text(encoding="utf-8")
    found = yaml.safe_load(printed.stdout)["per"]
    # Two runs differ in 12 documents of 200, in each direction as likely; from three runs, which are two independent
    # pairs, up to chi2(2 * 24 + 2) / 2 / 2 are expected. Of two tasks either may fall by more in 5 % of comparisons.
    differing = stats.chi2.ppf(0.8, 50) / 4
    assert 12 < differing < 15
    either, alone = stats.norm.ppf([1 - 0.05 / 2, 0.95])
    assert found["xquad_zh"]["max_drop"] == pytest.approx(differing**0.5 / 2 * either, abs=1e-5)
    # Where three runs agreed in everything, others may not: chi2(2) / 2 / 2 documents.
    assert found["xquad_en"]["max_drop"] == pytest.approx((stats.chi2.ppf(0.8, 2) / 4) ** 0.5 / 2 * either, abs=1e-5)
    for old in repeats:
        for new in repeats:
            run(new, "--baseline", old, "--limits", file, "--strict", "--out", tmp_path / "check", code=0)
    worse = make_results(tmp_path / "worse", {EN: answers(200, 150), ZH: answers(200, 110)})
    run(worse, "--baseline", repeats[0], "--limits", file, "--out", tmp_path / "check", code=1)
    mild = make_results(tmp_path / "mild", {EN: answers(200, 150), ZH: answers(200, 132)})
    assert check(repeats[0], mild, Limits(overall={"max_drop": 0.5}), strict=True).exit_code == 1
    run(mild, "--baseline", repeats[0], "--limits", file, "--strict", "--out", tmp_path / "check", code=0)
    single = yaml.safe_load(run("--calibrate", "--per-task", *repeats, code=0).stdout)["per"]
    assert single["xquad_zh"]["max_drop"] == pytest.approx(differing**0.5 / 2 * alone, abs=1e-5)


def test_no_limit_is_below_the_largest_difference_seen(tmp_path):
    """A run in which all documents fall together shows in the scores of the runs, not in the spread of documents."""
    runs = []
    for name, shift in (("a", 0.0), ("b", 3.0), ("c", 0.0)):
        bits = [(100.0 + n + shift, 100.0) for n in range(30)]
        runs.append(make_results(tmp_path / name, {BITS: bits}, metric="bits_per_byte,none"))
    (noise,) = calibrate(runs, Limits(), Control.PER_TASK).tasks
    assert (noise.unit, noise.changed) == ("bits per byte", 30)
    assert noise.largest == pytest.approx(0.03)
    # Of three differences of runs two are 0.03; the documents' own would be smaller by a factor of sqrt(30).
    assert noise.spread == pytest.approx((2 * 0.03**2 / 3) ** 0.5)
    assert noise.limit == pytest.approx(noise.spread * stats.norm.ppf(0.95))
    written = tmp_path / "limits.yaml"
    written.write_text(as_limits_file(calibrate(runs, Limits())))
    assert read_limits(written).per["bpb_zh"]["max_drop"] >= noise.largest
    assert check(runs[0], runs[1], read_limits(written), strict=True).exit_code == 0


def test_documents_of_a_cluster_are_noise_together(tmp_path):
    clusters = [f"p{n // 10}" for n in range(100)]
    one = answers(100, 60)
    limit = {}
    mixed = [1.0] * 55 + [0.0] * 5 + [1.0] * 5 + [0.0] * 35
    for name, of in (("apart2", ()), ("together2", clusters)):
        runs = [make_results(tmp_path / name / str(n), {ZH: s}, clusters=of) for n, s in enumerate((one, mixed))]
        limit[name] = calibrate(runs, Limits()).tasks[0].spread
    # Five lost in p5 and five won in p6: 10 changes by themselves, or two of five, and what 10 and 2 do not rule out.
    assert limit["apart2"] == pytest.approx((stats.chi2.ppf(0.8, 22) / 2) ** 0.5)
    assert limit["together2"] == pytest.approx((25 * stats.chi2.ppf(0.8, 6) / 2) ** 0.5)


def test_a_field_that_names_clusters_is_kept_in_the_limits(tmp_path):
    docs = [{"context": f"c\n{n // 5}"} for n in range(50)]
    runs = [make_lm_eval(tmp_path / str(n), {"mine_zh": answers(50, 40 - n)}, docs=docs) for n in range(2)]
    file = tmp_path / "given.yaml"
    file.write_text("per:\n  mine: {cluster: context}\n")
    printed = run("--calibrate", *runs, "--limits", file, code=0).stdout
    assert yaml.safe_load(printed)["per"]["mine_zh"]["cluster"] == "context"


def test_hostile_names_do_not_end_the_file(tmp_path):
    name = 'x: {}\n# "no" \u2028: 3'
    runs = [make_results(tmp_path / str(n), {(name, "zh"): answers(20, 9)}, model=name) for n in range(2)]
    (key,) = yaml.safe_load(as_limits_file(calibrate(runs, Limits())))["per"]
    assert key == f"{name}_zh"


def test_wrong_runs_end_with_one_line_and_2(repeats, tmp_path):
    other = make_results(tmp_path / "other", {EN: answers(200, 150)})
    fewer = make_results(tmp_path / "fewer", {EN: answers(200, 150), ZH: answers(100, 50)})
    empty = make_results(tmp_path / "empty", {EN: answers(200, 150), ZH: None})
    first = repeats[0]
    for runs, message in (
        ([first], "noise is what differs between runs; found 1 run; expected two runs or more"),
        ([first, first], "a run is named twice"),
        ([first, other], f"{first} and {other} are runs of different tasks; found xquad_zh in one of them"),
        ([first, fewer], f"xquad_zh differs between {first} (OLD) and {fewer} (NEW): other documents"),
        ([first, empty], f"{empty} is not finished; found no scores of xquad_zh"),
        ([first, repeats[1], "--baseline", first], "one of --baseline, --write-baseline, --calibrate is needed; found"),
    ):
        result = run("--calibrate", *runs, code=2)
        assert message in result.stderr
        assert result.stdout == ""
        assert len(result.stderr.strip().splitlines()) == 1
    result = run(first, repeats[1], "--baseline", first, code=2)
    assert "one NEW is compared" in result.stderr
    unknown = tmp_path / "unknown.yaml"
    unknown.write_text("per: {xqad: {cluster: context}}\n")
    assert "found 'xqad'" in run("--calibrate", *repeats, "--limits", unknown, code=2).stderr


def test_the_noise_of_later_runs_keeps_to_the_limits():
    """From a few runs of twelve tasks: how often a later run falls by more than any limit, without a true change."""
    generator = np.random.default_rng(11)

    def score(chances: np.ndarray) -> TaskScore:
        values = (generator.random(len(chances)) < chances).astype(float)
        return TaskScore("acc,none", True, tuple((value, 1.0) for value in values), {})

    trials = 60
    for runs, open_answers in ((2, 0.02), (2, 0.3), (3, 0.1)):
        exceeded = 0
        for _ in range(trials):
            beyond = False
            for _ in range(12):
                chances = np.where(generator.random(250) < open_answers, generator.random(250), 1.0)
                scores = [score(chances) for _ in range(runs + 2)]
                limit = measure_noise(TaskName("t", "t", None), scores[:runs], 0.05 / 12, None).limit
                beyond |= 100 * (scores[-2].score - scores[-1].score) > limit + 1e-9
            exceeded += beyond
        assert exceeded <= stats.binom.ppf(0.999, trials, 0.05)
