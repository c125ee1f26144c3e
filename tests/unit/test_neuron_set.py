"""The neuron set: algebra, counts, positions, trimming, random controls."""

import copy
import operator
import pickle
from dataclasses import replace

import numpy as np
import pytest
from helpers.neuron_sets import SHAPE, SIZES, STAGES, beside, make, places

from mwork_eval.errors import InputError
from mwork_eval.neurons.neuron_set import NeuronSet, apportion
from mwork_eval.neurons.random_control import draw_random_control
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.neurons.stages import POSITIONS, Stages, parse_positions


def test_sets_join_meet_and_differ():
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


def test_either_and_not_both():
    assert (make(q0=[5, 1]) ^ make(q0=[1, 2], k1=[0])) == make(q0=[5, 2], k1=[0])


def test_neurons_are_members_and_can_be_gone_through():
    neurons = make(q0=[5, 1], gate2=[7], down2=[7, 3])
    assert list(neurons) == [(0, "q", 5), (0, "q", 1), (2, "up", 7), (2, "up", 3)]
    assert len(list(neurons)) == len(neurons)
    assert (0, "q", 1) in neurons
    assert (2, "up", 3) in neurons
    assert (2, "gate", 3) in neurons
    assert (0, "q", 2) not in neurons
    assert (1, "q", 1) not in neurons
    assert "q" not in neurons


def test_a_set_shows_as_one_line():
    described = make(q0=[5, 1], up2=[7]).described(model="tiny", language="zh")
    assert repr(described) == "<NeuronSet tiny zh: 3 neurons (1.34 %): q 2, up 1>"
    assert repr(make()) == "<NeuronSet: 0 neurons (0.00 %)>"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_set_can_be_copied_and_pickled(again):
    neurons = replace(make(q0=[5], up2=[7]).described(language="zh"), shared={(0, "q"): [1]})
    other = again(neurons)
    assert (other.digest, dict(other.about), other.shape) == (neurons.digest, dict(neurons.about), neurons.shape)
    assert {at: array.tolist() for at, array in other.shared.items()} == {(0, "q"): [1]}
    with pytest.raises(ValueError, match="read-only"):
        other.indices[0, "q"][0] = 3


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


def test_a_set_is_counted_and_cut_by_position():
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


def test_what_algebra_takes_away_is_shared():
    left = replace(make(q0=[5, 1, 3], up2=[7]), shared=make(k1=[2]).indices)
    right = replace(make(q0=[3, 6]), shared=make(q0=[5], v3=[0]).indices)
    assert beside(left - right) == make(k1=[2], q0=[3])
    assert beside(left & right) == make(k1=[2], q0=[5, 1], up2=[7])
    assert beside(left | right) == make(k1=[2], v3=[0])
    assert beside(left.strongest(2).at(STAGES, POSITIONS)) == make(k1=[2])
    assert left == make(q0=[1, 3, 5], up2=[7])
    assert left.digest == make(q0=[5, 1, 3], up2=[7]).digest
    assert len(left) == 4
    # what is not known cannot become known
    assert (make(q0=[5]) - right).shared is None
    assert (left | make(q0=[5])).shared is None
    with pytest.raises(InputError, match=r"layers\.0\.q: a neuron is in the set and beside it; found 1"):
        replace(make(q0=[5, 1]), shared=make(q0=[1]).indices)
    with pytest.raises(InputError, match="out of range"):
        NeuronSet(SHAPE, {}, {}, {(0, "q"): np.array([8])})


def test_random_control_has_as_many_of_every_layer_and_structure_and_none_of_the_set():
    neurons = make(q0=[1, 2], k0=[3], up1=[2], up3=[0, 1, 2], q7=[3]).described(language="zh")
    for seed in range(20):
        control = draw_random_control(neurons, excluded=neurons, seed=seed)
        assert places(control) == places(neurons)
        assert len(control & neurons) == 0
    control = draw_random_control(neurons, excluded=neurons, seed=1)
    assert control == draw_random_control(neurons, excluded=neurons, seed=1)
    assert control != draw_random_control(neurons, excluded=neurons, seed=2)
    with pytest.raises(InputError, match="unusable seed"):
        draw_random_control(neurons, excluded=neurons, seed=-1)
    crowded = make(k3=[0, 1, 2])
    with pytest.raises(InputError, match=r"random control in layers\.3\.k; found 1; expected 3"):
        draw_random_control(crowded, excluded=crowded, seed=1)


def test_random_control_of_a_part_is_a_part_and_avoids_the_whole_set():
    neurons = make(q0=[1, 2], up1=[2, 5, 6, 8], q7=[3])
    whole = draw_random_control(neurons, excluded=neurons, seed=4)
    part = draw_random_control(neurons.strongest(3), excluded=neurons, seed=4)
    assert len(part & whole) == len(part) == 3
    assert len(part & neurons) == 0


def test_random_control_never_draws_a_switch_of_the_set():
    neurons = make(down0=list(range(11)), o0=[1])
    control = draw_random_control(make(gate0=[4], o0=[1]), excluded=neurons, seed=0)
    assert places(control) == {(0, "up"): 1, (0, "o"): 1}
    assert control.indices[0, "up"].tolist() == [11]


def test_random_control_draws_uniformly():
    chosen = make(up0=[0, 1, 2, 3])
    hits = np.zeros(12)
    for seed in range(600):
        hits[draw_random_control(chosen, excluded=chosen, seed=seed).indices[0, "up"]] += 1
    assert hits[:4].sum() == 0
    # 4 of the 8 others are drawn, each in half of 600 draws; 5 standard deviations are 61.
    assert abs(hits[4:] - 300).max() < 61


def test_random_controls_of_two_languages_have_nothing_in_common_but_chance():
    """One seed for two languages gives independent draws, also of sets that are the same."""
    shape = ModelShape("llama", ({"q": 1000},) * 20)
    zh, de = (
        NeuronSet(shape, {(layer, "q"): np.arange(at, at + 20) for layer in range(20)}, {"language": language})
        for language, at in (("zh", 0), ("de", 400))
    )
    both, near = [], []
    for other in (de, zh.described(language="de"), NeuronSet(shape, de.indices, zh.about)):
        for seed in range(30):
            first = draw_random_control(zh, excluded=zh, seed=seed)
            second = draw_random_control(other, excluded=other, seed=seed)
            both.append(len(first & second))
            distances = [
                np.abs(first.indices[place][:, None] - second.indices[place][None]).min(1) for place in first.indices
            ]
            near.append(np.mean(np.concatenate(distances) <= 6))
    # 400 neurons, each drawn by the other with a chance of 20 in 980: 8 hits, and 2.8 one standard deviation of a pair
    # of draws. Within 6 indices lies one of the other's 20 with a chance of 1 - (1 - 13 / 1000) ** 20, about 0.23.
    assert abs(np.mean(both) - 8) < 1.5
    assert abs(np.mean(near) - 0.23) < 0.03
    assert np.std(both) > 1


def test_random_control_tells_hits_of_shared_neurons_and_can_avoid_them():
    indices = make(q0=[0, 1], up1=[2]).indices
    unknown = make(q0=[0, 1], up1=[2]).described(language="zh")
    known = NeuronSet(SHAPE, indices, unknown.about, make(q0=[2, 3, 4], gate1=list(range(3, 12))).indices)
    assert draw_random_control(unknown, excluded=unknown, seed=0).about["shared_hits"] is None
    shared, hits = beside(known), []
    for seed in range(60):
        control = draw_random_control(known, excluded=known, seed=seed)
        q = len(set(control.indices[0, "q"].tolist()) & {2, 3, 4})
        up = len(set(control.indices[1, "up"].tolist()) & set(range(3, 12)))
        assert control.about["shared_hits"] == q + up
        hits.append(q + up)
        foreign = draw_random_control(known, excluded=known, seed=seed, controls="foreign")
        assert foreign.about["shared_hits"] == 0
        assert foreign.about["controls"] == "foreign"
        assert set(foreign.indices[0, "q"].tolist()) <= {5, 6, 7}
        assert set(foreign.indices[1, "up"].tolist()) <= {0, 1}
        if q == 0:
            assert np.array_equal(foreign.indices[0, "q"], control.indices[0, "q"])
    # of q two of six, three of them shared; of up one of eleven, nine of them shared
    assert abs(np.mean(hits) - (2 * 3 / 6 + 9 / 11)) < 0.4
    assert len(shared) == 12
    with pytest.raises(InputError, match="the set of zh without shared neurons"):
        draw_random_control(unknown, excluded=unknown, seed=0, controls="foreign")
    with pytest.raises(InputError, match="unknown controls; found none; expected any or foreign"):
        draw_random_control(known, excluded=known, seed=0, controls="none")


@pytest.mark.parametrize("combine", [operator.and_, operator.or_, operator.sub, operator.xor])
@pytest.mark.parametrize("other", [3, {1, 2}, None, SHAPE])
def test_nothing_but_sets_combines_with_a_set(combine, other):
    with pytest.raises(TypeError, match="unsupported operand"):
        combine(make(q0=[1]), other)
    with pytest.raises(TypeError, match="unsupported operand"):
        combine(other, make(q0=[1]))


@pytest.mark.parametrize(
    "indices",
    [[1.5], [1.0], [float("nan")], [True, False], [0, True], (np.bool_(True),), ["1"], [None], [2**70],
     np.array([1.0, 2.0]), np.array([False, True])],
    ids=repr,
)  # fmt: skip
def test_indices_are_integers(indices):
    with pytest.raises(InputError, match=r"a neuron index in layers\.0\.q is no integer; found .*; expected integers"):
        NeuronSet(SHAPE, {(0, "q"): indices})
    with pytest.raises(InputError, match=r"is no integer"):
        NeuronSet(SHAPE, {}, shared={(0, "q"): indices})


def test_indices_may_be_any_integers_and_none_at_all():
    for indices in ([1, 2], (1, 2), range(1, 3), [np.int64(1), 2], np.array([1, 2], np.uint8)):
        assert NeuronSet(SHAPE, {(0, "q"): indices}) == make(q0=[1, 2])
    assert NeuronSet(SHAPE, {(np.int64(0), "q"): []}) == make()
    for layer in (0.5, True, None):
        with pytest.raises(InputError, match=f"neurons outside the model; found layer {layer}"):
            NeuronSet(SHAPE, {(layer, "q"): [1]})


@pytest.mark.parametrize("count", [-1, 1.5, float("nan"), True, None, "1"])
def test_strongest_takes_a_number_of_neurons(count):
    with pytest.raises(InputError, match=r"no number of neurons; found .*; expected 0 to 2"):
        make(q0=[1, 2]).strongest(count)
    assert len(make(q0=[1, 2]).strongest(np.int64(1))) == 1
    assert len(make(q0=[1, 2]).strongest(0)) == 0


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
