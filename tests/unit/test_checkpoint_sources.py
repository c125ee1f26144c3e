"""Odd sources and targets of exports: each gives the right copy, or one error and nothing."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from conftest import make_model
from safetensors.torch import load_file, save_file

import mwork_eval as mw
from mwork_eval.checkpoints import export as writing
from mwork_eval.checkpoints.fingerprint import fingerprint_of_stored
from mwork_eval.checkpoints.folder import read_tensors
from mwork_eval.checkpoints.origins import Origins
from mwork_eval.errors import InputError
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.inspection import inspect_model
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet


@pytest.fixture
def source(tmp_path: Path) -> Path:
    make_model("qwen2").save_pretrained(tmp_path / "source")
    return tmp_path / "source"


@pytest.fixture
def neurons(source: Path) -> NeuronSet:
    shape = Layout.of(transformers.AutoModelForCausalLM.from_pretrained(source)).shape
    return NeuronSet(shape, {(0, "up"): np.array([1], np.int32)})


def export(source: Path, neurons: NeuronSet, out: Path) -> mw.ExportedCheckpoint:
    return mw.export(source, neurons, out=out, force=True, progress=False)


def refused(source: Path, neurons: NeuronSet, out: Path, match: str) -> None:
    before = sorted(source.parent.rglob("*"))
    with pytest.raises(InputError, match=match):
        export(source, neurons, out)
    assert sorted(source.parent.rglob("*")) == before


def is_masked(source: Path, out: Path) -> bool:
    before, after = load_file(source / "model.safetensors"), load_file(out / "model.safetensors")
    before["model.layers.0.mlp.up_proj.weight"][1] = 0
    return before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


def set_in_config(source: Path, **values: object) -> None:
    file = source / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_to_the_folder_to_write_stays_a_link(source, neurons, tmp_path, is_there) -> None:
    if is_there:
        (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    assert export(source, neurons, tmp_path / "out").folder == tmp_path / "out"
    assert (tmp_path / "out").is_symlink()
    assert is_masked(source, tmp_path / "elsewhere")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["elsewhere", "out", "source"]


def test_the_folder_one_is_in_and_mount_points_are_refused_at_once(source, neurons, tmp_path, monkeypatch) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    refused(source, neurons, Path(), "the folder you are in")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "out")
    refused(source, neurons, Path("out"), "a mount point")


def test_a_source_of_links_that_cannot_be_written_to(source, neurons, tmp_path) -> None:
    blobs = tmp_path / "blobs"
    source.rename(blobs)
    source.mkdir()
    for file in blobs.iterdir():
        file.chmod(0o444)
        (source / file.name).symlink_to(f"../blobs/{file.name}")
    export(source, neurons, tmp_path / "out ü")
    assert is_masked(source, tmp_path / "out ü")
    assert not any(file.is_symlink() for file in (tmp_path / "out ü").iterdir())


def test_a_source_that_is_replaced_meanwhile_is_noticed(source, neurons, tmp_path, monkeypatch) -> None:
    copy = writing.copy_with_edits

    def replaced(file, *rest):
        shutil.copyfile(file, tmp_path / "other")
        (tmp_path / "other").replace(file)
        copy(file, *rest)

    monkeypatch.setattr(writing, "copy_with_edits", replaced)
    refused(source, neurons, tmp_path / "out", "changed while it was copied")


def test_weights_that_transformers_would_not_load_alone_are_refused(source, neurons, tmp_path) -> None:
    (source / "adapter_config.json").write_text("{}")
    refused(source, neurons, tmp_path / "out", "an adapter on top")
    (source / "adapter_config.json").unlink()
    set_in_config(source, transformers_weights="other.safetensors")
    refused(source, neurons, tmp_path / "out", "other files of weights")


def test_an_index_of_other_weights_is_left_out_and_all_chat_templates_are_kept(source, neurons, tmp_path) -> None:
    (source / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1.safetensors"}}')
    (source / "additional_chat_templates").mkdir()
    (source / "additional_chat_templates" / "tools.jinja").write_text("{{ messages }}")
    assert export(source, neurons, tmp_path / "out").left_out == ("model.safetensors.index.json",)
    assert (tmp_path / "out" / "additional_chat_templates" / "tools.jinja").read_text() == "{{ messages }}"


def test_tensors_with_bytes_in_common_are_damage(source, neurons, tmp_path) -> None:
    file = source / "model.safetensors"
    content = file.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["alias"] = header["model.layers.0.mlp.up_proj.weight"]
    written = json.dumps(header).encode()
    file.write_bytes(len(written).to_bytes(8, "little") + written + content[8 + size :])
    refused(source, neurons, tmp_path / "out", "have bytes in common")


@pytest.mark.parametrize("shape", [(), (0, 3), (1, 1)])
def test_the_fingerprint_of_parameters_with_no_axis_or_no_values(shape, source, tmp_path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(source)
    model.odd = torch.nn.Parameter(torch.full(shape, 0.3))
    file = tmp_path / "odd.safetensors"
    save_file({name: value.clone() for name, value in model.state_dict().items()}, file)
    stored = read_tensors((file,))
    assert fingerprint_of_stored(model, Origins(model, stored), stored) == fingerprint_of(model)


@pytest.mark.parametrize("real_buffers", [False, True])
def test_experts_larger_than_any_memory_are_inspected(real_buffers: bool, tmp_path: Path) -> None:
    config = transformers.DeepseekV3Config(
        num_hidden_layers=2, first_k_dense_replace=1, n_routed_experts=2**17, moe_intermediate_size=2**12
    )
    config.save_pretrained(tmp_path)
    found = inspect_model(str(tmp_path), real_buffers=real_buffers)
    assert found.parameters > 2**17 * 2**12 * 7168 * 3
    buffers = dict(found.layout.model.named_buffers())
    assert buffers["model.rotary_emb.inv_freq"].is_meta is not real_buffers
