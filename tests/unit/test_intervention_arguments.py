"""Interventions where they are asked for: models of lm-eval, blocks, presets, checkpoints; and their errors."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import make_model, make_tokenizer
from helpers.neuron_sets import SHAPE, STAGES, ZH, make
from helpers.slow_interventions import carrier
from lm_eval.api.instance import Instance

import mwork_eval as mw
from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.checkpoints.edit import Edit
from mwork_eval.errors import InputError
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.lm.mask_arguments import MaskArguments
from mwork_eval.lm.model import MworkHF
from mwork_eval.lm.vllm.weights import EditableWeights
from mwork_eval.matrix.manifest import _describe_preset
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.plan import Cell, Mask, plan_masks
from mwork_eval.matrix.presets import find_presets
from mwork_eval.matrix.settings import Setting
from mwork_eval.matrix.whole import check_interventions
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.results.manifest import SettingEntry
from mwork_eval.results.table_cells import TableCells
from mwork_eval.vllm_plugin.stream import edited
from mwork_eval.vllm_plugin.wire import to_wire

TEXTS = ["scale:0.5", "mean", "towards:de", "residual:de:from=zh:layers=0-1"]


@pytest.fixture(scope="module")
def model():
    return make_model("llama")


@pytest.fixture(scope="module")
def neurons(model):
    return carrier(Layout.of(model).shape, model.config.hidden_size)


def of_lm_eval(model, **options):
    return MworkHF(model, tokenizer=make_tokenizer(), batch_size=2, **options)


def answers(lm):
    pairs = [("The capital of France is", f" {word}") for word in ("Paris", "London", "a city")]
    pairs += [("Water is", " wet"), ("水是", "湿的")]
    asked = [Instance("loglikelihood", {}, pair, number) for number, pair in enumerate(pairs)]
    options = {"until": ["\n"], "max_gen_toks": 8, "do_sample": False}
    prompts = [Instance("generate_until", {}, (pair[0], options), number) for number, pair in enumerate(pairs)]
    return lm.loglikelihood(asked, disable_tqdm=True), lm.generate_until(prompts, disable_tqdm=True)


@pytest.mark.parametrize("text", TEXTS)
def test_the_fast_way_is_lm_evals_own(text, model, neurons):
    fast, slow = of_lm_eval(model, fast=True), of_lm_eval(model, fast=False)
    without = answers(fast)
    assert fast._forward() is not None
    found = []
    for lm in (fast, slow):
        lm.mask(Intervention.of(neurons, text))
        found.append(answers(lm))
        lm.unmask()
    (scores, texts), (expected, expected_texts) = found
    assert texts == expected_texts
    assert [greedy for _, greedy in scores] == [greedy for _, greedy in expected]
    assert [score for score, _ in scores] == pytest.approx([score for score, _ in expected], rel=1e-4)
    assert [score for score, _ in scores] != pytest.approx([score for score, _ in without[0]], rel=1e-3)
    assert answers(fast) == without


@pytest.mark.parametrize("text", TEXTS)
def test_an_argument_of_the_model_is_the_intervention(text, model, neurons, tmp_path):
    save_neuron_set(neurons, tmp_path / "zh.safetensors")
    lm = of_lm_eval(model, neurons=str(tmp_path / "zh.safetensors"), intervention=text, force=True)
    try:
        expected = Intervention.of(neurons, text)
        assert lm.masked["digest"] == expected.digest
        assert lm.masked["intervention"] == text
        assert json.loads(json.dumps(lm.get_model_info()["mwork"]["masked"]))["kind"] == expected.kind
    finally:
        lm.unmask()


def test_wrong_arguments_are_one_line_before_a_model_is_loaded(neurons, tmp_path):
    save_neuron_set(replace(neurons, activations={}), tmp_path / "zh.safetensors")
    plain = str(tmp_path / "zh.safetensors")
    for arguments, message in (
        ({"intervention": "scale:0.5"}, "intervention is done to neurons of a set"),
        ({"neurons": plain, "intervention": "towards:de"}, "a set without activations; expected mean.de; detect again"),
        ({"neurons": plain, "intervention": "halve"}, "unknown kind of intervention"),
    ):
        with pytest.raises(InputError, match=message):
            MaskArguments(**arguments).found()
        with pytest.raises(InputError, match=message):
            MworkHF("no-such-model", **arguments)
    with pytest.raises(InputError, match="intervention choose from a set"):
        mw.evaluate("no-such-model", tasks=["bpb_zh"], intervention="scale:0.5")
    with pytest.raises(InputError, match=r"cannot be written into weights; found mean; expected zero or scale:FACTOR"):
        mw.export("no-such-model", neurons, out=tmp_path / "out", intervention="mean")
    with pytest.raises(InputError, match="cannot be written into weights; found towards:de"):
        EditableWeights("no-such-model").state(None, Intervention.of(neurons, "towards:de"))


def logits(model):
    with torch.no_grad():
        return model(torch.arange(5, 25)[None]).logits


def stop_if(condition):
    if condition:
        raise RuntimeError("stop")


def test_blocks_of_any_kinds_nest_and_come_undone(model, neurons):
    other = replace(neurons, indices=carrier(neurons.shape, 64, seed=3).indices) - neurons
    before, untouched = {name: t.clone() for name, t in model.state_dict().items()}, logits(model)
    layout = Layout.of(model)
    with Intervention.of(neurons, "zero").apply(layout):
        zeroed = logits(model)
        with Intervention.of(other, "towards:de").apply(layout):
            both = logits(model)
    with mw.intervened(model, neurons), mw.intervened(model, other, "towards:de") as same:
        assert same is model
        assert torch.equal(logits(model), both)
    with mw.deactivated(model, neurons):
        assert torch.equal(logits(model), zeroed)
        with pytest.raises(RuntimeError, match="stop"), mw.intervened(model, other, "residual:de"):
            stop_if(not torch.equal(logits(model), zeroed))
        assert torch.equal(logits(model), zeroed)
    outer, inner = mw.intervened(model, other, "towards:de"), mw.intervened(model, neurons, "scale:0.5")
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)  # in the wrong order
    inner.__exit__(None, None, None)
    assert torch.equal(logits(model), untouched)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


PRESET = """\
halved:
  task: xquad
  settings:
    - {random: true, positions: under}
    - {random: true, positions: under, intervention: "scale:0.50"}
    - {random: false, positions: under}
    - {random: false, positions: under, intervention: "scale:0.5"}
    - {random: false, positions: under, intervention: "mean"}
"""


def test_rows_of_a_preset_say_what_is_done(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(PRESET, encoding="utf-8")
    (preset,) = find_presets([str(path)])
    names = [setting.name for setting in preset.settings]
    assert names == ["R under", "R under · scale:0.5", "LS under", "LS under · scale:0.5", "LS under · mean"]
    entries = [
        SettingEntry(name=s.name, random=s.random, positions=s.positions, intervention=s.intervention)
        for s in preset.settings
    ]
    controls = TableCells.controls.fget(type("T", (), {"preset": type("P", (), {"settings": entries})})())
    assert controls == {"LS under": "R under", "LS under · scale:0.5": "R under · scale:0.5", "LS under · mean": None}
    with pytest.raises(InputError, match=r"halved, LS under · mean, zh: .*a set without activations"):
        check_interventions({"zh": ZH.described(language="zh")}, MatrixOptions((preset,), (), ("en", "zh")))
    path.write_text(PRESET.replace('"mean"', "halve"), encoding="utf-8")
    with pytest.raises(InputError, match=r"own.yaml:8: unknown kind of intervention; found halve"):
        find_presets([str(path)])
    path.write_text(PRESET.replace('"mean"', '"scale:.5"'), encoding="utf-8")
    with pytest.raises(InputError, match=r"a row stands twice; found LS under · scale:0\.5"):
        find_presets([str(path)])


def test_cells_intervene_as_their_rows_say(tmp_path):
    family = TaskFamily("xquad", ("en", "zh"))
    known = {"mean.zh": {(n, s): np.zeros(size) for n in range(8) for s, size in SHAPE.sizes[n].items()}}
    chosen = replace(ZH, activations=known).described(language="zh")

    def done(neurons, text):
        return Cell(Mask(Setting(False, ("under",), text), "zh", None, neurons), family, "zh").intervention

    assert done(chosen, "zero").digest == Intervention(chosen).digest
    assert done(chosen, "scale:0.5") == Intervention(chosen, "scale", 0.5)
    assert done(chosen, "mean") == Intervention(chosen, "mean")
    assert [done(make(), text) for text in ("zero", "scale:0.5")] == [None, None]
    steered = {f"mean.{name}": {(n, "residual"): np.ones(4) for n in range(8)} for name in ("de", "zh")}
    assert done(replace(make(), activations=steered), "residual:de") is not None
    with pytest.raises(InputError, match="a set without activations"):
        done(ZH.described(language="zh"), "mean")


def test_random_controls_are_held_at_their_own_means(model, neurons):
    control = mw_control(neurons)
    values = neurons.activations["mean.zh"]
    used = Intervention.of(control, "mean")._used
    for layer, structure, members in control.switches():
        assert np.array_equal(used[f"layers.{layer}.{structure}"], values[layer, structure][sorted(members)])
    assert len(control & neurons) == 0


def mw_control(neurons):
    from mwork_eval.neurons.random_control import draw_random_control

    return draw_random_control(neurons, excluded=neurons, seed=1)


def test_a_manifest_names_what_is_done_only_where_it_is_not_zeroing(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(PRESET, encoding="utf-8")
    (preset,) = find_presets([str(path)])
    options = MatrixOptions((preset,), (), ("en", "zh"))
    chosen = ZH.described(language="zh")
    masks = plan_masks(preset, {"zh": chosen}, STAGES, (1,))
    plan = type("Plan", (), {"masks": {preset.name: masks}, "stages": STAGES})()
    entry = _describe_preset(preset, options, plan)
    written = [row.model_dump(mode="json", exclude_unset=True).get("intervention") for row in entry.settings]
    assert written == [None, "scale:0.5", None, "scale:0.5", "mean"]


def test_factors_reach_a_stream():
    torch.manual_seed(0)
    tensors = {"a": torch.randn(4, 3), "b": torch.randn(4), "d": torch.randn(3, 4).bfloat16()}
    at = torch.tensor
    edits = {
        "a": (Edit(1, (at([0, 2]),), factor=0.5),),
        "b": (Edit(None, (at([1]),), factor=-2.0),),
        "d": (Edit(0, (at([3]),), factor=0.3),),
    }
    expected = {name: tensor.clone() for name, tensor in tensors.items()}
    for row in (0, 2):
        expected["a"][row] = expected["a"][row] * 0.5
    expected["b"][1] = expected["b"][1] * -2
    expected["d"][:, 3] = expected["d"][:, 3] * 0.3
    sent = json.loads(json.dumps(to_wire(edits, {name: tensor.shape for name, tensor in tensors.items()})))
    found = dict(edited(tensors.items(), sent, {}))
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
