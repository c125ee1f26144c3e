"""The front page ranks in the browser; here its numbers against those of the statistics in Python."""

import itertools
from collections import Counter

import numpy as np
import pytest
from helpers.front_pages import bits, column, contest, floats, made_up_row, write_pages
from scipy import special, stats

from mwork_eval.statistics.clustered import FEWEST_CLUSTERS, Clustering, estimate

pytestmark = [pytest.mark.browser, pytest.mark.slow]
pytest_plugins = ["helpers.browser_fixtures"]

DOCUMENTS = 40


@pytest.fixture(scope="module")
def ranking_page(browser, tmp_path_factory):
    front = {"rows": [made_up_row(0)], "contests": [contest([column("en", {0: np.ones(4)})])]}
    page = browser.new_page()
    page.goto((write_pages(tmp_path_factory.mktemp("ranking"), front) / "index.html").as_uri())
    yield page
    page.close()


def test_the_quantile_of_student_is_that_of_scipy(ranking_page):
    degrees = [1, 1.5, 2, 3, 4.2, 7, 12.9, 30, 99.5, 1000, 12345.6]
    found = ranking_page.evaluate("degrees => degrees.map(one => student.quantile(one))", degrees)
    assert found == pytest.approx([float(special.stdtrit(one, 0.975)) for one in degrees], rel=1e-8)


def binary(generator, rows, documents):
    common = generator.random(documents)
    return [np.array(0.6 * common + 0.4 * generator.random(documents) < chance, float) for chance in rows]


def continuous(generator, rows, documents):
    return [generator.normal(10 * chance, 3, documents).astype("f4").astype(float) for chance in rows]


def few_moved(generator, rows, documents):
    base = np.array(generator.random(documents) < 0.5, float)
    found = [base.copy() for _ in rows]
    for number, own in enumerate(found):
        own[:number] = 1 - own[:number]
    return found


def nearly_everywhere(generator, rows, documents):
    """One row wrong in all documents, the others right in all but a few."""
    found = [np.ones(documents) for _ in rows]
    found[0][:] = 0
    for number, own in enumerate(found[1:]):
        own[:number] = 0
    return found


CHANCES = np.linspace(0.3, 0.8, 7)
ONE_EACH = [None, None]
SAME = [[document // 2 for document in range(DOCUMENTS)]] * 2
UNEQUAL = [[min(document, 12) for document in range(DOCUMENTS)], [20 + document // 5 for document in range(DOCUMENTS)]]
THREE = [[document % 3 for document in range(DOCUMENTS)]] * 2


@pytest.mark.parametrize("answers", [binary, continuous, few_moved, nearly_everywhere])
@pytest.mark.parametrize("clusters", [ONE_EACH, SAME, UNEQUAL, THREE], ids=["none", "parallel", "unequal", "three"])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_pair_has_the_interval_of_python(ranking_page, answers, clusters, weighted):
    generator = np.random.default_rng(len(answers.__name__) + 7 * weighted)
    weights = [generator.integers(1, 60, DOCUMENTS).astype(float) if weighted else np.ones(DOCUMENTS) for _ in "ab"]
    numerators = [
        [own * size if weighted else own for own in answers(generator, CHANCES, DOCUMENTS)] for size in weights
    ]
    given = contest(
        [
            column(
                language,
                dict(enumerate(of_language)),
                clusters=keys,
                weights=floats(size) if weighted else None,
                shown=[[row, 100 * own.sum() / size.sum(), 1.0] for row, own in enumerate(of_language)],
                scores={
                    str(row): bits(own) if answers is not continuous and not weighted else "f:" + floats(own)
                    for row, own in enumerate(of_language)
                },
            )
            for language, of_language, keys, size in zip(("zh", "es"), numerators, clusters, weights, strict=True)
        ]
    )
    if weighted and answers is continuous:  # as the page has them
        numerators = [[own.astype("<f4").astype(float) for own in of_language] for of_language in numerators]
    found = ranking_page.evaluate(
        """contest => {
          const field = ranking.fieldOf(contest, ["zh", "es"]);
          const entries = [...field.rows.values()];
          const pairs = entries.flatMap((one, place) => entries.slice(place + 1).map((other) => [one, other]));
          return {
            pairs: pairs.map(([one, other]) => ({
              ...ranking.differ(field, one, other), told: ranking.toldApart(field, one, other),
            })),
            ranks: Object.fromEntries(ranking.rank(field, entries)),
          };
        }""",
        given,
    )
    keys = [
        [f"{place} {document}" for document in range(DOCUMENTS)] if own is None else list(map(str, own))
        for place, own in enumerate(clusters)
    ]
    clustering = Clustering([size / size.sum() for size in weights], keys)
    told = np.zeros((len(CHANCES), len(CHANCES)), int)
    for (one, other), pair in zip(itertools.combinations(range(len(CHANCES)), 2), found["pairs"], strict=True):
        expected = python_estimate(clustering, numerators, weights, one, other)
        assert pair["value"] == pytest.approx(expected.value, abs=1e-9)
        assert (pair["low"] is None) == (expected.low is None)
        if expected.low is not None:
            assert [pair["low"], pair["high"]] == pytest.approx([expected.low, expected.high], rel=1e-8, abs=1e-9)
        apart = expected.low is not None and (expected.low > 0 or expected.high < 0)
        if expected.low is None and clustering.smallest >= FEWEST_CLUSTERS:
            apart = python_signs(keys, numerators, weights, one, other)
        assert pair["told"] == apart
        if apart:
            told[one, other], told[other, one] = np.sign(expected.value), -np.sign(expected.value)
    expected_ranks = {
        str(row): [1 + int((told[row] < 0).sum()), len(told) - int((told[row] > 0).sum())] for row in range(len(told))
    }
    assert found["ranks"] == expected_ranks


def python_signs(keys, numerators, weights, one, other):
    """Return whether the sign test over clusters tells two rows apart."""
    added = Counter()
    for own, of_language, size in zip(keys, numerators, weights, strict=True):
        for key, difference in zip(own, (of_language[one] - of_language[other]) / size.sum(), strict=True):
            added[key] += difference
    wins, losses = (sum(sign * change > 1e-9 for change in added.values()) for sign in (1, -1))
    return wins + losses > 0 and stats.binomtest(wins, wins + losses).pvalue < 0.05


def python_estimate(clustering, numerators, weights, one, other):
    """Return `estimate` of the difference of two rows, written out."""
    value, contributions, changes = 0.0, [], []
    for of_language, size in zip(numerators, weights, strict=True):
        difference = of_language[one] - of_language[other]
        score = difference.sum() / size.sum()
        value += 100 * score / len(weights)
        contributions.append(100 * (difference - score * size) / size.sum() / len(weights))
        changes.append(of_language[one] / size - of_language[other] / size)
    return estimate(value, clustering, contributions, changes)


def test_rows_whose_answers_are_not_known_are_compared_by_their_errors(ranking_page):
    shown = [[0, 50.0, 1.0], [1, 60.0, 1.0], [2, 52.0, 1.0], [3, 90.0, None]]
    given = contest([column("en", {0: np.ones(6)}, shown=shown, scores={})])
    script = """contest => {
      const field = ranking.fieldOf(contest, ["en"]);
      return [...ranking.rank(field, [...field.rows.values()])];
    }"""
    assert ranking_page.evaluate(script, given) == [[0, [2, 4]], [1, [1, 2]], [2, [2, 4]], [3, [1, 4]]]
    low, high = (ranking_page.evaluate(
        """contest => {
          const field = ranking.fieldOf(contest, ["en"]);
          const { low, high } = ranking.differ(field, field.rows.get(1), field.rows.get(0));
          return [low, high];
        }""",
        given,
    ))  # fmt: skip
    assert [low, high] == pytest.approx([10 - 1.959964 * 2**0.5, 10 + 1.959964 * 2**0.5], rel=1e-6)


@pytest.mark.parametrize(("documents", "ranks"), [(2, [1, 2]), (5, [1, 2]), (6, [1, 1])])
def test_errors_of_few_documents_tell_nobody_apart(ranking_page, documents, ranks):
    shown = [[0, 100.0, 0.0], [1, 0.0, 0.0]]
    given = contest([column("en", {0: np.ones(documents)}, shown=shown, scores={})])
    script = """contest => {
      const field = ranking.fieldOf(contest, ["en"]);
      return ranking.rank(field, [...field.rows.values()]).get(0);
    }"""
    assert ranking_page.evaluate(script, given) == ranks


@pytest.mark.parametrize("kind", ["bits", "floats"])
def test_a_mean_has_an_interval_only_where_documents_differ(ranking_page, kind):
    answers = {right: (np.arange(40) < right).astype(float) for right in (0, 4, 5, 20, 40)}
    about = {} if kind == "bits" else {"scores": {str(row): "f:" + floats(own) for row, own in answers.items()}}
    script = """contest => {
      const field = ranking.fieldOf(contest, ["en"]);
      return [...field.rows.values()].map((entry) => [entry.row, ranking.halfWidth(field, entry)]);
    }"""
    found = dict(ranking_page.evaluate(script, contest([column("en", answers, **about)])))
    assert [row for row, width in found.items() if width is None] == [0, 4, 40]
    for row in (5, 20):
        error = answers[row].std(ddof=1) / 40**0.5
        assert found[row] == pytest.approx(100 * error * stats.t.ppf(0.975, 39), rel=1e-6)


def test_where_lower_is_better_the_lowest_comes_first(ranking_page):
    shown = [[0, 0.5, 0.01], [1, 0.9, 0.01]]
    given = contest([column("en", {0: np.ones(6)}, shown=shown, scores={})], higher=False, unit="bits/byte")
    script = """contest => {
      const field = ranking.fieldOf(contest, ["en"]);
      return [...ranking.rank(field, [...field.rows.values()])];
    }"""
    assert ranking_page.evaluate(script, given) == [[0, [1, 1]], [1, [2, 2]]]
