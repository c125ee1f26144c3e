"""Layers that lack structures: in words, in profiles and reports, in controls and shapes."""

import json

import numpy as np
import pytest
from helpers.architectures import build

from mwork_eval.models.layout import Layout
from mwork_eval.neurons.missing_structures import describe_mixers, lacking_of, missing_in_words
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.random_control import draw_random_control
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.neurons.stages import POSITIONS, Stages
from mwork_eval.reports.html.figures import heat_maps, layer_lines
from mwork_eval.reports.plots import plot_heat, plot_layers
from mwork_eval.results.set_counts import count_sets
from mwork_eval.terminal.console import make_console
from mwork_eval.terminal.set_tables import print_profile
from mwork_eval.views.set_tables import profile_as_json

WHOLE = {"q": 8, "k": 4, "v": 4, "o": 8, "gate": 10, "up": 10, "down": 10}
FORWARD = {"gate": 10, "up": 10, "down": 10}
ATTENTION = {"q": 8, "k": 4, "v": 4, "o": 8}


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((WHOLE, WHOLE), []),
        (
            (FORWARD, FORWARD, FORWARD, WHOLE, FORWARD),
            ["layers 0-2, 4: no attention neurons (no q, k, v, o)"],
        ),
        ((FORWARD, FORWARD), ["layers 0-1: no attention neurons (no q, k, v, o)"]),
        (
            ({}, FORWARD, ATTENTION, {}),
            [
                "layers 0-1, 3: no attention neurons (no q, k, v, o)",
                "layers 0, 2-3: no feed-forward neurons (no gate, up, down)",
            ],
        ),
        ((WHOLE, {name: size for name, size in WHOLE.items() if name not in "kv"}), ["layer 1: no k, v"]),
        ((WHOLE, {name: size for name, size in WHOLE.items() if name != "gate"}), ["layer 1: no gate"]),
    ],
)
def test_what_layers_lack_in_words(sizes, expected):
    assert missing_in_words(sizes) == expected


def test_the_kind_of_a_mixer_is_told_where_it_is_known():
    about = describe_mixers([{"mixer": "linear attention"}, {}, {"mamba": "state space"}], [FORWARD, WHOLE, FORWARD])
    assert json.loads(json.dumps(about)) == about
    assert missing_in_words([FORWARD, WHOLE, FORWARD], about) == [
        "layer 0: linear attention (no q, k, v, o)",
        "layer 2: state space (no q, k, v, o)",
    ]
    # Both in one layer: it has neurons of attention.
    assert describe_mixers([{"mamba": "state space"}], [WHOLE]) == {}


@pytest.fixture(params=["qwen3_5_text", "nemotron_h", "gemma4_text", "lfm2_moe", "kimi_linear"])
def layout(request):
    return Layout.of(build(request.param))


def half_of(shape: ModelShape, start: int, **about) -> NeuronSet:
    places = {
        (layer, structure): np.arange(start, size, 3, dtype=np.int32)
        for layer, sizes in enumerate(shape.sizes)
        for structure, size in sizes.items()
        if structure not in ("gate", "down")
    }
    return NeuronSet(shape, places, about)


def test_shapes_with_holes_serve_controls_sets_and_profiles(layout, capsys):
    shape = layout.shape
    assert ModelShape.from_json(json.loads(json.dumps(shape.to_json()))) == shape
    about = describe_mixers(layout.other_mixers, shape.sizes)
    one, other = half_of(shape, 0, language="en", **about), half_of(shape, 1, language="zh")
    control = draw_random_control(other, excluded=other, seed=3)
    sizes = [{place: len(indices) for place, indices in found.indices.items()} for found in (other, control)]
    assert sizes[0] == sizes[1]
    assert len(control & other) == 0
    assert len((one | other) - one) == len(other)
    stages = Stages.of(shape.layers)
    assert sum(len(one.at(stages, (position,))) for position in POSITIONS) == len(one)
    counts = count_sets({"en": one, "zh": other})
    assert counts.lacking == lacking_of([other, one]) == tuple(missing_in_words(shape.sizes, about))
    assert counts.lacking
    print_profile(counts, stages, make_console())
    shown = " ".join(capsys.readouterr().out.split())
    assert all(line in shown for line in counts.lacking)
    assert json.loads(profile_as_json(counts, stages))["lacking"] == list(counts.lacking)
    for svg in (*heat_maps(counts).values(), layer_lines(counts, "attn", "Attention", stages)):
        assert "of 0 neurons" not in str(svg)


def test_figures_leave_out_what_a_layer_lacks():
    shape = ModelShape("x", (FORWARD, WHOLE, FORWARD, WHOLE))
    counts = count_sets({"en": half_of(shape, 0)})
    panels = plot_heat(counts).axes
    drawn = panels[0].images[0].get_array()
    assert np.ma.getmaskarray(drawn)[counts.structures.index("q")].tolist() == [True, False, True, False]
    lines = plot_layers(counts, Stages.of(4)).axes
    assert [list(axes.lines[0].get_xdata()) for axes in lines] == [[1, 3], [0, 1, 2, 3]]
