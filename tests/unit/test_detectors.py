"""Detectors against their definitions, written the slow way: neuron by neuron, ties included."""

import math

import numpy as np
import pytest
from helpers.recorded_tables import LAYERS, SHAPE, SIZES, recorded
from sklearn.metrics import average_precision_score

import mwork_eval as mw
from mwork_eval.detection.detectors.average_precision import average_precisions
from mwork_eval.detection.detectors.detector import DETECTORS, find_detector
from mwork_eval.detection.detectors.lape import quantile
from mwork_eval.detection.recording.registry import RECORDS
from mwork_eval.detection.selection import Selection, needed_records, select_specific
from mwork_eval.errors import InputError

LANGUAGES = ("en", "zh", "de", "fr")
TABLES = [recorded(language, seed) for seed, language in enumerate(LANGUAGES)]
NEURONS = [(layer, index) for layer in range(LAYERS) for index in range(SIZES["up"])]


def pairs(neurons) -> list[tuple[int, int]]:
    """Layer and index of each feed-forward neuron of a set."""
    return [(layer, int(i)) for (layer, structure), own in neurons.indices.items() if structure == "up" for i in own]


def shares_of(neuron, tables=TABLES) -> list[float]:
    layer, index = neuron
    return [float(table.over_zero[layer, "up"][index]) / table.about["activation_tokens"] for table in tables]


def slow_entropy(shares) -> float:
    normed = [share / sum(shares) for share in shares] if sum(shares) else [0.0] * len(shares)
    return -sum(p * math.log(p) for p in normed if p > 0)


def kth(values, level: float) -> float:
    return sorted(values)[round(len(values) * level) - 1]


def slow_lape(fraction: float, filter_level: float, bar_level: float, tables=TABLES):
    """The definition, one neuron after the other; equal entropies in the order of layers and indices."""
    shares = {neuron: shares_of(neuron, tables) for neuron in NEURONS}
    every = [share for own in shares.values() for share in own]
    most, bar = kth(every, filter_level), kth(every, bar_level)
    kept = [neuron for neuron in NEURONS if any(share > most for share in shares[neuron])]
    kept = sorted(kept, key=lambda neuron: slow_entropy(shares[neuron]))[: round(fraction * len(NEURONS))]
    languages = [table.about["language"] for table in tables]
    return {
        language: [neuron for neuron in kept if shares[neuron][number] > bar]
        for number, language in enumerate(languages)
    }


@pytest.mark.parametrize(("fraction", "filter_level", "bar"), [(0.2, 0.8, 0.8), (0.5, 0.7, 0.6), (0.4, 0.3, 0.7)])
@pytest.mark.parametrize("tokens", [(40, 40, 40, 40), (40, 44, 80, 120)])
def test_lape_is_its_definition(fraction, filter_level, bar, tokens):
    tables = [recorded(lang, seed, tokens=n) for (seed, lang), n in zip(enumerate(LANGUAGES), tokens, strict=True)]
    arguments = {"filter": filter_level, "bar": bar}
    found = select_specific(tables, Selection.of(fraction, detector="lape", arguments=arguments))
    expected = {code: own for code, own in slow_lape(fraction, filter_level, bar, tables).items() if own}
    assert {code: sorted(pairs(own)) for code, own in found.items()} == {c: sorted(own) for c, own in expected.items()}
    assert all(set(own.by_structure()) == {"up"} for own in found.values())
    # Within a layer the order is that of the whole.
    for code, own in expected.items():
        for layer in range(LAYERS):
            ordered = [index for at, index in own if at == layer]
            assert found[code].indices.get((layer, "up"), np.empty(0)).tolist() == ordered


def test_a_count_of_lape_takes_each_language_s_first_neurons():
    arguments = {"filter": 0.6, "bar": 0.6}
    found = select_specific(TABLES, Selection.of(count=5, detector="lape", arguments=arguments))
    every = slow_lape(1.0, 0.6, 0.6)
    assert {code: set(pairs(own)) for code, own in found.items()} == {code: set(every[code][:5]) for code in LANGUAGES}
    assert {len(own) for own in found.values()} == {5}


def test_dead_neurons_are_nobody_s():
    tables = [recorded(language, seed) for seed, language in enumerate(LANGUAGES)]
    for table in tables:
        table.over_zero[0, "up"][:10] = 0  # entropy 0, the lowest there is
    found = select_specific(tables, Selection.of(1.0, detector="lape", arguments={"filter": 0.1, "bar": 0.1}))
    assert not any(layer == 0 and index < 10 for own in found.values() for layer, index in pairs(own))


def test_quantiles_count_from_one_and_are_exceeded_strictly():
    assert quantile(np.arange(1, 21).astype(float), 0.95) == 19
    assert quantile(np.array([3.0]), 0.2) == 3


def test_the_weight_of_the_largest_share():
    """H/ln K - λ max p / (mean of 1/k), λ as large as leaves no neuron of all languages among the first."""

    tables = [recorded(language, seed, tokens=1000) for seed, language in enumerate(LANGUAGES)]
    generator = np.random.default_rng(0)
    for number, table in enumerate(tables):
        for layer in range(LAYERS):  # the first of a layer are every language's, and often active
            uneven = (500, 250, 200, 150)[number] + generator.integers(-40, 40, SIZES["up"])
            even = 900 + generator.integers(-20, 20, SIZES["up"])
            table.over_zero[layer, "up"][:] = np.where(np.arange(SIZES["up"]) < 4, even, uneven)

    def first(weight: float, fraction: float):
        def score(neuron):
            own = shares_of(neuron, tables)
            return slow_entropy(own) / math.log(4) - weight * max(own) / ((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)

        return sorted(NEURONS, key=score)[: round(fraction * len(NEURONS))]

    bar = kth([share for neuron in NEURONS for share in shares_of(neuron, tables)], 0.5)
    rule = Selection.of(0.3, detector="lape-lambda", arguments={"bar": 0.5})
    found = select_specific(tables, rule)
    weight = found["zh"].about["selection"]["arguments"]["weight"]

    def is_free(tried: float) -> bool:
        return not any(all(share > bar for share in shares_of(neuron, tables)) for neuron in first(tried, 0.3))

    assert is_free(weight)
    assert 0 < weight < 0.2
    assert not is_free(weight + 2e-3)
    for number, language in enumerate(LANGUAGES):
        expected = {neuron for neuron in first(weight, 0.3) if shares_of(neuron, tables)[number] > bar}
        assert set(pairs(found[language])) == expected if expected else language not in found


@pytest.mark.parametrize("seed", range(3))
def test_average_precision_is_that_of_scikit_learn(seed):
    generator = np.random.default_rng(seed)
    responses = generator.integers(-3, 4, (23, 50)).astype(np.float32)  # many ties
    responses[:, 7] = 1.5
    labels = generator.random(23) < 0.4
    found = average_precisions(responses, labels)
    expected = [average_precision_score(labels, responses[:, neuron]) for neuron in range(50)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("against", ["all", "pivot"])
def test_average_precision_takes_the_highest_and_the_lowest(against):
    rule = Selection.of(count=7, detector="average-precision", arguments={"against": against})
    found = select_specific(TABLES, rule)
    assert set(found) == set(LANGUAGES) - ({"en"} if against == "pivot" else set())
    own, others = TABLES[2], [TABLES[0]] if against == "pivot" else [TABLES[0], TABLES[1], TABLES[3]]
    labels = [True] * 7 + [False] * 7 * len(others)

    def precision(neuron):
        layer, index = neuron
        values = np.concatenate([table.responses[layer, "up"][:, index] for table in (own, *others)])
        return average_precision_score(labels, values)

    highest = sorted(NEURONS, key=lambda n: round(-precision(n), 12))
    lowest = sorted(NEURONS, key=lambda n: round(precision(n), 12))
    assert set(pairs(found["de"])) == {*highest[:4], *lowest[:3]}
    top = select_specific(TABLES, Selection.of(count=7, detector="average-precision", arguments={"ends": "top"}))
    every = {**{"against": "all"}, "ends": "top", "attention": False}
    assert top["de"].about["selection"]["arguments"] == every
    if against == "all":
        assert set(pairs(top["de"])) == set(highest[:7])


@pytest.mark.parametrize("against", ["all", "pivot"])
@pytest.mark.parametrize("standardized", [True, False])
def test_activation_differences(against, standardized):
    arguments = {"against": against, "standardized": standardized}
    found = select_specific(TABLES, Selection.of(count=9, detector="activation-difference", arguments=arguments))
    others = [TABLES[0]] if against == "pivot" else [TABLES[0], TABLES[1], TABLES[3]]

    def difference(neuron) -> float:
        layer, structure, index = neuron
        means = [float(table.activation_mean[layer, structure][index]) for table in (TABLES[2], *others)]
        squares = [float(table.activation_square[layer, structure][index]) for table in (TABLES[2], *others)]
        variances = [square - mean**2 for mean, square in zip(means, squares, strict=True)]
        apart = abs(means[0] - sum(means[1:]) / len(others))
        within = math.sqrt((variances[0] + sum(variances[1:]) / len(others)) / 2)
        return apart / within if standardized else apart

    everywhere = [(at, s, i) for s in ("q", "k", "v", "up") for at in range(LAYERS) for i in range(SIZES[s])]
    expected = sorted(everywhere, key=lambda neuron: round(-difference(neuron), 9))[:9]
    assert set(found["de"]) == set(expected)


def test_attribution_against_the_others():
    found = select_specific(TABLES, Selection.of(count=9, detector="attribution"))

    def difference(neuron) -> float:
        layer, structure, index = neuron
        own, *others = (float(TABLES[n].attribution[layer, structure][index]) for n in (1, 0, 2, 3))
        return own - sum(others) / 3

    everywhere = [(at, s, i) for s in ("q", "k", "v", "up") for at in range(LAYERS) for i in range(SIZES[s])]
    assert set(found["zh"]) == set(sorted(everywhere, key=lambda neuron: round(-difference(neuron), 9))[:9])


def test_entropy_of_attributions_is_lape_on_them():
    arguments = {"by": "entropy", "filter": 0.7, "bar": 0.7}
    found = select_specific(TABLES, Selection.of(0.3, structures="up", detector="attribution", arguments=arguments))
    as_shares = [recorded(language, seed) for seed, language in enumerate(LANGUAGES)]
    for table in as_shares:
        for place, values in table.attribution.items():
            table.over_zero[place][:] = values
    lape = select_specific(as_shares, Selection.of(0.3, detector="lape", arguments={"filter": 0.7, "bar": 0.7}))
    assert {code: set(own) for code, own in found.items()} == {code: set(own) for code, own in lape.items()}


def test_random_neurons_are_of_their_seed_and_language():
    one, same, other = (
        select_specific(TABLES, Selection.of(count=12, detector="random", arguments={"seed": seed}))
        for seed in (1, 1, 2)
    )
    assert one == same
    assert one["zh"] != other["zh"]
    assert set(one["zh"]) != set(one["de"])
    smaller = select_specific(TABLES, Selection.of(count=5, detector="random", arguments={"seed": 1}))
    assert set(smaller["zh"]) < set(one["zh"])


def test_a_count_of_plnd_is_the_smallest_fraction_s_strongest():
    found = select_specific(TABLES, Selection.of(count=10))
    assert set(found) == {"zh", "de", "fr"}
    for language, own in found.items():
        assert len(own) == 10
        fraction = own.about["selection"]["fraction"]
        whole = select_specific(TABLES, Selection.of(fraction))[language]
        assert len(whole) >= 10
        assert set(own) == set(whole.strongest(10))
        smaller = select_specific(TABLES, Selection.of(fraction / 1.02, specific="none"))["en"]
        assert len(smaller) <= len(select_specific(TABLES, Selection.of(fraction, specific="none"))["en"])
        # The rest of the language's own neurons is shared, so that a foreign control leaves it out.
        assert set(whole) - set(own) <= {
            (layer, name, int(i)) for (layer, name), members in own.shared.items() for i in members
        }


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_gives_as_many_neurons_as_asked_for(name):
    arguments = {"filter": 0.3, "bar": 0.3} if name == "lape" else {"bar": 0.3} if name == "lape-lambda" else {}
    found = mw.Detection({table.about["language"]: table for table in TABLES})
    sets = found.select(count=8, detector=name, arguments=arguments)
    assert set(sets) >= {"zh", "de", "fr"}
    for language, own in sets.items():
        assert len(own) == 8
        assert own.shape == SHAPE
        assert own.about["language"] == language
        assert set(own.by_structure()) <= set(find_detector(name).structures)
        assert own.about["selection"]["count"] == 8
        assert own.about["selection"].get("detector", "plnd") == name


def test_attention_is_an_option_that_says_so():
    with pytest.raises(
        InputError, match=r"lape is not defined for q; expected up; .*attention=true extends it to q,k,v"
    ):
        Selection.of(0.1, structures="q,up", detector="lape")
    rule = Selection.of(0.4, detector="lape", arguments={"attention": True, "filter": 0.3, "bar": 0.3})
    assert rule.structures == ("q", "k", "v", "up")
    assert {"q", "up"} <= set(select_specific(TABLES, rule)["zh"].by_structure())
    with pytest.raises(InputError, match="not defined for o"):
        Selection.of(0.1, structures="o", detector="lape", arguments={"attention": True})


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"detector": "guess"}, "unknown detector; found guess; expected one of plnd lape"),
        (
            {"detector": "lape", "top_k": 3},
            "the detector lape has no such rule; found top_k; expected fraction or count",
        ),
        ({"detector": "lape", "specific": "none"}, "takes away no other language's neurons; found specific=none"),
        (
            {"detector": "lape", "arguments": {"bar": 2}},
            "unusable argument of the detector lape; found bar: .*filter=0.95",
        ),
        ({"detector": "lape", "arguments": {"barr": 1}}, "found barr: Extra inputs"),
        ({"arguments": {"bar": 1}}, "unusable argument of the detector plnd; .*expected none"),
        ({"count": 0}, "unusable count of neurons; found 0"),
        ({"count": 3, "fraction": 0.1}, "a selection needs one rule; found 2"),
    ],
)
def test_what_is_no_rule_is_refused(rule, message):
    with pytest.raises(InputError, match=message):
        Selection.of(**rule)


def test_too_few_and_too_little_are_told():
    with pytest.raises(InputError, match=r"the detector lape finds too few neurons of zh; found .*; expected 80"):
        select_specific(TABLES, Selection.of(count=80, detector="lape"))
    with pytest.raises(InputError, match="too few neurons are specific to zh"):
        select_specific(TABLES, Selection.of(count=150))
    with pytest.raises(InputError, match="sees all languages at once; found en"):
        select_specific(TABLES[:1], Selection.of(0.1, detector="lape"))
    with pytest.raises(InputError, match="compares languages; found en"):
        select_specific(TABLES[:1], Selection.of(0.1, detector="attribution"))
    rule = Selection.of(0.1, detector="attribution", arguments={"against": "pivot"}, pivot="ja")
    with pytest.raises(InputError, match="the pivot was not scored"):
        select_specific(TABLES, rule)
    bare = [recorded(language, 1, recorded=[]) for language in LANGUAGES]
    with pytest.raises(
        InputError, match=r"needs a record that the scores lack; .*expected activations; .*record=activations"
    ):
        select_specific(bare, Selection.of(0.1, detector="lape"))


def test_sets_know_activations_where_asked():
    found = mw.Detection({table.about["language"]: table for table in TABLES})
    assert found.select(count=4)["zh"].activations == {}
    own = found.select(count=4, activations=True)["zh"].activations
    assert set(own) == {f"{what}.{language}" for what in ("mean", "median") for language in LANGUAGES}
    np.testing.assert_array_equal(own["mean.de"][1, "up"], TABLES[2].activation_mean[1, "up"])
    median = [sorted(TABLES[2].responses[1, "v"][:, n])[3] for n in range(SIZES["v"])]  # of seven documents
    assert own["median.de"][1, "v"].tolist() == median
    bare = mw.Detection({code: recorded(code, 1, recorded=[]) for code in LANGUAGES})
    with pytest.raises(InputError, match=r"only know of activations that were recorded; .*record=activations"):
        bare.select(count=4, activations=True)


def test_a_rule_names_the_records_it_reads():
    assert needed_records(Selection.of()) == ()
    assert needed_records(Selection.of(), activations=True) == ("activations",)
    rule = Selection.of(detector="average-precision")
    assert needed_records(rule, activations=True, asked=["attributions"]) == tuple(RECORDS)
