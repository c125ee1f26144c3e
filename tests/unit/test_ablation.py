"""Presets, plans, stored cells, deltas and reports: hand-worked numbers, no model."""

import json
import math

import numpy as np
import pytest
from rich.console import Console
from test_neuron_set import SHAPE, STAGES, make

from mwork_eval.ablation.deltas import DeltaCalculator
from mwork_eval.ablation.options import MatrixOptions
from mwork_eval.ablation.plan import TaskFamily, plan_cells, plan_masks
from mwork_eval.ablation.presets import find_preset, load_presets
from mwork_eval.ablation.store import CellStore, load_manifest, save_manifest
from mwork_eval.errors import InputError
from mwork_eval.harness.task_score import TaskScore
from mwork_eval.reports.as_json import as_json
from mwork_eval.reports.markdown import as_markdown
from mwork_eval.reports.results import read_results
from mwork_eval.reports.terminal import print_results

ZH = make(q0=[1, 2], up1=[2, 5, 6], q3=[4], up3=[0, 1, 2, 3], v7=[1], up7=[3, 4])
ES = make(q0=[3], up1=[7], q4=[4], up4=[0], up7=[5])


def accuracy(*correct: int) -> TaskScore:
    return TaskScore("acc,none", True, tuple((float(c), 1.0) for c in correct), {"acc,none": 0.0})


def bits(*documents: tuple[float, float]) -> TaskScore:
    return TaskScore("bits_per_byte,none", False, documents, {})


def test_presets_are_the_papers_tables():
    presets = load_presets()
    assert {name: preset.table for name, preset in presets.items()} == {
        "existence": 1,
        "understanding": 2,
        "reasoning": 3,
        "knowledge": 4,
        "generation": 5,
    }
    assert [setting.name for setting in presets["understanding"].settings] == [
        "R under",
        "R all",
        "LS s-attn + s-ffn",
        "LS gen",
        "LS under",
    ]
    assert [setting.name for setting in presets["reasoning"].settings][-1] == "LS under + s-ffn + gen"
    with pytest.raises(InputError, match="unknown preset; found 'thinking'; expected one of existence"):
        find_preset("thinking")


def test_every_setting_deactivates_the_same_number():
    masks = plan_masks(find_preset("understanding"), {"zh": ZH, "es": ES}, STAGES, seeds=(1, 2, 3))
    assert {len(mask.neurons) for mask in masks["zh"]} == {3}
    assert {len(mask.neurons) for mask in masks["es"]} == {1}
    by_name = {}
    for mask in masks["zh"]:
        by_name.setdefault(mask.setting.name, []).append(mask)
    assert [mask.seed for mask in by_name["R under"]] == [1, 2, 3]
    assert by_name["LS gen"][0].neurons == make(v7=[1], up7=[3, 4])
    assert by_name["LS s-attn + s-ffn"][0].neurons == make(q3=[4], up3=[0, 1])
    for mask in by_name["R under"]:
        assert mask.neurons.by_position(STAGES) == {"under": 3, "s-attn": 0, "s-ffn": 0, "gen": 0}
        assert len(mask.neurons & ZH) == 0
    for mask in by_name["R all"]:
        assert mask.neurons.by_position(STAGES) == ZH.strongest(3).by_position(STAGES)


def test_a_position_without_neurons_is_an_error():
    with pytest.raises(InputError, match=r"es has no neuron at gen, which understanding needs"):
        plan_masks(find_preset("understanding"), {"es": make(q0=[1], up3=[2])}, STAGES, seeds=(1,))


def test_cells_of_a_matrix():
    masks = plan_masks(find_preset("existence"), {"zh": ZH, "es": ES}, STAGES, seeds=(1, 2))
    families = [TaskFamily("xquad", ("en", "zh", "es")), TaskFamily("x_{l}_y", ("en", "zh"), ("es",))]
    cells = list(plan_cells(masks, families))
    assert [cell.task for cell in cells[:5]] == ["xquad_en", "xquad_zh", "xquad_es", "x_en_y", "x_zh_y"]
    assert all(cell.mask is None for cell in cells[:5])
    # 3 masks per language (LS, R with 2 seeds); zh has two benchmarks, es one; own language and English each
    assert len(cells) == 5 + 3 * (2 + 1) * 2
    assert [cell.label for cell in cells[5:7]] == ["LS all · zh · xquad_zh", "LS all · zh · xquad_en"]
    assert cells[-1].label == "R all · es seed 2 · xquad_en"


def test_options_name_what_a_benchmark_lacks(caplog):
    preset = (find_preset("understanding"),)
    families = MatrixOptions(preset, ("xquad", "bpb"), ("en", "fr", "zh")).families(*preset)
    assert families[0] == TaskFamily("xquad", ("en", "zh"), ("fr",))
    assert families[1] == TaskFamily("bpb", ("en", "fr", "zh"))
    assert "xquad has no ('fr',)" in caplog.text
    assert MatrixOptions(preset, (), ("en", "zh")).families(*preset)[0].name == "xquad"
    with pytest.raises(InputError, match="expected en and at least one other"):
        MatrixOptions(preset, (), ("zh", "es")).families(*preset)
    with pytest.raises(InputError, match="xquad has none of the languages"):
        MatrixOptions(preset, ("xquad",), ("en", "fr")).families(*preset)


def test_deltas_by_hand():
    calculator = DeltaCalculator({"en": accuracy(1, 1, 1, 0), "zh": accuracy(1, 1, 0, 0), "es": accuracy(1, 1, 1, 1)})
    delta = calculator.delta(
        {
            "zh": [(accuracy(0, 0, 0, 0), accuracy(1, 1, 0, 0))],  # zh -50, en -25
            "es": [(accuracy(1, 1, 1, 0), accuracy(1, 1, 1, 1))],  # es -25, en +25
        }
    )
    assert delta.delta_non_eng.value == pytest.approx((-50 - 25) / 2)
    assert delta.delta_eng.value == pytest.approx(0)
    assert delta.delta.value == pytest.approx(37.5)
    assert delta.eng == pytest.approx(75)
    assert delta.non_eng == pytest.approx(37.5)
    assert delta.by_language["zh"] == pytest.approx((-50, -25))
    assert delta.documents == {"en": 4, "zh": 4, "es": 4}
    assert delta.delta.low <= 37.5 <= delta.delta.high


def test_bits_per_byte_turn_the_sign():
    calculator = DeltaCalculator({"en": bits((10, 10), (20, 20)), "zh": bits((30, 10), (10, 10))})
    delta = calculator.delta({"zh": [(bits((40, 10), (20, 10)), bits((10, 10), (20, 20)))]})
    assert calculator.baseline == {"en": 1.0, "zh": 2.0}
    assert delta.delta_non_eng.value == pytest.approx(-1.0)
    assert delta.delta_eng.value == 0
    assert delta.delta.value == pytest.approx(1.0)
    # every document lost exactly one bit per byte, so no resample can differ
    assert delta.delta.low == delta.delta.high == pytest.approx(1.0)


def test_scores_that_are_no_shares_are_left_as_they_are():
    percent = TaskScore("chrf,none", True, ((40.0, 1.0), (60.0, 1.0)), {})
    calculator = DeltaCalculator({"en": percent, "zh": percent})
    assert calculator.baseline == {"en": 50, "zh": 50}
    assert calculator.scale.unit == "units"


def test_random_controls_keep_their_spread():
    calculator = DeltaCalculator({"en": accuracy(1, 1), "zh": accuracy(1, 1)})
    delta = calculator.delta(
        {"zh": [(accuracy(1, 0), accuracy(1, 1)), (accuracy(1, 1), accuracy(1, 1)), (accuracy(0, 0), accuracy(1, 1))]}
    )
    assert delta.by_seed == pytest.approx((50, 0, 100))
    assert delta.delta.value == pytest.approx(50)


def test_other_documents_are_refused():
    calculator = DeltaCalculator({"en": accuracy(1, 1), "zh": accuracy(1, 1)})
    with pytest.raises(ValueError, match="1 masked and 2 baseline"):
        calculator.delta({"zh": [(accuracy(1), accuracy(1, 1))]})


def test_intervals_cover_the_truth_in_paired_data():
    """With 60 paired documents whose true difference is known, about 95 % of the intervals contain it."""
    generator = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        before = generator.random(60) < 0.7
        after = before & (generator.random(60) < 0.6)  # true difference -0.28
        calculator = DeltaCalculator({"en": accuracy(*[1] * 60), "zh": accuracy(*before)})
        found = calculator.delta({"zh": [(accuracy(*after), accuracy(*[1] * 60))]}).delta_non_eng
        hits += found.low <= -28 <= found.high
    assert hits >= 180  # 190 expected, standard deviation 3


def test_a_cell_survives_the_disk(tmp_path):
    store = CellStore(tmp_path)
    identity = "a" * 64
    assert store.load(identity) is None
    score = bits((1.5, 3.0), (2.5, 4.0))
    store.save(identity, score, {"label": "x"}, [{"doc_id": 0, "doc": {"text": "文"}}, {"doc_id": 1}])
    assert store.load(identity) == score
    lines = store.path(identity).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line).get("doc_id") for line in lines] == [None, 0, 1]
    assert list(tmp_path.glob("cells/.*")) == []
    store.path(identity).write_text(lines[0][:40])
    with pytest.raises(InputError, match="is damaged"):
        store.load(identity)


def manifest_of(cells):
    return {
        "format": "mwork-ablation",
        "version": 1,
        "model": "tiny <b>",
        "fingerprint": "f",
        "stages": {"layers": 4, "understanding": 1, "generation": 1},
        "languages": ["en", "zh"],
        "limit": 2,
        "seeds": [1],
        "versions": {},
        "sets": {"zh": {"digest": "d", "total": 5, "by_position": {}, "of": 1000, "about": {}}},
        "tasks": [{"name": "xquad", "languages": ["en", "zh"], "missing": ["fr"]}],
        "presets": [
            {
                "name": "existence",
                "table": 1,
                "ability": "x",
                "settings": [
                    {"name": "R all", "random": True, "positions": ["under", "s-attn", "s-ffn", "gen"]},
                    {"name": "LS all", "random": False, "positions": ["under", "s-attn", "s-ffn", "gen"]},
                ],
                "counts": {"zh": 5},
            }
        ],
        "cells": [
            {
                "preset": "existence",
                "setting": setting,
                "mask_language": setting and "zh",
                "seed": seed,
                "task": "xquad",
                "language": language,
                "identity": identity,
            }
            for setting, seed, language, identity in cells
        ],
    }


@pytest.fixture
def results(tmp_path):
    cells = [
        (None, None, "en", "1"),
        (None, None, "zh", "2"),
        ("LS all", None, "zh", "3"),
        ("LS all", None, "en", "4"),
        ("R all", 1, "zh", "5"),
        ("R all", 1, "en", "6"),
    ]
    save_manifest(tmp_path, manifest_of(cells))
    store = CellStore(tmp_path)
    for identity, score in zip("12345", [(1, 1), (1, 0), (0, 0), (1, 0), (1, 0)], strict=True):
        store.save(identity, accuracy(*score), {}, [])
    return tmp_path


def test_a_report_of_an_unfinished_matrix_shows_what_there_is(results):
    found = read_results(results)
    table = found.tables[0]
    assert found.unfinished == 1
    assert table.rows[0].delta is None
    assert table.rows[1].delta.delta.value == pytest.approx(0)
    assert table.baseline == {"en": 100, "zh": 50}
    console = Console(width=60, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    print_results(found, console)
    text = console.export_text()
    assert "1 cells are not computed yet" in text
    assert "LS all" in text
    assert "tiny <b>" in text


def test_the_report_formats_show_the_same_numbers(results):
    CellStore(results).save("6", accuracy(1, 1), {}, [])
    found = read_results(results)
    markdown = as_markdown(found)
    assert "| R all | ✗ | ✗ | ✗ | ✗ | 100.0 | 50.0 |" in markdown
    assert "| LS all | ✗ | ✗ | ✗ | ✗ | 50.0 | 0.0 | -50.0 [" in markdown
    assert "xquad has no fr" in markdown
    assert "documents: en 2, zh 2" in markdown
    report = json.loads(as_json(found))
    row = report["tables"][0]["rows"][1]
    assert row["delta"]["delta_eng"]["value"] == pytest.approx(-50)
    assert row["delta"]["delta_non_eng"]["value"] == pytest.approx(-50)
    assert row["delta"]["delta"]["value"] == pytest.approx(0)
    assert len(report["cells"]) == 6
    assert not any(isinstance(cell["score"], float) and math.isnan(cell["score"]) for cell in report["cells"])


def test_a_folder_without_results(tmp_path):
    with pytest.raises(InputError, match="holds no ablation results"):
        load_manifest(tmp_path)
    for text, message in (("{", "damaged"), ("{}", "another kind")):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(InputError, match=message):
            load_manifest(tmp_path)


def test_the_shape_of_the_example_sets():
    assert ZH.by_position(STAGES) == {"under": 5, "s-attn": 1, "s-ffn": 4, "gen": 3}
    assert SHAPE.layers == STAGES.layers
