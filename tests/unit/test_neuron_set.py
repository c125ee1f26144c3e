"""The neuron set: algebra, counts, positions, trimming, random controls."""

import numpy as np
import pytest

from mwork_eval.errors import InputError
from mwork_eval.neurons.neuron_set import NeuronSet, apportion
from mwork_eval.neurons.random_control import draw_random_control
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.neurons.stages import POSITIONS, Stages, parse_positions

SIZES = {"q": 8, "k": 4, "v": 4, "o": 8, "gate": 12, "up": 12, "down": 12}
SHAPE = ModelShape("llama", (SIZES,) * 8)
STAGES = Stages.of(8, 2, 1)


def make(**places: list[int]) -> NeuronSet:
    """`q0=[1, 2]` is q neurons 1 and 2 of layer 0."""
    return NeuronSet(SHAPE, {(int(name[-1]), name[:-1]): np.array(at) for name, at in places.items()})


def test_algebra():
    left, right = make(q0=[5, 1, 3], up2=[7]), make(q0=[3, 5], k1=[0])
    assert (left & right) == make(q0=[5, 3])
    assert (left - right) == make(q0=[1], up2=[7])
    assert (left | right) == make(q0=[1, 3, 5], up2=[7], k1=[0])
    assert (left - left) == NeuronSet(SHAPE, {})


def test_order_is_kept_but_ignored_by_equality():
    assert make(q0=[5, 1]) == make(q0=[1, 5])
    assert make(q0=[5, 1]).digest != make(q0=[1, 5]).digest
    assert (make(q0=[5, 1, 3]) - make(q0=[1])).indices[0, "q"].tolist() == [5, 3]
    assert len({make(q0=[5, 1]), make(q0=[1, 5])}) == 1


def test_a_set_is_frozen():
    neurons = make(q0=[1])
    with pytest.raises(ValueError, match="read-only"):
        neurons.indices[0, "q"][0] = 2
    with pytest.raises(TypeError):
        neurons.indices[0, "k"] = np.array([1])


def test_a_feed_forward_switch_counts_once():
    neurons = make(gate1=[1, 2], up1=[2, 3], down1=[1], q1=[0])
    assert len(neurons) == 4
    assert neurons.by_layer() == [0, 4, 0, 0, 0, 0, 0, 0]
    assert neurons.by_structure() == {"gate": 2, "up": 2, "down": 1, "q": 1}
    assert SHAPE.switches == 8 * (8 + 4 + 4 + 12)


def test_positions():
    neurons = make(q0=[1], up1=[2], v3=[0], up4=[1, 2], q7=[3])
    assert neurons.by_position(STAGES) == {"under": 2, "s-attn": 1, "s-ffn": 2, "gen": 1}
    assert neurons.at(STAGES, ("s-ffn", "gen")) == make(up4=[1, 2], q7=[3])
    assert neurons.at(STAGES, POSITIONS) == neurons


def test_strongest_shares_the_count_in_proportion_and_keeps_the_first_of_each_place():
    neurons = make(q0=[5, 1, 3, 2], up2=[9, 8, 7, 6], v3=[0, 1])
    assert neurons.strongest(5) == make(q0=[5, 1], up2=[9, 8], v3=[0])
    # as in real sets: few attention neurons, never more than one a layer, among many of the feed-forward
    sparse = make(q0=[1], q2=[2], q4=[3], q6=[4], **{f"up{layer}": [7, 6, 5, 4, 3, 2] for layer in range(8)})
    kept = sparse.strongest(13)
    assert kept.by_structure() == {"q": 1, "up": 12}
    assert max(kept.by_layer()) <= 3
    assert all(kept.indices[layer, "up"].tolist() in ([7], [7, 6]) for layer in range(8))
    assert neurons.strongest(len(neurons)) == neurons
    assert len(neurons.strongest(0)) == 0
    with pytest.raises(InputError, match="found 10; expected at least 11"):
        neurons.strongest(11)


def test_apportioning():
    assert apportion(10, [3, 3, 3]) in ([4, 3, 3], [3, 4, 3], [3, 3, 4])
    assert apportion(5, [0, 10, 0]) == [0, 5, 0]
    assert apportion(0, [1, 2]) == [0, 0]
    for count in range(31):
        shares = apportion(count, [1] * 30)
        assert sum(shares) == count
        assert max(shares) <= 1
    # equal remainders are not all served at the front
    assert 2 <= sum(apportion(6, [1] * 30)[:15]) <= 4


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ({(8, "q"): [0]}, "outside the model"),
        ({(0, "query"): [0]}, "outside the model"),
        ({(0, "q"): [8]}, "out of range"),
        ({(0, "q"): [-1]}, "out of range"),
        ({(0, "q"): [1, 1]}, "distinct"),
    ],
)
def test_impossible_neurons_are_refused(indices, message):
    with pytest.raises(InputError, match=message):
        NeuronSet(SHAPE, {place: np.array(at) for place, at in indices.items()})


def test_sets_of_different_models_do_not_combine():
    other = NeuronSet(ModelShape("llama", (SIZES,) * 7), {})
    with pytest.raises(InputError, match="different models"):
        make(q0=[1]) | other


def test_sets_of_different_weights_do_not_combine():
    left, right = make(q0=[1]).described(fingerprint="a"), make(q0=[1]).described(fingerprint="b")
    with pytest.raises(InputError, match="different weights"):
        left - right


def test_random_control_has_the_counts_and_none_of_the_set():
    neurons = make(q0=[1, 2], up1=[2], up3=[0, 1, 2], q7=[3])
    counts = neurons.by_position(STAGES)
    control = draw_random_control(SHAPE, STAGES, counts, excluded=neurons, seed=1)
    assert control.by_position(STAGES) == counts
    assert len(control & neurons) == 0
    assert control == draw_random_control(SHAPE, STAGES, counts, excluded=neurons, seed=1)
    assert control != draw_random_control(SHAPE, STAGES, counts, excluded=neurons, seed=2)
    with pytest.raises(InputError, match="unusable seed"):
        draw_random_control(SHAPE, STAGES, counts, excluded=neurons, seed=-1)
    with pytest.raises(InputError, match="too few neurons"):
        draw_random_control(SHAPE, STAGES, {"gen": 1000}, excluded=neurons, seed=1)


def test_random_control_draws_from_the_sets_structures_and_never_its_switches():
    neurons = make(down0=list(range(11)), o0=[1])
    control = draw_random_control(SHAPE, STAGES, {"under": 12 + 1}, excluded=neurons, seed=0)
    assert set(control.by_structure()) == {"o", "up"}
    assert set(control.indices.get((0, "up"), np.empty(0)).tolist()) <= {11}


def test_random_control_draws_uniformly():
    empty = NeuronSet(SHAPE, {})
    hits = np.zeros(12)
    for seed in range(300):
        control = draw_random_control(SHAPE, Stages.of(8, 1, 1), {"under": 6}, excluded=empty, seed=seed)
        hits[control.indices.get((0, "up"), np.empty(0, int))] += 1
    # 6 of 28 neurons are drawn, so each is expected in 64 of 300 draws; 5 standard deviations are 36.
    assert abs(hits - 300 * 6 / 28).max() < 36


def test_default_stages_of_the_papers_models():
    assert Stages.of(32) == Stages(32, 8, 4)
    with pytest.raises(InputError, match="add up to at most 8"):
        Stages.of(8, 5, 4)


def test_positions_are_parsed():
    assert parse_positions("gen+under") == ("under", "gen")
    assert parse_positions("all") == POSITIONS
    with pytest.raises(InputError, match="unknown position"):
        parse_positions("under+middle")


def test_shape_survives_json():
    shape = ModelShape("gemma2", (SIZES, SIZES, {**SIZES, "up": 20}))
    assert ModelShape.from_json(shape.to_json()) == shape
    assert len(shape.to_json()["runs"]) == 2
