"""What detectors are compared with: sets of exactly as many neurons, selected before a model loads."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from helpers.recorded_tables import recorded

from mwork_eval.application.comparison_arguments import prepare_comparison
from mwork_eval.application.detection import Detection
from mwork_eval.application.detector_sets import DetectorSets
from mwork_eval.detection.detectors.detector import DETECTORS
from mwork_eval.detection.detectors.pool import Pool, sets_of_orders
from mwork_eval.detection.selection import Selection
from mwork_eval.errors import InputError
from mwork_eval.matrix.plan import Mask
from mwork_eval.matrix.whole import dose_masks
from mwork_eval.neurons.stages import POSITIONS, Stages

STAGES = Stages.of(3, 1, 1)
WHERE = ("under", "gen")


def scored(without: tuple[str, ...] = ()) -> Detection:
    """Scores of three languages, whose records lack some."""
    kept = [name for name in ("activations", "responses", "attributions") if name not in without]
    tables = {}
    for seed, code in enumerate(("en", "zh", "es")):
        table = recorded(code, seed, recorded=kept, activation_tokens=1000)
        generator = np.random.default_rng(seed)
        counts = {place: generator.integers(0, 1000, len(of)).astype(np.int32) for place, of in table.over_zero.items()}
        tables[code] = replace(table, values={**table.values, "over_zero": counts})
    return Detection(tables)


def selecting(positions=POSITIONS, structures=("up",)) -> DetectorSets:
    return DetectorSets(scored(), ("zh", "es"), structures, positions, STAGES, "en")


@pytest.mark.parametrize("detector", DETECTORS)
def test_each_number_has_sets_of_the_detectors_own_choice(detector):
    own = selecting().of(detector, 2, (1, 2))
    for count, sets in own.by_count.items():
        expected = scored().select(count=count, detector=detector, structures="up")
        assert sets == {language: expected[language] for language in ("zh", "es")}
        assert {len(neurons) for neurons in sets.values()} == {count}
    assert own.sets == own.by_count[2]
    assert own.cost


@pytest.mark.parametrize("detector", ["lape", "activation-difference", "attribution", "random"])
@pytest.mark.parametrize("count", [1, 2])
def test_at_positions_it_is_the_first_set_that_has_enough_there(detector, count):
    found = selecting(WHERE).of(detector, count, ()).sets
    for language, neurons in found.items():
        number = 1
        while True:
            slowly = scored().select(count=number, detector=detector, structures="up")[language].at(STAGES, WHERE)
            if len(slowly) == count:
                break
            number += 1
        assert neurons == slowly


def test_plnd_has_as_many_at_positions():
    for neurons in selecting(WHERE, ("q", "up")).of("plnd", 3, ()).sets.values():
        assert len(neurons) == 3
        assert sum(neurons.by_position(STAGES)[position] for position in WHERE) == 3


def prepared(scores=None, **given):
    return prepare_comparison(scores or scored(), **{"count": 2, "data": "embedded", "limit": 2, **given})


def test_by_default_every_detector_and_the_structures_all_are_defined_for():
    options = prepared()
    assert [preset.name for preset in options.presets] == list(DETECTORS) == list(options.own_sets)
    assert options.languages == ("en", "zh", "es")
    for own in options.own_sets.values():
        for neurons in own.sets.values():
            assert neurons.by_structure() == {"up": 2}
    structures = prepared(detectors="plnd,random").own_sets["random"].sets["zh"].about["selection"]["structures"]
    assert structures == ["q", "k", "v", "up"]


def test_rows_are_random_and_language_specific_at_the_same_positions():
    (preset,) = prepared(detectors="random", positions="under+gen").presets
    assert [setting.name for setting in preset.settings] == ["R under + gen", "LS under + gen"]
    assert preset.task == "bpb"


def test_what_the_records_do_not_allow_is_left_out_and_named(caplog):
    with caplog.at_level(logging.WARNING):
        options = prepared(scored(without=("activations", "attributions")))
    assert [preset.name for preset in options.presets] == ["plnd", "average-precision", "random"]
    assert "lape (needs activations)" in caplog.text
    assert "attribution (needs attributions)" in caplog.text
    assert "`mwork detect --record activations,attributions` records it" in caplog.text


def test_masks_of_a_number_are_of_the_set_of_that_number():
    options = prepared(detectors="lape", counts=[1, 2], seeds=[1])
    (preset,), own = options.presets, options.own_sets["lape"]
    masks: dict[str, list[Mask]] = dose_masks(preset, own.sets, STAGES, (1,), (1, 2), by_count=own.by_count)
    for language, of_language in masks.items():
        specific = {mask.count: mask.neurons for mask in of_language if not mask.setting.random}
        assert specific == {count: own.by_count[count][language] for count in (1, 2)}
        for mask in of_language:
            if mask.setting.random:
                assert len(mask.neurons) == mask.count
                assert not len(mask.neurons & specific[mask.count])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scores": scored(without=("activations",)), "detectors": "plnd,lape"}, "--record activations"),
        ({"detectors": "plnd,best"}, "unknown detector; found best; expected one of plnd"),
        ({"detectors": []}, "no detector to compare"),
        ({"detectors": "lape", "structures": "q"}, "the detector lape is not defined for q"),
        ({"languages": "en,de"}, "languages that were not scored; found de; expected en zh es"),
        ({"languages": "zh,es"}, "expected en and at least one other language"),
        ({"count": 0}, "unusable count"),
        ({"detectors": "lape", "count": 500}, "the detector lape finds too few neurons of"),
        ({"detectors": "plnd", "tasks": "nothing"}, "nothing"),
        ({"positions": "middle"}, "unknown position"),
    ],
)
def test_wrong_arguments_are_one_line(given, message):
    with pytest.raises(InputError) as error:
        prepared(given.pop("scores", None), **given)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_scores_must_be_some(tmp_path):
    for wrong in (None, 5, tmp_path):
        with pytest.raises(InputError, match="no scores"):
            prepare_comparison(wrong)


def test_the_pivot_needs_no_set():
    tables = list(scored().tables.values())
    rule = Selection(structures=("up",), count=2, detector="random")
    pool = Pool.of(tables, rule)
    orders = {"en": np.arange(1), "zh": np.arange(2), "es": np.arange(3)}
    assert sets_of_orders(pool, orders, tables, rule).keys() == {"zh", "es"}
    with pytest.raises(InputError, match="too few neurons of zh"):
        sets_of_orders(pool, orders | {"zh": np.arange(1)}, tables, rule)
    assert sets_of_orders(pool, orders, tables, replace(rule, count=1)).keys() == {"en", "zh", "es"}
