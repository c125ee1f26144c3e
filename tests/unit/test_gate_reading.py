"""The gate on matrices, written baselines and folders of plain lm-eval."""

import math
from statistics import pvariance

import pytest
from helpers.earlier_files import rewrite
from helpers.gate_folders import EN, ES, ZH, answers, check, make_lm_eval, make_results, problems

from mwork_eval.errors import InputError
from mwork_eval.gate.limits import Limits
from mwork_eval.gate.reading import read_lm_eval_folder, read_snapshot
from mwork_eval.gate.snapshot import write_baseline
from mwork_eval.gate.verdict import Outcome


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
    assert failed.rows[0].verdict.reason == ("∆ is 17.5 points, required: 40.0; p = 0.010, Holm over 4 comparisons")
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
    path.write_text(text)
    rewrite(path, ('"version": 1', '"version": 9'))
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
