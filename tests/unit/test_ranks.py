"""Ranges of ranks: against every pair by itself, and by hand."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from mwork_eval.statistics.clustered import Clustering, estimate
from mwork_eval.statistics.ranks import RankedScores, RankRange, rank_ranges, told_better


def scores_of(numerators, denominators=None, keys=None, errors=None, language=""):
    numerators = np.array(numerators, float)
    count = numerators.shape[1]
    denominators = np.ones(count) if denominators is None else np.array(denominators, float)
    return RankedScores(
        numerators.sum(1) / denominators.sum(),
        np.full(len(numerators), math.nan) if errors is None else np.array(errors, float),
        numerators,
        denominators,
        keys or [f"{language} {number}" for number in range(count)],
    )


def slow(languages):
    """Return who is told to be better than whom, pair by pair."""
    rows = len(languages[0].values)
    found = np.zeros((rows, rows), bool)
    for a, b in itertools.permutations(range(rows), 2):
        contributions, changes, difference = [], [], 0.0
        for of in languages:
            total = of.denominators.sum()
            parts = []
            for row in (a, b):
                score = sum(of.numerators[row]) / total
                parts.append(
                    [(n - score * d) / total for n, d in zip(of.numerators[row], of.denominators, strict=True)]
                )
            contributions.append((np.array(parts[0]) - np.array(parts[1])) / len(languages))
            changes.append((of.numerators[a] - of.numerators[b]) / of.denominators)
            difference += (sum(of.numerators[a]) - sum(of.numerators[b])) / total / len(languages)
        clustering = Clustering(
            [of.denominators / of.denominators.sum() for of in languages], [of.keys for of in languages]
        )
        told = estimate(difference, clustering, contributions, changes)
        found[a, b] = told.low is not None and told.low > 0
        if told.low is None and "moved" in told.reason:
            found[a, b] = difference > 0 and by_signs(languages, a, b)
    return found


def by_signs(languages, a, b):
    """Return whether one row is better than another in so many clusters that it is no chance."""
    added = Counter()
    for of in languages:
        for key, own, other in zip(of.keys, of.numerators[a], of.numerators[b], strict=True):
            added[key] += (own - other) / of.denominators.sum()
    wins, losses = (sum(sign * one > 1e-9 for one in added.values()) for sign in (1, -1))
    return wins > losses and stats.binomtest(wins, wins + losses).pvalue < 0.05


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("parallel", [True, False])
def test_every_pair_is_told_apart_as_its_own_interval_says(seed, parallel):
    generator = np.random.default_rng(seed)
    languages = []
    for language, documents in (("en", 40), ("zh", 40), ("de", 28)):
        weights = generator.uniform(0.5, 3, documents) if seed % 2 else np.ones(documents)
        chances = np.linspace(0.2, 0.9, 7)[:, None]
        answers = (generator.random((7, documents)) < chances) * weights
        keys = [f"{'' if parallel else language} {number // 2}" for number in range(documents)]
        languages.append(scores_of(answers, weights, keys))
    found = told_better(languages)
    assert (found == slow(languages)).all()
    assert 0 < found.sum() < 42 / 2


def test_neighbours_may_not_be_told_apart_where_the_ends_are():
    # Neighbours differ in 3 documents, which is too few to tell; the ends differ in 6, all for one side.
    documents = np.arange(60)
    rows = scores_of([(documents < count).astype(float) for count in (40, 37, 34)])
    assert [str(one) for one in rank_ranges([rows])] == ["1\N{EN DASH}2", "1\N{EN DASH}3", "2\N{EN DASH}3"]
    assert (told_better([rows]) == slow([rows])).all()


def test_a_rank_that_is_certain_is_one_number_and_lower_can_be_better():
    documents = np.arange(60)
    rows = scores_of([(documents < count).astype(float) for count in (50, 30, 10)])
    assert list(map(str, rank_ranges([rows]))) == ["1", "2", "3"]
    assert list(map(str, rank_ranges([rows], higher_is_better=False))) == ["3", "2", "1"]


def test_equal_rows_and_single_ones_share_all_ranks():
    rows = scores_of([[1, 0, 1, 0, 1, 0]] * 3)
    assert rank_ranges([rows]) == [RankRange(1, 3)] * 3
    assert rank_ranges([scores_of([[1.0, 0.0]])]) == [RankRange(1, 1)]


@pytest.mark.parametrize(("wrong", "documents", "told"), [(0, 40, True), (2, 40, True), (0, 6, True), (0, 5, False)])
def test_who_is_right_nearly_everywhere_is_told_from_who_is_wrong_everywhere(wrong, documents, told):
    rows = scores_of([(np.arange(documents) >= wrong).astype(float), np.zeros(documents)])
    assert list(map(str, rank_ranges([rows]))) == (["1", "2"] if told else ["1\N{EN DASH}2"] * 2)
    assert (told_better([rows]) == slow([rows])).all()


def test_too_few_clusters_tell_nobody_apart():
    rows = scores_of([[1.0] * 30, [0.0] * 30], keys=["a", "b", "c"] * 10)
    assert rank_ranges([rows]) == [RankRange(1, 2)] * 2


def test_rows_without_documents_are_told_apart_by_their_errors():
    unknown = np.full((3, 6), math.nan)
    one, other = (
        RankedScores(np.array(values), np.array(errors), unknown, np.ones(6), list("abcdef"))
        for values, errors in (([50.0, 40.0, 10.0], [3.0, 4.0, math.nan]), ([60.0, 46.0, 10.0], [3.0, 4.0, math.nan]))
    )
    # 10 against 1.96 * 5; the third has no error, so it is never told apart.
    assert list(map(str, rank_ranges([one]))) == ["1\N{EN DASH}2", "2\N{EN DASH}3", "1\N{EN DASH}3"]
    # Of two languages: 12 against 1.96 * sqrt(9 + 16 + 9 + 16) / 2 = 6.9; of (10 + 2) / 2 = 6, it is not told.
    assert told_better([one, other])[0, 1]
    closer = RankedScores(np.array([42.0, 40.0, 10.0]), other.errors, unknown, np.ones(6), list("abcdef"))
    assert not told_better([one, closer]).any()


@pytest.mark.parametrize(("documents", "told"), [(1, False), (2, False), (5, False), (6, True)])
def test_errors_of_few_documents_tell_nobody_apart(documents, told):
    # Each is right everywhere or nowhere, so their errors are 0.
    unknown = np.full((2, documents), math.nan)
    few = RankedScores(
        np.array([100.0, 0.0]), np.zeros(2), unknown, np.ones(documents), list(map(str, range(documents)))
    )
    assert bool(told_better([few])[0, 1]) == told == (2 * 0.5**documents < 0.05)


def test_one_row_without_documents_is_compared_by_errors_and_the_others_by_documents():
    documents = np.arange(60)
    answers = np.stack([*((documents < count).astype(float) for count in (36, 30)), np.full(60, math.nan)])
    rows = RankedScores(np.array([0.6, 0.5, 0.2]), np.array([0.06, 0.06, 0.06]), answers, np.ones(60), range(60))
    better = told_better([rows])
    assert better.tolist() == [[False, True, True], [False, False, True], [False] * 3]
