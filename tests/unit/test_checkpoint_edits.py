"""What masks change in the files of a checkpoint: the model loaded from them is the loaded model, masked."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import architectures
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from mwork_eval.checkpoints.checkpoint import Checkpoint
from mwork_eval.checkpoints.edits import edits_of_delta, edits_of_neurons, joined
from mwork_eval.errors import InputError
from mwork_eval.interventions.scaled import scale_neurons
from mwork_eval.interventions.zero import zero_neurons
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.weight_deltas.delta import WeightDelta, apply_delta
from mwork_eval.weight_deltas.parts import TrainedParts, parts_of

# One of each way in which weights lie in files: separate, fused, transposed, stacks of experts, experts one by one.
MEMBERS = [
    *("apertus", "bloom", "codegen", "dbrx", "deepseek_v3", "ernie4_5_moe", "falcon", "falcon_h1", "gemma2"),
    *("gemma3_text", "gemma3n_text", "gemma4_text:experts", "glm4_moe", "gpt2", "gpt_neox", "gpt_oss", "granitemoe"),
    *("inkling_text", "jamba", "llama4_text", "longcat_flash", "minimax", "mixtral", "mpt", "opt", "phi", "phi3"),
    *("phimoe", "qwen2_moe", "qwen3_5_moe_text", "qwen3_next"),
]


def saved(member: str, folder: Path) -> torch.nn.Module:
    """Save the tiny model of a member, and return what transformers loads."""
    architectures.build(member).save_pretrained(folder)
    return load(folder)


def load(folder: Path) -> torch.nn.Module:
    model: torch.nn.Module = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model


def some_of_each(layout: Layout) -> NeuronSet:
    generator = np.random.default_rng(0)
    sizes = {place: sum(block.size for block in blocks) for place, blocks in layout.blocks.items()}
    drawn = {place: generator.permutation(size)[:3].astype(np.int32) for place, size in sizes.items()}
    return NeuronSet(layout.shape, drawn)


def rewrite(checkpoint: Checkpoint, edits: dict) -> set[str]:
    """Do to the files what edits say, by safetensors alone; return the names of what changed."""
    changed = set()
    for file in checkpoint.files:
        tensors = load_file(file)
        for name, tensor in tensors.items():
            before = tensor.clone()
            for edit in edits.get(name, ()):
                edit.write(tensor)
            changed |= set() if torch.equal(before, tensor) else {name}
        save_file(tensors, file, {"format": "pt"})
    return changed


@pytest.mark.parametrize("member", MEMBERS)
def test_files_with_neurons_zeroed_load_as_the_masked_model(member: str, tmp_path: Path) -> None:
    model = saved(member, tmp_path)
    layout, checkpoint = Layout.of(model), Checkpoint.of(str(tmp_path))
    assert checkpoint.shape == layout.shape
    assert checkpoint.fingerprint == fingerprint_of(model)
    neurons = some_of_each(layout)
    edits = edits_of_neurons(checkpoint, neurons)
    assert rewrite(checkpoint, edits) == set(edits)
    zero_neurons(layout, neurons)
    expected, found = model.state_dict(), load(tmp_path).state_dict()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []


@pytest.mark.parametrize("member", ["bloom", "gemma3_text", "gpt2", "gpt_oss", "mixtral", "phi3", "qwen2", "qwen2_moe"])
@pytest.mark.parametrize("factor", [0.0, -0.3, 1.0])
def test_files_with_neurons_scaled_load_as_the_model_with_them_scaled(member: str, factor: float, tmp_path: Path):
    model = saved(member, tmp_path)
    layout, checkpoint = Layout.of(model), Checkpoint.of(str(tmp_path))
    neurons = some_of_each(layout)
    rewrite(checkpoint, edits_of_neurons(checkpoint, neurons, factor))
    scale_neurons(layout, neurons, factor)
    expected, found = model.state_dict(), load(tmp_path).state_dict()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []


@pytest.mark.parametrize("member", ["gemma3_text", "gpt2", "mixtral", "phi3", "qwen2"])
def test_files_with_a_delta_load_as_the_model_with_it(member: str, tmp_path: Path) -> None:
    model = saved(member, tmp_path)
    layout, checkpoint = Layout.of(model), Checkpoint.of(str(tmp_path))
    neurons = some_of_each(layout)
    trained = TrainedParts(parts_of(layout, neurons))
    for number, value in enumerate(trained.parameters()):
        value.data += torch.randn(value.shape, generator=torch.Generator().manual_seed(number))
    delta = WeightDelta.of(layout, trained, {})
    assert rewrite(checkpoint, edits_of_delta(checkpoint, delta))
    apply_delta(layout, delta)
    expected, found = model.state_dict(), load(tmp_path).state_dict()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []


def test_a_mask_comes_after_a_delta() -> None:
    first, second = {"a": ["delta a"], "b": ["delta b"]}, {"a": ["mask a"], "c": ["mask c"]}
    assert joined(first, second) == {"a": ("delta a", "mask a"), "b": ("delta b",), "c": ("mask c",)}


def test_a_set_of_another_model_is_refused(tmp_path: Path) -> None:
    other = some_of_each(Layout.of(architectures.build("gemma2")))
    saved("qwen2", tmp_path)
    with pytest.raises(InputError, match="of another model"):
        edits_of_neurons(Checkpoint.of(str(tmp_path)), other)


def test_a_tensor_that_is_missing_is_named(tmp_path: Path) -> None:
    model = saved("qwen2", tmp_path)
    file = tmp_path / "model.safetensors"
    tensors = load_file(file)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(InputError, match=r"has no model\.layers\.1\.mlp\.up_proj\.weight"):
        edits_of_neurons(Checkpoint.of(str(tmp_path)), some_of_each(Layout.of(model)))
