"""Neuron sets compared and combined, counted the slow way."""

import io
import json

import numpy as np
import pytest
from helpers.commands import mwork
from helpers.report_folders import SHAPE, make_set
from rich.console import Console

from mwork_eval.errors import InputError
from mwork_eval.neurons.comparison import Comparisons, compare_pairs, compare_sets
from mwork_eval.neurons.expressions import evaluate
from mwork_eval.neurons.files import load_neuron_set, save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.neurons.stages import Stages
from mwork_eval.terminal.set_comparison import print_comparisons
from mwork_eval.views.set_comparison import comparisons_as_json

STAGES = Stages(4, 1, 1)


@pytest.fixture
def folders(tmp_path):
    for folder, seeds in (("a", {"zh": 1, "es": 2, "de": 5}), ("b", {"zh": 3, "es": 2, "ru": 4})):
        for language, seed in seeds.items():
            save_neuron_set(make_set(language, seed), tmp_path / folder / f"{language}.safetensors")
    return tmp_path


def neurons_of(neurons: NeuronSet) -> set:
    return {(layer, structure, int(k)) for (layer, structure), indices in neurons.indices.items() for k in indices}


def test_counts_are_those_of_plain_sets():
    first, second = make_set("zh", 1), make_set("zh", 3)
    found = compare_sets(first, second, STAGES)
    mine, theirs = neurons_of(first), neurons_of(second)
    assert found.total.both == len(mine & theirs) > 0
    assert (found.total.only_first, found.total.only_second) == (len(mine - theirs), len(theirs - mine))
    assert found.total.jaccard == pytest.approx(len(mine & theirs) / len(mine | theirs))
    for layer, overlap in enumerate(found.by_layer):
        one, other = ({n for n in neurons if n[0] == layer} for neurons in (mine, theirs))
        assert (overlap.only_first, overlap.only_second, overlap.both) == (
            len(one - other),
            len(other - one),
            len(one & other),
        )
    middle = {n for n in mine if n[0] in (1, 2)}
    attention = sum(n[1] in ("q", "v") for n in middle)
    position = found.by_position["s-attn"]
    assert position.only_first + position.both == attention
    assert sum(overlap.both for overlap in found.by_position.values()) == found.total.both


def test_the_rows_of_one_switch_count_once():
    gate = NeuronSet(SHAPE, {(0, "gate"): np.array([1, 2])})
    down = NeuronSet(SHAPE, {(0, "down"): np.array([2, 3]), (0, "up"): np.array([2])})
    total = compare_sets(gate, down, STAGES).total
    assert (total.only_first, total.only_second, total.both) == (1, 1, 1)


def test_empty_sets_have_no_index():
    nothing = NeuronSet(SHAPE, {})
    assert compare_sets(nothing, nothing, STAGES).total.jaccard is None


def test_checkpoints_are_compared_and_models_are_not():
    first = make_set("zh", 1).described(fingerprint="before")
    assert compare_sets(first, make_set("zh", 1).described(fingerprint="after"), STAGES).total.jaccard == 1
    other = NeuronSet(ModelShape("llama", SHAPE.sizes[:2]), {})
    with pytest.raises(InputError, match="two neuron sets of different models"):
        compare_sets(first, other, STAGES)


def test_folders_are_compared_language_by_language(folders):
    found = compare_pairs(str(folders / "a"), str(folders / "b"))
    assert list(found.sets) == ["es", "zh"]
    assert found.sets["es"].total.jaccard == 1
    assert (found.only_first, found.only_second) == (("de",), ("ru",))
    with pytest.raises(InputError, match="a folder and a set cannot be compared"):
        compare_pairs(str(folders / "a"), str(folders / "b" / "zh"))
    save_neuron_set(make_set("sw", 1), folders / "c" / "sw.safetensors")
    with pytest.raises(InputError, match="no set in common; found de es zh and sw"):
        compare_pairs(str(folders / "a"), str(folders / "c"))


def test_stages_are_those_given_or_stored(folders):
    found = compare_pairs(str(folders / "a/zh"), str(folders / "b/zh"), 4, 0).sets[""]
    assert found.by_position["under"] == found.total


def test_the_command_prints_a_table_or_json(folders):
    a, b = folders / "a", folders / "b"
    text = mwork("sets", "diff", a, b)
    assert "only in the first folder: de" in text
    assert "only in the second folder: ru" in text
    total = compare_pairs(str(a), str(b)).sets["zh"].total
    assert f"{total.only_first} │" in text
    assert f"{total.jaccard:.3f}" in text
    found = json.loads(mwork("sets", "diff", a / "zh", b / "zh", "--json"))
    assert (found["format"], found["version"]) == ("mwork-set-comparison", 1)
    (entry,) = found["sets"]
    assert entry["total"]["both"] == total.both
    assert entry["total"]["jaccard"] == pytest.approx(total.jaccard)
    assert len(entry["by_layer"]) == 4
    assert list(entry["by_position"]) == ["under", "s-attn", "s-ffn", "gen"]


def test_layers_without_neurons_are_left_out_of_the_table_only():
    neurons = NeuronSet(SHAPE, {(2, "q"): np.array([1])})
    found = Comparisons("[a]", "b", {"[b]x": compare_sets(neurons, neurons, STAGES)})
    console = Console(width=100, record=True, file=io.StringIO())
    print_comparisons(found, console)
    text = console.export_text()
    assert "layer 2" in text
    assert "layer 1" not in text
    assert "[a]" in text
    assert "[b]x" in text
    layers = json.loads(comparisons_as_json(found))["sets"][0]["by_layer"]
    assert [layer["jaccard"] for layer in layers] == [None, None, 1, None]


def test_an_expression_is_read_from_left_to_right(folders):
    zh, es, ru = (make_set("", seed) for seed in (1, 2, 4))
    text = f"{folders}/a/zh - {folders}/a/es | {folders}/b/ru & {folders}/a/zh"
    found = evaluate(text)
    assert neurons_of(found) == ((neurons_of(zh) - neurons_of(es)) | neurons_of(ru)) & neurons_of(zh)
    assert found.about["expression"] == text
    assert found.about["language"] == "zh"


@pytest.mark.parametrize("expression", ["", "a/zh -", "a/zh + a/es", "a/zh a/es", "- a/zh"])
def test_an_expression_that_is_none_is_an_error(expression):
    with pytest.raises(InputError, match="cannot read the expression"):
        evaluate(expression)


def test_the_command_saves_the_result_of_an_expression(folders):
    out = folders / "out.safetensors"
    text = mwork("sets", "algebra", f"{folders}/a/zh - {folders}/a/es", "--out", out)
    found = load_neuron_set(out)
    assert neurons_of(found) == neurons_of(make_set("", 1)) - neurons_of(make_set("", 2))
    assert f"{out}: {len(found)} neurons" in text
    assert "ends in .safetensors" in mwork("sets", "algebra", f"{folders}/a/zh", "--out", folders / "x.txt", code=2)


def test_sets_of_other_weights_are_not_combined(folders):
    for name, fingerprint in (("one", "f1"), ("two", "f2")):
        save_neuron_set(make_set("zh", 1).described(fingerprint=fingerprint), folders / "w" / f"{name}.safetensors")
    text = mwork("sets", "algebra", f"{folders}/w/one - {folders}/w/two", "--out", folders / "o.safetensors", code=2)
    assert "two neuron sets of different weights" in text
    assert not (folders / "o.safetensors").exists()
