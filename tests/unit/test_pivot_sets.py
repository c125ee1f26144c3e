"""Sets against another language than English: which neurons they have, and what they say of it."""

import json

import pytest
from helpers.commands import invoke, mwork
from helpers.detections import table
from helpers.neuron_sets import beside

from mwork_eval.application.detection import Detection
from mwork_eval.detection.detectors.plnd import select
from mwork_eval.detection.selection import Selection, check_scored, select_specific
from mwork_eval.errors import InputError
from mwork_eval.neurons.files import load_neuron_set
from mwork_eval.neurons.pivots import check_made_against, recorded_pivot

LANGUAGES = ("en", "zh", "es")


@pytest.fixture(scope="module")
def tables():
    return [table(code, i, corpus={"name": f"corpus of {code}"}) for i, code in enumerate(LANGUAGES)]


@pytest.fixture(scope="module")
def detected(tables, tmp_path_factory):
    """A folder with the scores of three languages."""
    folder = tmp_path_factory.mktemp("scores")
    for one in tables:
        one.save(folder / "scores" / f"{one.about['language']}.safetensors")
    return folder


def test_neurons_are_those_that_the_pivot_lacks(tables):
    rule = Selection(fraction=0.8, specific="pivot", pivot="zh")
    every = {one.about["language"]: select(one, rule) for one in tables}
    sets = select_specific(tables, rule)
    assert set(sets) == {"en", "es"}
    assert sets["es"] == every["es"] - every["zh"] != every["es"] - every["en"]
    assert beside(sets["es"]) == every["es"] & every["zh"]
    assert sets["es"].about["subtracted"] == {"zh": {"name": "corpus of zh"}}
    assert sets["en"] == every["en"] - every["zh"]


def test_a_set_says_its_pivot_and_one_against_english_says_what_it_always_said(tables):
    chinese = select_specific(tables, Selection(fraction=0.8, specific="pivot", pivot="zh"))["es"]
    assert chinese.about["selection"] == {
        "fraction": 0.8,
        "specific": "pivot",
        "structures": ["q", "k", "v", "up"],
        "pivot": "zh",
        "by": "worst_rank",
    }
    english = {"fraction": 0.8, "specific": "english", "structures": ["q", "k", "v", "up"], "by": "worst_rank"}
    for rule in (
        Selection(fraction=0.8),
        Selection(fraction=0.8, specific="english"),
        Selection(fraction=0.8, specific="pivot", pivot="en"),
        Selection.of(0.8),
        Selection.of(0.8, pivot="en", specific="english"),
    ):
        found = select_specific(tables, rule)["es"]
        assert found.about["selection"] == english
        assert (rule.specific, rule.pivot, recorded_pivot(found)) == ("english", None, "en")
    assert recorded_pivot(chinese) == "zh"


def test_what_takes_away_no_single_language_has_no_pivot(tables):
    for specific in ("common", "none"):
        rule = Selection(fraction=0.8, specific=specific, pivot="zh")
        assert (rule.pivot, rule.subtracted) == (None, None)
        assert "pivot" not in rule.to_json()
        sets = select_specific(tables, rule)
        assert recorded_pivot(sets["es"]) is None
        check_made_against(sets.items(), "de", force=False)


def test_the_pivot_must_be_scored(tables):
    with pytest.raises(InputError, match=r"those that German lacks, and German was not scored; found en zh es; .* de"):
        select_specific(tables, Selection(fraction=0.8, specific="pivot", pivot="de"))
    with pytest.raises(InputError, match="English was not scored; found zh"):
        check_scored(["zh"], Selection.of())
    check_scored(["zh"], Selection.of(specific="none"))


def test_english_is_no_other_pivot():
    with pytest.raises(InputError, match="takes away the neurons of English, and another pivot is given"):
        Selection.of(0.8, specific="english", pivot="zh")
    with pytest.raises(InputError, match="unknown specific"):
        Selection.of(0.8, specific="chinese")


def test_from_python(tables):
    found = Detection({one.about["language"]: one for one in tables})
    sets = found.select(fraction=0.8, specific="pivot", pivot="zh")
    assert sets == found.select(fraction=0.8, pivot="zh")
    assert list(sets) == ["en", "es"]
    assert list(found.select(fraction=0.8)) == ["zh", "es"]
    with pytest.raises(InputError, match="unusable pivot; found 3"):
        found.select(fraction=0.8, pivot=3)
    with pytest.raises(InputError, match="unknown language"):
        found.select(fraction=0.8, pivot="xx-nothing")


def test_from_the_command_line(detected, tmp_path):
    mwork("select", detected, "--fraction", 0.8, "--specific", "pivot", "--pivot", "zh", "--out", tmp_path / "a")
    assert sorted(path.stem for path in (tmp_path / "a").glob("*.safetensors")) == ["en", "es"]
    assert recorded_pivot(load_neuron_set(tmp_path / "a" / "es.safetensors")) == "zh"
    mwork("select", detected, "--fraction", 0.8, "--out", tmp_path / "b")
    mwork("select", detected, "--fraction", 0.8, "--specific", "english", "--out", tmp_path / "c")
    for name in ("zh", "es"):
        one, other = (tmp_path / folder / f"{name}.safetensors" for folder in ("b", "c"))
        assert load_neuron_set(one).about == load_neuron_set(other).about
    said = invoke("select", detected, "--specific", "english", "--pivot", "zh", "--out", tmp_path / "d", code=2).output
    assert "--specific english takes away the neurons of English, and another pivot is given; found --pivot zh" in said


def test_detection_of_a_pivot_that_is_not_there_ends_before_a_model_loads(tmp_path):
    said = invoke(
        "detect", "--model", tmp_path / "nowhere", "--languages", "en,es", "--pivot", "zh", "--out", tmp_path, code=2
    ).output
    assert "Chinese was not scored; found en es; expected a corpus for zh" in said


def test_an_overlap_with_the_pivot_has_it_first(detected):
    found = json.loads(mwork("overlap", detected, "--with-pivot", "--pivot", "zh", "--fraction", 0.8, "--json"))
    assert list(found["parts"]["all"]) == ["zh", "en", "es"]
    found = json.loads(mwork("overlap", detected, "--with-english", "--fraction", 0.8, "--json"))
    assert list(found["parts"]["all"]) == ["en", "es", "zh"]
    said = invoke("overlap", detected, "--with-pivot", "--pivot", "de", "--fraction", 0.8, code=2).output
    assert "no scores of German; found en es zh" in said
    assert "found no --with-pivot" in invoke("overlap", detected, "--pivot", "zh", code=2).output


def test_sets_against_another_pivot_are_refused_and_with_force_a_warning(tables, caplog):
    sets = select_specific(tables, Selection(fraction=0.8))
    check_made_against(sets.items(), "en", force=False)
    problem = "the set of zh lacks neurons of English, and ∆ compares with Spanish"
    with pytest.raises(InputError, match=f"{problem}; found a set against en; expected sets against es"):
        check_made_against(sets.items(), "es", force=False)
    check_made_against(sets.items(), "es", force=True)
    assert problem in caplog.text
