"""Tuning of the stage boundaries: grid, choice and report."""

import itertools
import json
import math

import pytest
from helpers.neuron_sets import EDGES, ZH, make
from helpers.task_scores import accuracy, bits
from rich.console import Console
from scipy.stats import t

from mwork_eval.errors import InputError
from mwork_eval.matrix.tuning import default_grid, judge_grid, plan_grid
from mwork_eval.neurons.stages import Stages
from mwork_eval.reports import plots
from mwork_eval.terminal.tuning import print_tuning
from mwork_eval.views import tuning as report


def test_the_default_grid_is_a_handful_around_the_default_boundaries():
    assert default_grid(32) == ((2, 4, 8, 12), (1, 2, 4, 6))
    assert default_grid(18) == ((1, 2, 4, 7), (1, 2, 3))
    assert default_grid(4) == ((1, 2), (1,))
    for layers in range(2, 130):
        understanding, generation = default_grid(layers)
        usual = Stages.of(layers)
        assert usual.understanding in understanding
        assert usual.generation in generation
        Stages(layers, max(understanding), max(generation))  # fits


def test_every_grid_point_deactivates_the_same_number_of_its_strongest():
    grid = plan_grid(ZH, EDGES, (1, 2), (1, 5))
    assert [point.boundaries for point in grid] == [(1, 1), (1, 5), (2, 1), (2, 5)]
    # layer 0 has 2 neurons, layer 1 has 3, layer 3 has 5, layer 7 has 3
    assert [point.available for point in grid] == [2 + 3, 2 + 5 + 3, 2 + 3 + 3, 13]
    assert [len(point.neurons) for point in grid] == [5] * 4
    assert grid[0].neurons == make(q0=[1, 2], v7=[1], up7=[3, 4])
    for point in grid:
        assert point.neurons == ZH.at(point.stages, EDGES).strongest(5)


def test_a_point_without_neurons_is_left_out_and_does_not_count_as_the_smallest():
    grid = plan_grid(make(q1=[1, 2], up2=[5]), EDGES, (1, 2, 3), (1,))
    assert [point.available for point in grid] == [0, 2, 3]
    assert grid[0].neurons is None
    assert [len(point.neurons) for point in grid[1:]] == [2, 2]


def test_a_grid_without_any_neuron_and_boundaries_that_do_not_fit_are_errors():
    with pytest.raises(InputError, match=r"no neuron at under\+gen under any boundaries of the grid"):
        plan_grid(make(q3=[1]), EDGES, (1, 2), (1, 2))
    with pytest.raises(InputError, match="stage boundaries do not fit the model"):
        plan_grid(ZH, EDGES, (1, 6), (1, 3))


@pytest.mark.parametrize(
    ("positions", "layers"),
    [
        (("under",), 2),
        (("gen",), 3),
        (EDGES, 5),
        (("s-ffn",), 3),
        (("s-attn", "s-ffn"), 3),
        (("under", "s-attn"), 5),
    ],
)
def test_masked_layers_are_those_the_positions_cover(positions, layers):
    everywhere = make(**{f"{structure}{layer}": [0] for structure in ("q", "up") for layer in range(8)})
    assert plan_grid(everywhere, positions, (2,), (3,))[0].layers == layers


def judge(masked, baseline=None, neurons=ZH):
    """Judge the grid (1, 2) x (1, 2) from masked scores of (zh, en) per point."""
    grid = plan_grid(neurons, EDGES, (1, 2), (1, 2))
    baseline = baseline or {"en": ALL, "zh": ALL}
    scores = {boundaries: {"zh": own, "en": english} for boundaries, (own, english) in masked.items()}
    return judge_grid(grid, baseline, scores, task="xquad", positions=EDGES)


ALL, HALF, NONE = accuracy(*[1] * 64), accuracy(*[1, 0] * 32), accuracy(*[0] * 64)
MOST = accuracy(*[0] * 56, *[1] * 8)


def test_the_highest_delta_is_chosen_whatever_its_layers():
    found = judge(
        {
            (1, 1): (HALF, ALL),  # zh -50, en 0: ∆ 50
            (1, 2): (NONE, HALF),  # zh -100, en -50: ∆ 50
            (2, 1): (ALL, ALL),  # 0
            (2, 2): (MOST, ALL),  # 87.5
        }
    )
    assert {at: delta.delta.value for at, delta in found.deltas.items()} == pytest.approx(
        {(1, 1): 50, (1, 2): 50, (2, 1): 0, (2, 2): 87.5}
    )
    assert found.best == (2, 2)
    assert found.stages == Stages(8, 2, 2)
    # 8 of 64 documents do not fall, so the interval of the best ends above 50
    assert (found.within, found.others) == (0, 3)
    assert found.tuned_on == {
        "task": "xquad",
        "language": "zh",
        "documents": 64,
        "items": [],
        "positions": "under+gen",
        "delta": pytest.approx(87.5),
    }


def test_equal_deltas_go_to_fewer_masked_layers_and_then_to_fewer_understanding_layers():
    best = {(1, 2): (NONE, HALF), (2, 1): (HALF, ALL), (2, 2): (HALF, ALL), (1, 1): (ALL, ALL)}
    for order in itertools.permutations(best):
        assert judge({at: best[at] for at in order}).best == (1, 2)
    assert judge({**best, (1, 1): (HALF, ALL)}).best == (1, 1)


def test_sums_that_differ_in_the_last_digit_are_equal():
    third = bits((1.0, 3.0), (1.0, 3.0))
    apart = bits((1.0 + 1e-14, 3.0), (1.0, 3.0))
    found = judge({(1, 1): (third, third), (2, 2): (apart, third)}, {"en": third, "zh": third})
    assert found.deltas[2, 2].delta.value != found.deltas[1, 1].delta.value
    assert found.best == (1, 1)


def test_more_bits_per_byte_in_the_language_make_a_higher_delta():
    before, worse = bits((10, 10), (20, 10)), bits((30, 10), (40, 10))
    found = judge({(1, 1): (before, worse), (1, 2): (worse, before)}, {"en": before, "zh": before})
    assert found.deltas[1, 1].delta.value == pytest.approx(-2)
    assert found.deltas[1, 2].delta.value == pytest.approx(2)
    assert found.best == (1, 2)
    assert found.scale.unit == "bits per byte"


def test_points_in_the_interval_of_the_best_are_counted():
    fewer = accuracy(*[0] * 28, *[1] * 36)
    found = judge({(1, 1): (HALF, ALL), (1, 2): (HALF, ALL), (2, 1): (fewer, ALL), (2, 2): (ALL, HALF)})
    best = found.deltas[found.best].delta
    # ∆ 50, 50, 43.75 and -50: two others in the interval of 50. Half of 64 answers fell, 32 of 128 documents.
    error = 50 / math.sqrt(63) * math.sqrt(1 + 2 / 32 * (1 - 32 / 128))
    assert best.low == pytest.approx(50 - t.ppf(0.975, 63) * error)
    assert (found.within, found.others) == (2, 3)
    assert "2 of 3 other pairs lie within this interval: between those and the best the choice is arbitrary" in (
        report.verdict(found)
    )


def test_points_of_documents_that_all_changed_alike_are_not_told_apart():
    third, worse = bits((1.0, 3.0), (1.0, 3.0)), bits((2.0, 3.0), (2.0, 3.0))
    hardly_less = bits((2.0 - 1e-14, 3.0), (2.0 - 1e-14, 3.0))
    found = judge({(1, 1): (worse, third), (2, 2): (hardly_less, third)}, {"en": third, "zh": third})
    best = found.deltas[found.best].delta
    assert best.low is best.high is None
    assert (found.within, found.others) == (1, 1)
    assert "Too few to tell the pairs apart: 2 clusters of documents" in report.verdict(found)


def test_a_flat_grid_is_called_arbitrary_and_a_single_point_no_comparison():
    flat = judge(dict.fromkeys([(1, 1), (1, 2), (2, 1), (2, 2)], (HALF, ALL)))
    assert "All 3 other pairs" in report.verdict(flat)
    assert "the grid is flat" in report.verdict(flat)
    assert "the choice is arbitrary" in report.verdict(flat)
    assert "nothing was compared" in report.verdict(judge({(2, 2): (HALF, ALL)}))
    clear = judge({(1, 1): (MOST, ALL), (2, 2): (ALL, ALL)})
    assert report.verdict(clear).endswith("0 of 1 other pairs lie within this interval.")


def partly_empty():
    """A grid whose first row has no neurons: the language's lie in layer 1."""
    return judge({(2, 1): (HALF, ALL), (2, 2): (NONE, ALL)}, neurons=make(q1=[1, 2]))


def test_the_terminal_shows_the_grid_with_empty_points_and_the_best_starred():
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    print_tuning(partly_empty(), console)
    lines = console.export_text().splitlines()
    assert any(line.split() == ["1", "no", "neurons", "no", "neurons"] for line in lines)
    (row,) = [line for line in lines if line.strip().startswith("2 ")]
    assert row.split("*")[1].split()[0] == "+100.0"
    assert row.split()[1] == "+50.0"
    assert "2 zh neurons deactivated at under+gen" in " ".join(lines)


def test_the_json_has_every_point():
    found = json.loads(report.tuning_as_json(partly_empty(), "tiny", "f"))
    assert (found["format"], found["version"], found["neurons"], found["documents"]) == ("mwork-tuning", 1, 2, 64)
    assert [(point["understanding"], point["generation"]) for point in found["grid"]] == [
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
    ]
    assert [point["delta"] and point["delta"]["delta"]["value"] for point in found["grid"]] == [None, None, 50, 100]
    assert [point["available"] for point in found["grid"]] == [0, 0, 2, 2]
    assert found["best"] == {"understanding": 2, "generation": 2}


def test_the_plot_shows_every_value_and_is_the_same_every_time(tmp_path):
    pytest.importorskip("matplotlib")
    svg, png = report.plot_tuning(partly_empty(), tmp_path)
    text = svg.read_text(encoding="utf-8")
    assert text.count(">no neurons<") == 2
    for shown in ("+50.0", "+100.0", "understanding layers", "generation layers"):
        assert f">{shown}<" in text
    assert png.read_bytes().startswith(b"\x89PNG")
    before = svg.read_bytes(), png.read_bytes()
    report.plot_tuning(partly_empty(), tmp_path)
    assert (svg.read_bytes(), png.read_bytes()) == before


def test_a_missing_matplotlib_names_the_pip_line(monkeypatch):
    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "mwork-eval\[plot\]"'):
        plots.require_matplotlib("--plot")
