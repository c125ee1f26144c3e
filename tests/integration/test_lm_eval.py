"""mwork-hf inside a real lm-eval: the command as a user types it, and the Python interface."""

import json
from pathlib import Path

import accelerate
import numpy as np
import pytest
import torch
import transformers
from conftest import make_model
from helpers.commands import lm_eval, lm_eval_from_scratch
from lm_eval import simple_evaluate
from lm_eval.api.registry import get_model
from lm_eval.tasks import TaskManager

from mwork_eval.errors import InputError
from mwork_eval.lm.model import MworkHF
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.resources import tasks_folder

TASKS = ["xquad_zh", "xcsqa_zh", "bpb_zh"]


@pytest.fixture(scope="module")
def neurons(tiny_llama, tmp_path_factory) -> Path:
    """A folder with the sets zh and es of the tiny Llama."""
    folder = tmp_path_factory.mktemp("neurons")
    layout = Layout.of(transformers.AutoModelForCausalLM.from_pretrained(tiny_llama))
    for code, start in (("zh", 0), ("es", 3)):
        indices = {
            (layer, structure): np.arange(start, start + 5)
            for layer in range(layout.shape.layers)
            for structure in ("q", "v", "up")
        }
        about = {"model": "tiny-llama", "fingerprint": fingerprint_of(layout.model), "language": code}
        save_neuron_set(NeuronSet(layout.shape, indices, about), folder / f"{code}.safetensors")
    return folder


def evaluate(model: str, tasks=TASKS, use_cache: str | None = None, **arguments):
    manager = TaskManager(include_path=str(tasks_folder()), include_defaults=False, metadata={"data": "embedded"})
    found = simple_evaluate(
        model=model,
        model_args={"dtype": "float32", "device": "cpu", **arguments},
        tasks=list(tasks),
        limit=4,
        batch_size=2,
        bootstrap_iters=0,
        task_manager=manager,
        use_cache=use_cache,
    )
    scores = {
        task: {k: v for k, v in metrics.items() if k.endswith(",none")} for task, metrics in found["results"].items()
    }
    return scores, found["config"], found["samples"]


@pytest.mark.slow
def test_the_command_of_the_readme(tiny_llama, neurons, tmp_path):
    """Baseline and masked run differ, say what was masked, and lie in folders of their own."""
    common = ["--model", "mwork-hf", "--tasks", ",".join(TASKS), "--limit", "4", "--output_path", str(tmp_path)]
    common += ["--metadata", "data=embedded", "--device", "cpu"]
    for run_it, extra in ((lm_eval, ""), (lm_eval_from_scratch, f",neurons={neurons}/zh,positions=under+gen")):
        run = run_it(*common, "--model_args", f"pretrained={tiny_llama}{extra}")
        assert run.returncode == 0, run.stderr[-2000:]
        assert "bits_per_byte" in run.stdout
    folders = sorted(tmp_path.iterdir())
    assert len(folders) == 2
    baseline, masked = (json.loads(next(folder.glob("results_*.json")).read_text()) for folder in folders)
    assert "__masked-zh-" in folders[1].name
    assert baseline["config"]["mwork"]["masked"] is None
    what = masked["config"]["mwork"]["masked"]
    assert what["positions"] == "under+gen"
    assert what["total"] == 2 * 15
    assert what["by_structure"] == {"q": 10, "v": 10, "up": 10}
    assert what["about"]["language"] == "zh"
    assert len(what["digest"]) == 64
    assert baseline["results"]["bpb_zh"] != masked["results"]["bpb_zh"]


@pytest.mark.slow
@pytest.mark.parametrize("tasks", ["xquad_zh,bpb_zh", "mwork_zh"])
def test_missing_data_fails_before_the_model_loads(tmp_path, tasks):
    run = lm_eval(
        "--model", "mwork-hf", "--model_args", "pretrained=/no/such/model", "--tasks", tasks, MWORK_DATA=str(tmp_path)
    )
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert f"{tmp_path}" in run.stderr.splitlines()[-1]


@pytest.mark.slow
def test_a_set_of_another_model_ends_with_one_line(tiny_qwen2, neurons):
    run = lm_eval(
        "--model", "mwork-hf", "--model_args", f"pretrained={tiny_qwen2},neurons={neurons}/zh",
        "--tasks", "bpb_zh", "--metadata", "data=embedded",
    )  # fmt: skip
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert "made for tiny-llama and does not fit" in run.stderr.splitlines()[-1]


@pytest.mark.slow
def test_the_backport_can_be_turned_off():
    run = lm_eval_from_scratch("--model", "mwork-hf", "--tasks", "bpb_zh", MWORK_NO_AUTOLOAD="1")
    assert run.returncode != 0
    assert "Tasks not found: bpb_zh" in run.stderr


def assert_the_same_scores(found, expected):
    assert found.keys() == expected.keys()
    for task, scores in expected.items():
        numbers = {name: value for name, value in scores.items() if value != "N/A"}
        assert {name: found[task][name] for name in numbers} == pytest.approx(numbers, rel=1e-6)


def test_without_neurons_it_is_hf(tiny_llama):
    expected = evaluate("hf", pretrained=str(tiny_llama))[0]
    assert_the_same_scores(evaluate("mwork-hf", pretrained=str(tiny_llama))[0], expected)
    assert evaluate("mwork-hf", pretrained=str(tiny_llama), fast=False)[0] == expected


def test_a_mask_by_name_equals_weights_zeroed_by_hand(tiny_llama, neurons, tmp_path):
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama)
    for layer in model.model.layers:
        for module in (layer.self_attn.q_proj, layer.self_attn.v_proj, layer.mlp.up_proj):
            module.weight.data[:5] = 0
    model.save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(tiny_llama).save_pretrained(tmp_path)
    by_hand = evaluate("hf", pretrained=str(tmp_path))[0]
    found = evaluate("mwork-hf", pretrained=str(tiny_llama), neurons=f"{neurons}/zh")[0]
    assert_the_same_scores(found, by_hand)


def test_mask_arguments(tiny_llama, neurons):
    def masked(**arguments):
        model = MworkHF(str(tiny_llama), device="cpu", neurons=f"{neurons}/zh", **arguments)
        return model.masked, model

    everything, _ = masked()
    assert everything["total"] == 4 * 15
    part, _ = masked(positions="s-attn", understanding_layers=1, generation_layers=1)
    assert part["by_structure"] == {"q": 10, "v": 10}
    few, _ = masked(count=7)
    assert few["total"] == 7
    control, model = masked(count=7, random_control=3)
    assert control["total"] == 7
    assert control["digest"] != few["digest"]
    assert control["random_control"] == 3
    again, _ = masked(count=7, random_control=3)
    assert again["digest"] == control["digest"]
    assert again["about"]["shared_hits"] is None
    with pytest.raises(InputError, match="the set of zh without shared neurons"):
        masked(count=7, random_control=3, controls="foreign")
    minus = MworkHF(str(tiny_llama), device="cpu", neurons=f"{neurons}/zh-es").masked
    assert minus["total"] == 4 * 9
    before = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama).state_dict()
    model.unmask()
    assert all(torch.equal(value, before[name]) for name, value in model.model.state_dict().items())


def test_bad_arguments_are_found_before_the_model_loads(neurons):
    with pytest.raises(InputError, match="unknown position"):
        MworkHF("/no/such/model", neurons=f"{neurons}/zh", positions="middle")
    with pytest.raises(InputError, match="no neuron set 'fr'"):
        MworkHF("/no/such/model", neurons=f"{neurons}/fr")
    with pytest.raises(InputError, match="cannot be loaded"):
        MworkHF("/no/such/model")
    with pytest.raises(InputError, match="found no neurons= argument"):
        MworkHF("/no/such/model", random_control=3)
    with pytest.raises(InputError, match="unknown controls"):
        MworkHF("/no/such/model", neurons=f"{neurons}/zh", random_control=3, controls="some")
    with pytest.raises(InputError, match="found controls=foreign, no random_control= seed"):
        MworkHF("/no/such/model", neurons=f"{neurons}/zh", controls="foreign")
    with pytest.raises(InputError, match="unknown dtype"):
        MworkHF("/no/such/model", dtype="float23")


def test_a_mask_that_masks_nothing_is_an_error(tiny_llama, neurons):
    def load(reference="zh", **arguments):
        return MworkHF(str(tiny_llama), device="cpu", neurons=f"{neurons}/{reference}", **arguments)

    with pytest.raises(InputError, match="nothing to deactivate"):
        load("zh-zh")
    with pytest.raises(InputError, match="nothing to deactivate at gen"):
        load(positions="gen", generation_layers=0)
    for count in (0, -3):
        with pytest.raises(InputError, match="unusable count"):
            load(count=count)
    with pytest.raises(InputError, match="unusable seed"):
        load(random_control=-1)


def test_the_cache_never_mixes_masks(tiny_llama, neurons, tmp_path):
    cache = str(tmp_path / "cache")
    first = evaluate("mwork-hf", ["bpb_zh"], use_cache=cache, pretrained=str(tiny_llama))[0]
    assert evaluate("mwork-hf", ["bpb_zh"], use_cache=cache, pretrained=str(tiny_llama))[0] == first
    with pytest.raises(InputError, match="holds answers of another model or mask"):
        evaluate("mwork-hf", ["bpb_zh"], use_cache=cache, pretrained=str(tiny_llama), neurons=f"{neurons}/zh")
    plain = str(tmp_path / "plain")
    evaluate("hf", ["bpb_zh"], use_cache=plain, pretrained=str(tiny_llama))
    with pytest.raises(InputError, match="found no identity"):
        evaluate("mwork-hf", ["bpb_zh"], use_cache=plain, pretrained=str(tiny_llama))


def test_arguments_of_hf_still_work(tiny_llama):
    model = MworkHF(str(tiny_llama), device="cpu", dtype="bfloat16", max_length=64, batch_size=3)
    assert model.model.dtype == torch.bfloat16
    assert model.max_length == 64
    assert get_model("mwork-hf") is MworkHF


def test_a_peft_adapter_is_merged_before_masking(tiny_llama, neurons, tmp_path):
    peft = pytest.importorskip("peft", reason="peft is optional")
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama)
    base = peft.get_peft_model(model, peft.LoraConfig(target_modules=["q_proj"], init_lora_weights=False))
    base.save_pretrained(tmp_path)
    model = MworkHF(str(tiny_llama), device="cpu", peft=str(tmp_path), neurons=f"{neurons}/zh", force=True)
    merged = model.layout.weight(0, "q")
    assert not any("lora" in name for name, _ in model.model.named_modules())
    assert not merged[:5].any()
    assert not torch.equal(merged[5:], base.get_base_model().model.layers[0].self_attn.q_proj.base_layer.weight[5:])


def test_an_adapter_is_left_alone_without_a_mask(tiny_llama, tmp_path):
    peft = pytest.importorskip("peft", reason="peft is optional")
    base = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama)
    adapted = peft.get_peft_model(base, peft.LoraConfig(target_modules=["q_proj"], init_lora_weights=False))
    adapted.save_pretrained(tmp_path)
    scores = [
        evaluate(name, ["bpb_zh"], use_cache=str(tmp_path / name), pretrained=str(tiny_llama), peft=str(tmp_path))[0]
        for name in ("hf", "mwork-hf")
    ]
    assert scores[0] == scores[1]


def test_a_model_object_can_be_masked(neurons, tiny_llama):
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_llama)
    model = MworkHF(make_model("llama"), tokenizer=tokenizer, neurons=f"{neurons}/zh", force=True)
    assert not model.layout.weight(2, "up")[:5].any()


def test_an_offloaded_model_is_masked_by_activations(neurons, tiny_llama):
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_llama)
    offloaded = accelerate.cpu_offload(make_model("llama"), execution_device=torch.device("cpu"))
    options = {"tokenizer": tokenizer, "neurons": f"{neurons}/zh", "force": True}
    by_activation, by_weight = MworkHF(offloaded, **options), MworkHF(make_model("llama"), **options)
    assert (by_activation.masked["by"], by_weight.masked["by"]) == ("activations", "weights")
    assert by_activation.fingerprint == by_weight.fingerprint
    ids = torch.tensor([[5, 9, 300, 17]])
    with torch.no_grad():
        torch.testing.assert_close(by_activation.model(ids).logits, by_weight.model(ids).logits, rtol=1e-5, atol=1e-5)
    by_activation.unmask()
    by_weight.unmask()
    with torch.no_grad():
        torch.testing.assert_close(by_activation.model(ids).logits, by_weight.model(ids).logits, rtol=1e-5, atol=1e-5)
