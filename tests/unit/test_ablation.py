"""Plans and stored cells: no model."""

import json
from dataclasses import replace

import pytest
from helpers.earlier_files import rewrite
from helpers.neuron_sets import ES, SHAPE, STAGES, ZH, make, places

from mwork_eval.application.matrix_arguments import check_task_data
from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.errors import InputError
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.plan import plan_cells, plan_masks
from mwork_eval.matrix.presets import find_preset
from mwork_eval.matrix.settings import Preset, Setting
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.stages import POSITIONS
from mwork_eval.results.store import CellStore, load_manifest
from mwork_eval.results.task_score import TaskScore


def own_preset(*settings):
    return Preset("mine", None, "", "xquad", settings)


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
        assert places(mask.neurons) == places(ZH.at(STAGES, ("under",)).strongest(3))
        assert len(mask.neurons & ZH) == 0
    for mask in by_name["R all"]:
        assert places(mask.neurons) == places(ZH.strongest(3))


def test_foreign_controls_have_no_neuron_of_the_language():
    known = replace(ZH, shared=make(q0=[0, 3, 4], up1=[0, 1, 3, 4, 7, 8]).indices)
    shared = NeuronSet(SHAPE, known.shared)
    drawn = {}
    for controls in ("any", "foreign"):
        masks = plan_masks(find_preset("existence"), {"zh": known}, STAGES, range(1, 9), controls)
        drawn[controls] = [mask.neurons for mask in masks["zh"] if mask.setting.random]
    assert [neurons.about["shared_hits"] for neurons in drawn["any"]] == [len(n & shared) for n in drawn["any"]]
    assert any(len(neurons & shared) for neurons in drawn["any"])
    assert not any(len(neurons & shared) for neurons in drawn["foreign"])


def test_a_position_without_neurons_is_an_error():
    with pytest.raises(InputError, match=r"es has no neuron at gen, which understanding needs"):
        plan_masks(find_preset("understanding"), {"es": make(q0=[1], up3=[2])}, STAGES, seeds=(1,))


def test_a_row_of_few_neurons_bounds_the_others():
    preset = own_preset(Setting(False, POSITIONS), Setting(True, ("gen",)))
    masks = plan_masks(preset, {"zh": ZH}, STAGES, seeds=(1,))
    assert [len(mask.neurons) for mask in masks["zh"]] == [3, 3]


def test_a_control_without_room_is_named():
    crowded = make(up7=list(range(12)))
    preset = own_preset(Setting(False, ("gen",)), Setting(True, ("gen",)))
    with pytest.raises(InputError, match=r"^mine, R gen, zh: too few neurons for a random control in layers.7.up"):
        plan_masks(preset, {"zh": crowded}, STAGES, seeds=(1,))


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
    assert families[0] == TaskFamily("xquad", ("en", "zh"), ("fr",), (1, 2, 3))
    assert families[1] == TaskFamily("bpb", ("en", "fr", "zh"), (), tuple(range(1, 21)))
    check_task_data(MatrixOptions(preset, ("xquad", "bpb"), ("en", "fr", "zh"), data="embedded"))
    assert caplog.messages == ["xquad has no fr; its averages are over en, zh"]
    assert MatrixOptions(preset, (), ("en", "zh")).families(*preset)[0].name == "xquad"
    with pytest.raises(InputError, match="expected en and at least one other"):
        MatrixOptions(preset, (), ("zh", "es")).families(*preset)
    with pytest.raises(InputError, match="xquad has none of the languages"):
        MatrixOptions(preset, ("xquad",), ("en", "fr")).families(*preset)


def test_a_cell_survives_the_disk(tmp_path):
    store = CellStore(tmp_path)
    identity = "a" * 64
    assert store.load(identity) is None
    score = TaskScore("bits_per_byte,none", False, ((1.5, 3.0), (2.5, 4.0)), {})
    store.save(identity, score, {"label": "x"}, [{"doc_id": 0, "doc": {"text": "文"}}, {"doc_id": 1}])
    assert store.load(identity) == score
    lines = store.path(identity).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line).get("doc_id") for line in lines] == [None, 0, 1]
    assert list(tmp_path.glob("cells/.*")) == []
    rewrite(store.path(identity), ('"version": 1', '"version": 2'))
    with pytest.raises(InputError, match="is damaged; found the header of another cell or version"):
        store.load(identity)
    store.path(identity).write_text(lines[0][:40])
    with pytest.raises(InputError, match="is damaged"):
        store.load(identity)


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
