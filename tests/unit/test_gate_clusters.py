"""The gate takes documents that belong together as one observation, wherever their clusters come from."""

import json
from statistics import mean

import numpy as np
import pytest
from helpers.earlier_files import without_digests
from helpers.gate_folders import EN, ES, ZH, answers, check, limits, make_lm_eval, make_results, problems
from scipy import stats

from mwork_eval.gate.comparison import TaskChange, reordered
from mwork_eval.gate.delta_comparison import RowChange, TableComparison
from mwork_eval.gate.limits import Limits
from mwork_eval.gate.reading import read_snapshot
from mwork_eval.gate.snapshot import DocumentKey, Snapshot, write_baseline
from mwork_eval.gate.verdict import delta_p
from mwork_eval.results.manifest import CellEntry
from mwork_eval.results.task_score import TaskScore
from mwork_eval.statistics.resampling import Estimate

PARAGRAPHS = tuple(f"p{number // 13}" for number in range(130))
LOST = [1.0] * 130, [0.0] * 13 + [1.0] * 117
"""All questions about the first paragraph are lost."""


def test_a_paragraph_that_is_lost_is_one_observation(tmp_path):
    before, after = LOST
    single = [make_results(tmp_path / name, {ZH: scores}) for name, scores in (("a", before), ("b", after))]
    assert check(*single).exit_code == 1
    both = [
        make_results(tmp_path / name, {ZH: scores}, clusters=PARAGRAPHS)
        for name, scores in (("old", before), ("new", after))
    ]
    found = check(*both)
    assert found.exit_code == 0
    (result,) = found.tasks
    assert (result.change.documents, result.change.clusters, result.change.p) == (130, 10, 1.0)
    assert "130 documents in 10 clusters can tell" in result.verdict.reason
    # A folder of an earlier version does not tell; one that does is enough.
    assert check(single[0], both[1]).exit_code == check(both[0], single[1]).exit_code == 0


def test_reordered_documents_keep_what_they_belong_to():
    score = TaskScore("acc,none", True, ((1.0, 1.0), (0.0, 1.0), (1.0, 1.0)), {}, clusters=("a", "b", "c"))
    assert reordered(score, [2, 0, 1]).clusters == ("c", "a", "b")
    assert reordered(score, [2, 0, 1]).documents == ((1.0, 1.0), (1.0, 1.0), (0.0, 1.0))


def test_clusters_follow_documents_that_are_stored_in_another_order(tmp_path):
    docs = [{"id": str(n), "context": cluster} for n, cluster in enumerate(PARAGRAPHS)]
    # Documents 0, 13, 26, ... are lost: one of each paragraph.
    after = [0.0 if n % 13 == 0 else 1.0 for n in range(130)]
    old = make_lm_eval(tmp_path / "old", {"mine": [1.0] * 130}, docs=docs)
    new = make_lm_eval(tmp_path / "new", {"mine": after}, docs=docs)
    samples = next(new.rglob("samples_*"))
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    for number, line in enumerate(reversed(lines)):
        line["doc_id"] = number
    samples.write_text("".join(json.dumps(line) + "\n" for line in lines))
    by_context = limits(tmp_path / "limits.yaml", "per:\n  mine: {cluster: context}\n")
    (result,) = check(old, new, by_context).tasks
    assert (result.change.clusters, result.change.p) == (10, pytest.approx(2 / 2**10))


@pytest.mark.parametrize("place", ["mine_zh", "mine", "zh"])
def test_the_limits_file_names_a_field(place, tmp_path):
    docs = [{"id": str(n), "context": cluster} for n, cluster in enumerate(PARAGRAPHS)]
    old, new = (
        make_lm_eval(tmp_path / name, {"mine_zh": scores}, docs=docs)
        for name, scores in zip(("old", "new"), LOST, strict=True)
    )
    assert check(old, new).exit_code == 1
    named = limits(tmp_path / "limits.yaml", f"per:\n  {place}: {{cluster: context}}\n")
    assert check(old, new, named).exit_code == 0
    wrong = problems(check(old, new, Limits(clusters={place: "paragraph"})))
    assert "mine_zh has no field 'paragraph' to cluster by; found 130 of 130 documents without it" in wrong
    assert "\n" not in wrong
    bare = make_lm_eval(tmp_path / "bare", {"mine_zh": LOST[0]})
    assert "found samples without their documents" in problems(check(bare, new, named))


def test_our_tasks_in_folders_of_lm_eval_know_their_clusters(tmp_path):
    docs = [{"id": str(n), "paragraph": n // 13} for n in range(130)]
    folders = (
        make_lm_eval(tmp_path / name, {"xquad_zh": scores}, docs=docs)
        for name, scores in zip(("old", "new"), LOST, strict=True)
    )
    assert check(*folders).tasks[0].change.clusters == 10


def test_cells_and_written_baselines_keep_clusters_and_take_named_ones(tmp_path):
    docs = [{"context": cluster} for cluster in PARAGRAPHS]
    old, new = (
        make_results(tmp_path / name, {ZH: scores}, docs=docs)
        for name, scores in zip(("old", "new"), LOST, strict=True)
    )
    named = Limits(clusters={"xquad": "context"})
    assert check(old, new).exit_code == 1
    assert check(old, new, named).exit_code == 0
    write_baseline(read_snapshot(old, named.cluster_of), tmp_path / "stored")
    assert read_snapshot(tmp_path / "stored") == read_snapshot(old, named.cluster_of)
    assert check(tmp_path / "stored", new).exit_code == 0
    # A baseline of an earlier version tells no clusters.
    path = tmp_path / "stored" / "baseline.json"
    stored = json.loads(without_digests(path))
    for score in stored["scores"].values():
        del score["clusters"]
    path.write_text(json.dumps(stored))
    assert check(tmp_path / "stored", new).exit_code == 1
    assert check(tmp_path / "stored", new, named).exit_code == 0


def test_delta_takes_translations_of_a_document_together(tmp_path):
    """What a mask does to a document it does to its translations, too: as one sample, Spanish and Chinese tell less."""
    count = 40
    items = tuple(f"item {number}" for number in range(count))
    generator = np.random.default_rng(3)
    own = [float(value) for value in generator.random(count) < 0.5]
    unmasked = {language: answers(count, count) for language in (EN, ZH, ES)}
    masked = {("LS all", language, None, language): own for language in ("zh", "es")}
    masked |= {("LS all", language, None, "en"): answers(count, count) for language in ("zh", "es")}
    errors = {}
    for name, clusters in (("apart", ()), ("together", items)):
        old = make_results(tmp_path / name / "old", unmasked, masked=masked, clusters=clusters)
        new = make_results(tmp_path / name / "new", unmasked, masked=masked, clusters=clusters)
        (row,) = check(old, new, Limits(delta={"LS all": 60.0})).rows
        errors[name] = row.row.spread
        assert row.row.new.standard_error == pytest.approx(row.row.spread, rel=0.06)
        assert row.row.delta.clusters == count
    error = 100 * (mean(own) * (1 - mean(own)) / (count - 1)) ** 0.5
    assert errors["together"] == pytest.approx(error)
    assert errors["apart"] == pytest.approx(error / 2**0.5)


def test_a_required_delta_counts_among_the_comparisons(tmp_path):
    count = 40
    unmasked = {language: answers(count, 30) for language in (EN, ZH)}
    masked = {("LS all", "zh", None, "zh"): answers(count, 22), ("LS all", "zh", None, "en"): answers(count, 30)}
    folders = [make_results(tmp_path / name, unmasked, masked=masked) for name in ("old", "new")]
    assert check(*folders).comparisons == 2
    found = check(*folders, Limits(delta={"LS all": 35.0}))
    assert found.comparisons == 3
    (row,) = found.rows
    # Chinese loses 8 of 40: ∆ is 20 with a standard error of 100 * sqrt(0.2 * 0.8 / 39) = 6.405. At a ∆ of 35 its
    # square is larger by 15 * 85 / 40; t = 15 / 8.537 with 39 degrees of freedom.
    assert row.row.spread == pytest.approx(6.405, abs=1e-3)
    assert row.evidence.p == pytest.approx(2 * stats.t.sf(15 / 8.537, 39), rel=1e-3)
    assert row.evidence.p_corrected == pytest.approx(3 * row.evidence.p)
    assert row.verdict.outcome == "not enough documents to tell"


def test_a_delta_that_shows_nothing_is_as_sure_as_its_documents_are_many(tmp_path):
    """Without any change under the mask, ten documents do not rule out that one in eight changes; 200 do."""
    for count, code in ((10, 0), (200, 1)):
        unmasked = {language: answers(count, count) for language in (EN, ZH)}
        masked = {("LS all", "zh", None, language): answers(count, count) for language in ("zh", "en")}
        folders = [make_results(tmp_path / f"{count}{name}", unmasked, masked=masked) for name in ("old", "new")]
        found = check(*folders, Limits(delta={"LS all": 12.5}))
        assert found.exit_code == code
    # Not surer than it may be: the chance of no change among so many.
    assert 0.875**200 < found.rows[0].evidence.p < 0.001


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5])
def test_a_required_delta_that_is_met_fails_in_few_runs(rate):
    generator = np.random.default_rng(2)
    for clusters in (16, 40, 250):
        failed = 0
        for losses in generator.random((1000, clusters)) < rate:
            value, spread = 100 * float(losses.mean()), 100 * float(losses.std(ddof=1)) / clusters**0.5
            change = TaskChange(0.0, value, "points", Estimate(value, None, None, None), clusters, clusters)
            row = RowChange("mine", "xquad", "LS all", ("zh",), change, change.change, spread, clusters)
            failed += value < 100 * rate and delta_p(row, 100 * rate) < 0.05
        assert failed <= stats.binom.ppf(0.999, 1000, 0.025)


def side(shocks):
    """A folder whose masks change the documents of a cluster alike in both languages."""
    cells, scores, keys = [], {}, {}
    for language, of_language in shocks.items():
        for setting, mask in ((None, None), ("LS", "zh")):
            identity, added = f"{language} {setting}", np.zeros(len(of_language)) if setting is None else of_language
            documents, clusters = tuple((5.0 + float(n), 1.0) for n in added), tuple(map(str, range(len(added))))
            scores[identity] = TaskScore("bits_per_byte,none", False, documents, {}, language, clusters)
            if setting is None:
                keys[identity] = tuple(DocumentKey(f"{language} {n}", "p", "t") for n in range(len(added)))
            place = {"preset": "p", "task": "bpb", "setting": setting, "mask_language": mask, "seed": None}
            cells.append(CellEntry(**place, language=language, identity=identity))
    return Snapshot("m", cells, scores, keys)


def test_a_language_that_lacks_a_cluster_is_still_drawn_together_with_the_others():
    generator = np.random.default_rng(0)
    own, common = generator.normal(0, 0.1, (4, 60)), generator.normal(0, 1, 60)
    widths = []
    for lacking in (0, 1):
        there = slice(60 - lacking)
        old = side({"en": own[0], "zh": own[1][there]})
        new = side({"en": own[0] + common + own[2], "zh": (own[1] + common + own[3])[there]})
        change = TableComparison(old, new, "p", "bpb").row("LS").delta.change
        widths.append(change.high - change.low)
    assert widths[1] < 2 * widths[0]  # 12 times as wide if the languages were drawn apart
