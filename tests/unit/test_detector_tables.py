"""Detectors compared: the numbers of a results folder, computed the slow way beside."""

import numpy as np
import pytest
from helpers.detector_folders import COUNTS, LS, MASKS, MEMBERS, SEEDS, R, make_detector_folder
from helpers.task_scores import accuracy, bits

from mwork_eval.results.deltas import MaskEffect
from mwork_eval.results.detector_tables import read_detector_tables
from mwork_eval.results.paired_difference import paired_difference
from mwork_eval.results.scale import Scale
from mwork_eval.results.tables import read_results

SIZE = 40


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return read_results(make_detector_folder(tmp_path_factory.mktemp("detectors")))


@pytest.fixture(scope="module")
def table(results):
    (found,) = read_detector_tables(results)
    return found


def effects(generator):
    """A baseline of two languages, and two masks of the second one; denominators are 1, each document is a cluster."""

    def scored():
        return bits(*((number, 1.0) for number in generator.normal(5, 1, SIZE)))

    baseline = {"en": scored(), "zh": scored()}
    runs = [(scored(), scored()) for _ in range(2)]
    scale = Scale.of(baseline["en"])
    return baseline, runs, [MaskEffect(baseline, {"zh": [run]}, scale) for run in runs]


def numbers(score):
    return np.array([numerator for numerator, _ in score.documents])


def test_a_difference_is_paired_by_document():
    _, runs, (one, other) = effects(np.random.default_rng(1))
    found = paired_difference(one, other)
    # Fewer bits are better: the sign of each change is turned.
    own, pivot = (numbers(runs[1][at]) - numbers(runs[0][at]) for at in (0, 1))
    assert found.value == pytest.approx(pivot.mean() - own.mean())
    variance = own.var(ddof=1) / SIZE + pivot.var(ddof=1) / SIZE
    # Of each language one document counts as not moved, for which the variance is enlarged (decision 0009).
    moved = 2 * SIZE - 2
    variance *= 1 + 2 / moved * (1 - moved / (2 * SIZE))
    assert found.standard_error == pytest.approx(np.sqrt(variance))


def test_what_both_masks_do_to_a_document_cancels():
    baseline, runs, (one, _) = effects(np.random.default_rng(2))
    slightly = [bits(*((n + 0.001 * number, d) for number, (n, d) in enumerate(of.documents))) for of in runs[0]]
    other = MaskEffect(baseline, {"zh": [tuple(slightly)]}, Scale.of(baseline["en"]))
    alone, paired = one.estimate(1, -1), paired_difference(other, one)
    assert paired.standard_error < alone.standard_error / 10
    assert paired.value == pytest.approx(other.deltas[0] - one.deltas[0])


def test_equal_masks_differ_by_nothing_and_no_interval_is_claimed():
    baseline = {"en": accuracy(*[1, 0] * 10), "zh": accuracy(*[1, 1] * 10)}
    masked = {"zh": [(accuracy(*[0, 1] * 10), accuracy(*[1, 1] * 10))]}
    effect = MaskEffect(baseline, masked, Scale.of(baseline["en"]))
    found = paired_difference(effect, effect)
    assert (found.value, found.low, found.reason) == (0, None, "0 of 40 clusters of documents moved")


def delta(results, detector, setting, seed, language):
    """∆ of one language and draw, of stored scores; bits per byte count negative."""
    score = {
        (cell.setting, cell.mask_language, cell.seed, cell.language): results.scores[cell.identity].score
        for cell in results.manifest.cells
        if cell.preset == detector
    }
    changes = [score[None, None, None, of] - score[setting, language, seed, of] for of in ("en", language)]
    return changes[0] - changes[1]


def test_rows_are_those_of_each_detectors_own_table(results, table):
    assert [(row.detector, row.language) for row in table.rows] == [
        (name, language) for name in MEMBERS for language in (None, *MASKS)
    ]
    for row in table.rows:
        among = MASKS if row.language is None else (row.language,)
        assert row.delta.value == pytest.approx(
            np.mean([delta(results, row.detector, LS.name, None, one) for one in among])
        )
        assert row.delta.value == pytest.approx(row.english.value - row.own.value)
        draws = [np.mean([delta(results, row.detector, R.name, seed, one) for one in among]) for seed in SEEDS]
        spread = row.control.delta
        assert (spread.mean, spread.low, spread.high) == pytest.approx((np.mean(draws), min(draws), max(draws)))
        assert row.control.draws == len(SEEDS)
        assert row.neurons == 6


def test_differences_are_from_the_first_detector(table):
    assert table.first == "plnd"
    first = {row.language: row for row in table.rows if row.detector == "plnd"}
    for row in table.rows:
        if row.detector == "plnd":
            assert row.difference is None
        else:
            assert row.difference.value == pytest.approx(row.delta.value - first[row.language].delta.value)
            assert row.difference.low < row.difference.high < 0


def test_p_values_are_corrected_for_the_detectors(results, table):
    own = {one.preset: next(row.comparison.p for row in one.rows if not row.random) for one in results.tables}
    heads = {row.detector: row for row in table.rows if row.language is None}
    assert {name: row.p for name, row in heads.items()} == own
    assert all(row.p is row.p_holm is None for row in table.rows if row.language is not None)
    highest = 0.0
    for rank, name in enumerate(sorted(own, key=own.get)):
        highest = max(highest, min(1.0, (len(own) - rank) * own[name]))
        assert heads[name].p_holm == pytest.approx(highest)


def test_overlaps_are_jaccard_indices(table):
    assert [overlap.language for overlap in table.overlaps] == [None, *MASKS]
    for one in MEMBERS:
        for other in MEMBERS:
            expected = []
            for overlap in table.overlaps[1:]:
                mine, theirs = (set(MEMBERS[name][overlap.language]) for name in (one, other))
                expected.append(len(mine & theirs) / len(mine | theirs))
                assert overlap.jaccard[one][other] == pytest.approx(expected[-1])
            assert table.overlaps[0].jaccard[one][other] == pytest.approx(np.mean(expected))


def test_curves_are_means_over_languages_by_count(table):
    assert list(table.curves) == list(MEMBERS)
    heads = {row.detector: row for row in table.rows if row.language is None}
    for name, points in table.curves.items():
        assert [(point.language, point.count) for point in points] == [(None, count) for count in COUNTS]
        assert points[-1].delta.value == pytest.approx(heads[name].delta.value, abs=0.05)


def test_what_is_not_computed_is_left_out(tmp_path):
    (table,) = read_detector_tables(read_results(make_detector_folder(tmp_path, without="plnd")))
    assert list(table.detectors) == ["lape", "attribution"] == list(table.curves)
    assert table.first == "lape"


def test_other_documents_are_not_compared(tmp_path):
    folder = make_detector_folder(tmp_path, shorter="lape")
    (table,) = read_detector_tables(read_results(folder))
    differences = {row.detector: row.difference for row in table.rows}
    assert differences["lape"] is None
    assert differences["attribution"] is not None


def test_sets_that_are_gone_have_no_overlap(tmp_path):
    (table,) = read_detector_tables(read_results(make_detector_folder(tmp_path, sets=False)))
    assert table.overlaps == ()
    assert table.rows


def test_one_language_is_its_own_mean(tmp_path):
    (table,) = read_detector_tables(read_results(make_detector_folder(tmp_path, masks=("zh",))))
    assert [row.language for row in table.rows] == ["zh"] * 3
    assert all(row.p_holm is not None for row in table.rows)
    assert [overlap.language for overlap in table.overlaps] == ["zh"]
