"""Which neurons a rule selects, and which of them are specific to a language."""

import numpy as np
import pytest
from helpers.detections import ScoreAccumulator, table
from helpers.neuron_sets import beside

from mwork_eval.detection.detectors.plnd import select
from mwork_eval.detection.score_table import ScoreTable
from mwork_eval.detection.selection import Selection, select_specific
from mwork_eval.errors import InputError
from mwork_eval.neurons.shape import ModelShape


def ranked(documents) -> ScoreTable:
    """A table of one layer's q, from the scores of each document `[neurons]`."""
    shape = ModelShape("llama", ({"q": len(documents[0])},))
    accumulator = ScoreAccumulator(shape)
    for scores in documents:
        accumulator.add({(0, "q"): np.array(scores, np.float32)})
    return accumulator.table({"language": "zh", "fingerprint": "f", "method": "exact"})


def in_top_of_every(documents, count: int) -> set[int]:
    """The neurons among the first ``count`` of every document, the slow way."""
    tops = [set(sorted(range(len(one)), key=lambda n, one=one: -one[n])[:count]) for one in documents]
    return set.intersection(*tops)


def test_selection_by_fraction_takes_what_is_in_the_top_fraction_of_every_document():
    generator = np.random.default_rng(3)
    for lengths in ([200] * 6, [200] * 5 + [20], [5, 1000, 60]):
        common = generator.random(100) * 4
        documents = [length * (common + generator.random(100)) for length in lengths]
        found = select(ranked(documents), Selection(fraction=0.2, structures=("q",)))
        assert set(found.indices[0, "q"].tolist()) == in_top_of_every(documents, 20) != set()


def test_selection_by_fraction_does_not_depend_on_the_lengths_of_documents():
    """Scores are sums over tokens; a short document must not weigh more than a long one."""
    generator = np.random.default_rng(4)
    common = generator.random(200) * 3
    documents = [common + generator.random(200) for _ in range(6)]
    rule = Selection(fraction=0.1, structures=("q",))
    alike = select(ranked([200 * one for one in documents]), rule)
    unlike = select(ranked([200 * one for one in documents[:5]] + [20 * documents[5]]), rule)
    assert alike == unlike
    assert select(ranked([200 * one for one in documents]), Selection(top_k=20, structures=("q",))) == alike


def test_the_best_worst_rank_comes_first_and_then_the_highest_mean():
    documents = [[9, 8, 7, 6, 5, 1], [9, 6, 8, 7, 50, 1]]
    # ranks 0 1 2 3 4 5 and 1 4 2 3 0 5: the worst are 1 4 2 3 4 5; of 1 and 4 the second has the higher mean
    found = select(ranked(documents), Selection(fraction=5 / 6, structures=("q",)))
    assert found.indices[0, "q"].tolist() == [0, 2, 3, 4, 1]
    assert found.about["selection"]["by"] == "worst_rank"


def test_a_threshold_is_of_the_sum_in_every_document():
    documents = [[4.0, 3.0, 2.0], [0.5, 0.1, 0.4]]
    found = select(ranked(documents), Selection(threshold={"q": 0.4}, structures=("q",)))
    assert found.indices[0, "q"].tolist() == [0, 2]
    assert found.about["selection"]["by"] == "minimum"


def test_thresholds_and_top_k_take_what_the_tables_say():
    scores = table()
    epsilon = float(np.median(scores.minimum[0, "q"]))
    by_threshold = select(scores, Selection(threshold={"q": epsilon}, structures=("q",)))
    assert set(by_threshold.indices[0, "q"].tolist()) == set(np.flatnonzero(scores.minimum[0, "q"] >= epsilon))
    by_rank = select(scores, Selection(top_k=4, structures=("q",)))
    assert set(by_rank.indices[0, "q"].tolist()) == set(np.flatnonzero(scores.worst_rank[0, "q"] < 4))


def test_specific_neurons_are_those_without_english_or_without_what_all_share():
    tables = [table(code, i, corpus={"name": f"corpus of {code}"}) for i, code in enumerate(("en", "zh", "es"))]
    rule = Selection(fraction=0.8)
    detected = {t.about["language"]: select(t, rule) for t in tables}
    english = select_specific(tables, rule)
    assert set(english) == {"zh", "es"}
    assert english["zh"] == detected["zh"] - detected["en"]
    assert english["zh"].about["subtracted"] == {"en": {"name": "corpus of en"}}
    assert beside(english["zh"]) == detected["zh"] & detected["en"]
    assert len(beside(english["zh"])) > 0
    common = select_specific(tables, Selection(fraction=0.8, specific="common"))
    assert common["en"] == detected["en"] - (detected["en"] & detected["zh"] & detected["es"])
    assert beside(common["en"]) == detected["en"] & detected["zh"] & detected["es"]
    everything = select_specific(tables, Selection(fraction=0.8, specific="none"))["zh"]
    assert everything == detected["zh"]
    assert len(beside(everything)) == 0


def test_rules_and_tables_that_do_not_fit_are_errors():
    rule = Selection(fraction=0.5)
    with pytest.raises(InputError, match="English was not scored"):
        select_specific([table("zh"), table("es", 1)], rule)
    with pytest.raises(InputError, match="different models"):
        select_specific([table("en"), table("zh", 1, fingerprint="g")], rule)
    with pytest.raises(InputError, match="different methods"):
        select_specific([table("en"), table("zh", 1, method="exact")], rule)
    with pytest.raises(InputError, match="no neuron is specific to zh"):
        select_specific([table("en", 0), table("zh", 0)], rule)
    for bad in ({}, {"fraction": 0.1, "top_k": 3}, {"fraction": 0.0}, {"top_k": 0}, {"threshold": {"q": 1.0}}):
        with pytest.raises(InputError):
            Selection(**bad)
    with pytest.raises(InputError, match="nothing selected; found no neuron of zh"):
        select_specific([table("zh")], Selection(threshold={"q": 9.0}, structures=("q",), specific="none"))
    with pytest.raises(InputError, match="unknown specific"):
        Selection(fraction=0.1, specific="german")
