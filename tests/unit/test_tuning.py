"""Tuning of the stage boundaries: grid, choice, stored sets and their use by hand; the sweep on a tiny model."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from test_ablation import ES, ZH
from test_deltas import accuracy, bits
from test_neuron_set import SHAPE, make

from mwork_eval.ablation.cell_plan import TaskSource
from mwork_eval.ablation.identity import ModelFacts
from mwork_eval.ablation.matrix import plan_matrix
from mwork_eval.ablation.options import MatrixOptions
from mwork_eval.ablation.plan import TaskFamily
from mwork_eval.ablation.runner import run_matrix
from mwork_eval.ablation.settings import Preset, Setting
from mwork_eval.ablation.store import CellStore
from mwork_eval.ablation.sweep import plan_sweep, prepare_tuning, sweep_scores
from mwork_eval.ablation.tuning import default_grid, judge_grid, plan_grid
from mwork_eval.errors import InputError
from mwork_eval.harness.evaluate import evaluate_task
from mwork_eval.harness.model import MworkHF
from mwork_eval.neurons.files import load_neuron_set, save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.random_control import draw_random_control
from mwork_eval.neurons.stages import Stages
from mwork_eval.neurons.tuned_stages import stages_for, tuning_documents, with_stages
from mwork_eval.reports import plots
from mwork_eval.reports import tuning as report

EDGES = ("under", "gen")


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
    baseline = baseline or {"en": accuracy(1, 1, 1, 1), "zh": accuracy(1, 1, 1, 1)}
    scores = {boundaries: {"zh": own, "en": english} for boundaries, (own, english) in masked.items()}
    return judge_grid(grid, baseline, scores, task="xquad", positions=EDGES)


ALL, HALF, NONE = accuracy(1, 1, 1, 1), accuracy(1, 1, 0, 0), accuracy(0, 0, 0, 0)


def test_the_highest_delta_is_chosen_whatever_its_layers():
    found = judge(
        {
            (1, 1): (HALF, ALL),  # zh -50, en 0: ∆ 50
            (1, 2): (NONE, HALF),  # zh -100, en -50: ∆ 50
            (2, 1): (ALL, ALL),  # 0
            (2, 2): (NONE, ALL),  # 100
        }
    )
    assert {at: delta.delta.value for at, delta in found.deltas.items()} == pytest.approx(
        {(1, 1): 50, (1, 2): 50, (2, 1): 0, (2, 2): 100}
    )
    assert found.best == (2, 2)
    assert found.stages == Stages(8, 2, 2)
    # all four documents fall alike, so the interval of the best has no width and nothing else is in it
    assert (found.within, found.others) == (0, 3)
    assert found.tuned_on == {
        "task": "xquad",
        "language": "zh",
        "documents": 4,
        "positions": "under+gen",
        "delta": pytest.approx(100),
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
    found = judge({(1, 1): (HALF, ALL), (1, 2): (HALF, ALL), (2, 1): (accuracy(1, 1, 1, 0), ALL), (2, 2): (ALL, HALF)})
    best = found.deltas[found.best].delta
    assert best.low <= 25 < best.value
    # ∆ 50, 50, 25 and -50: two others in the interval of 50, which ends at 0
    assert best.low == 0
    assert (found.within, found.others) == (2, 3)
    assert "2 of 3 other pairs lie within this interval: between those and the best the choice is arbitrary" in (
        report.verdict(found)
    )


def test_equal_points_lie_in_an_interval_without_width():
    third, worse = bits((1.0, 3.0), (1.0, 3.0)), bits((2.0, 3.0), (2.0, 3.0))
    hardly_less = bits((2.0 - 1e-14, 3.0), (2.0 - 1e-14, 3.0))
    found = judge({(1, 1): (worse, third), (2, 2): (hardly_less, third)}, {"en": third, "zh": third})
    best = found.deltas[found.best].delta
    assert best.low == best.high > found.deltas[2, 2].delta.value
    assert (found.within, found.others) == (1, 1)


def test_a_flat_grid_is_called_arbitrary_and_a_single_point_no_comparison():
    flat = judge(dict.fromkeys([(1, 1), (1, 2), (2, 1), (2, 2)], (HALF, ALL)))
    assert "All 3 other pairs" in report.verdict(flat)
    assert "the grid is flat" in report.verdict(flat)
    assert "the choice is arbitrary" in report.verdict(flat)
    assert "nothing was compared" in report.verdict(judge({(2, 2): (HALF, ALL)}))
    clear = judge({(1, 1): (NONE, ALL), (2, 2): (ALL, ALL)})
    assert report.verdict(clear).endswith("0 of 1 other pairs lie within this interval.")


def partly_empty():
    """A grid whose first row has no neurons: the language's lie in layer 1."""
    return judge({(2, 1): (HALF, ALL), (2, 2): (NONE, ALL)}, neurons=make(q1=[1, 2]))


def test_the_terminal_shows_the_grid_with_empty_points_and_the_best_starred():
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    report.print_tuning(partly_empty(), console)
    lines = console.export_text().splitlines()
    assert any(line.split() == ["1", "no", "neurons", "no", "neurons"] for line in lines)
    (row,) = [line for line in lines if line.strip().startswith("2 ")]
    assert row.split("*")[1].split()[0] == "+100.0"
    assert row.split()[1] == "+50.0"
    assert "2 zh neurons deactivated at under+gen" in " ".join(lines)


def test_the_json_has_every_point():
    found = json.loads(report.tuning_as_json(partly_empty(), "tiny", "f"))
    assert (found["format"], found["version"], found["neurons"], found["documents"]) == ("mwork-tuning", 1, 2, 4)
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


TUNED_ON = {"task": "xquad", "language": "zh", "documents": 16, "positions": "under+gen", "delta": 12.5}


def test_a_set_keeps_its_tuned_stages_on_disk(tmp_path):
    save_neuron_set(with_stages(ZH.described(language="zh"), Stages(8, 3, 2), TUNED_ON), tmp_path / "zh.safetensors")
    found = load_neuron_set(tmp_path / "zh.safetensors")
    assert found == ZH
    assert found.about == {"language": "zh", "stages": {"understanding": 3, "generation": 2, "tuned_on": TUNED_ON}}
    assert stages_for([found], 8) == Stages(8, 3, 2)
    assert tuning_documents([found.about]) == {"xquad": 16}


def test_given_boundaries_win_over_stored_ones_and_stored_ones_over_the_default():
    tuned = [with_stages(neurons, Stages(8, 3, 2), TUNED_ON) for neurons in (ZH, ES)]
    assert stages_for(tuned, 8, understanding=1) == Stages(8, 1, 2)
    assert stages_for(tuned, 8, generation=4) == Stages(8, 3, 4)
    assert stages_for(tuned, 8, 0, 0) == Stages(8, 0, 0)
    assert stages_for([ZH, ES], 8) == stages_for([], 8) == Stages.of(8)
    assert tuning_documents([ZH.about, ES.about]) == {}


def test_sets_that_store_different_boundaries_need_given_ones():
    zh = with_stages(ZH.described(language="zh"), Stages(8, 3, 2), TUNED_ON)
    for other, named in ((with_stages(ES, Stages(8, 2, 2), TUNED_ON), "2 understanding"), (ES, "a set none")):
        with pytest.raises(InputError, match=f"different stage boundaries; found zh 3 understanding.*{named}"):
            stages_for([zh, other], 8, understanding=1)
        assert stages_for([zh, other], 8, 1, 1) == Stages(8, 1, 1)
    more = with_stages(ES, Stages(8, 3, 2), {**TUNED_ON, "documents": 20})
    assert tuning_documents([zh.about, more.about, ES.about]) == {"xquad": 20}


@pytest.fixture(scope="module")
def model(tiny_llama) -> MworkHF:
    return MworkHF(str(tiny_llama), device="cpu", batch_size=4)


@pytest.fixture(scope="module")
def sweep(model):
    """A grid on the tiny model's 4 layers in which every other point repeats a mask, and its plan."""
    shape = model.layout.shape
    found = draw_random_control(shape, Stages(4, 1, 1), {"under": 6, "gen": 9}, excluded=NeuronSet(shape, {}), seed=5)
    # layer 1 has no neuron, so one or two understanding layers are the same
    grid = plan_grid(found, EDGES, (1, 2), (0, 1))
    source = TaskSource(("bpb_en", "bpb_zh"), "embedded", 2)
    family = TaskFamily("bpb", ("en", "zh"))
    return grid, plan_sweep(ModelFacts.of(model, "tiny"), grid, family, EDGES, source, prepare_tuning(source))


def test_equal_masks_and_the_baseline_are_scored_once(sweep):
    grid, plan = sweep
    assert grid[0].neurons == grid[2].neurons
    assert grid[1].neurons == grid[3].neurons
    assert len(plan.cells) == 2 + 4 * 2
    assert [cell.label for cell in plan.distinct.values()] == [
        "baseline · bpb_en",
        "baseline · bpb_zh",
        "1 + 0 layers · bpb_en",
        "1 + 0 layers · bpb_zh",
        "1 + 1 layers · bpb_en",
        "1 + 1 layers · bpb_zh",
    ]


def test_a_sweep_scores_what_a_model_with_that_mask_scores_and_goes_on_after_an_interruption(
    model, sweep, tiny_llama, tmp_path
):
    grid, plan = sweep
    store = CellStore(tmp_path)

    def interrupt(label: str, done: int) -> None:
        if (label, done) == ("1 + 0 layers · bpb_zh", 0):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_matrix(model, plan, tmp_path, advance=interrupt)
    with pytest.raises(InputError, match="a score of the sweep is gone"):
        sweep_scores(plan, store)
    assert run_matrix(model, plan, tmp_path) == 3
    baseline, masked = sweep_scores(plan, store)
    assert model.masked is None
    assert masked[1, 0] == masked[2, 0]

    fresh = MworkHF(str(tiny_llama), device="cpu", batch_size=4)
    for language in ("en", "zh"):
        assert evaluate_task(fresh, plan.tasks[f"bpb_{language}"])[0].documents == baseline[language].documents
    for point in grid[:2]:
        fresh.mask(point.neurons)
        for language in ("en", "zh"):
            expected = evaluate_task(fresh, plan.tasks[f"bpb_{language}"])[0]
            assert expected.documents == masked[point.boundaries][language].documents
    assert len({masked[1, 0]["zh"].score, masked[1, 1]["zh"].score, baseline["zh"].score}) == 3


def test_a_matrix_of_tuned_sets_takes_their_stages_and_leaves_their_documents_out(model):
    facts, layers = ModelFacts.of(model, "tiny"), model.layout.shape.layers
    everywhere = NeuronSet(
        facts.shape,
        {(layer, structure): np.arange(3) for layer in range(layers) for structure in ("q", "up")},
        {"fingerprint": facts.fingerprint},
    )
    tuned = with_stages(everywhere, Stages(layers, 2, 1), {**TUNED_ON, "task": "bpb", "documents": 3})
    table = Preset("own", None, "", "bpb", (Setting(random=False, positions=EDGES),))
    options = MatrixOptions((table,), ("bpb", "xcsqa"), ("en", "zh"), limit=2, data="embedded")

    def planned(neurons: NeuronSet, **given: int):
        plan = plan_matrix(facts, {"zh": neurons}, replace(options, **given))
        documents = {}
        for name, task in plan.tasks.items():
            every = list(task.task.eval_docs)
            documents[name] = sorted({every.index(instance.doc) for instance in task.task.instances})
        return plan.stages, documents

    first, after = [0, 1], [3, 4]
    assert planned(tuned) == (
        Stages(layers, 2, 1),
        {"bpb_en": after, "bpb_zh": after, "xcsqa_en": first, "xcsqa_zh": first},
    )
    assert planned(tuned, understanding_layers=1, generation_layers=0)[0] == Stages(layers, 1, 0)
    assert planned(everywhere) == (
        Stages.of(layers),
        {"bpb_en": first, "bpb_zh": first, "xcsqa_en": first, "xcsqa_zh": first},
    )


@pytest.mark.parametrize("limit", [5000, None])
def test_tuning_on_every_document_leaves_none_for_the_tables(limit):
    with pytest.raises(InputError, match=rf"tuning on {limit or 'all'} documents of bpb_en leaves none for the tables"):
        prepare_tuning(TaskSource(("bpb_en", "bpb_zh"), "embedded", limit))


def test_the_example_shape_has_eight_layers():
    assert SHAPE.layers == 8
