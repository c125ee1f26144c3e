"""The neuron set's file and the ways to name one."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest
from helpers.neuron_sets import SHAPE, make
from safetensors import safe_open
from safetensors.numpy import save_file

from mwork_eval.digests import canonical_json
from mwork_eval.errors import InputError
from mwork_eval.neurons.files import load_neuron_set, save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import find_folder, find_language_sets, find_neurons

ABOUT = {"language": "zh", "model": "tiny", "fingerprint": "f" * 32, "corpus": {"name": "语料.txt"}}


@pytest.fixture
def folder(tmp_path):
    save_neuron_set(make(q0=[5, 1], up2=[7]).described(**ABOUT), tmp_path / "zh.safetensors")
    save_neuron_set(make(q0=[1], v3=[2]).described(**ABOUT, note="es"), tmp_path / "es.safetensors")
    return tmp_path


def test_a_file_keeps_neurons_order_description_and_shape(folder):
    loaded = load_neuron_set(folder / "zh.safetensors")
    assert loaded.digest == make(q0=[5, 1], up2=[7]).digest
    assert dict(loaded.about) == ABOUT
    assert loaded.shape == SHAPE


def test_the_file_is_what_the_documentation_says(folder):
    with safe_open(folder / "zh.safetensors", framework="numpy") as file:
        assert sorted(file.keys()) == ["layers.0.q", "layers.2.up"]
        assert file.get_tensor("layers.0.q").tolist() == [5, 1]
        assert file.get_tensor("layers.0.q").dtype == np.int32
        assert list(file.metadata()) == ["mwork"]
        metadata = json.loads(file.metadata()["mwork"])
    assert metadata["format"] == "mwork-neurons"
    assert metadata["version"] == 1
    assert canonical_json(metadata) == canonical_json(dict(sorted(metadata.items())))


def test_shared_neurons_are_kept_beside_the_set(folder):
    path, own = folder / "zh.safetensors", make(q0=[5, 1], up2=[7]).described(**ABOUT)
    assert load_neuron_set(path).shared is None
    for shared in (make(q0=[3], k1=[2]).indices, {}):
        save_neuron_set(replace(own, shared=shared), path)
        loaded = load_neuron_set(path)
        assert loaded == own
        assert loaded.digest == own.digest
        assert NeuronSet(SHAPE, loaded.shared) == NeuronSet(SHAPE, shared)
    save_neuron_set(replace(own, shared=make(q0=[3], k1=[2]).indices), path)
    with safe_open(path, framework="numpy") as file:
        assert sorted(file.keys()) == ["layers.0.q", "layers.2.up", "shared.layers.0.q", "shared.layers.1.k"]
        metadata = json.loads(file.metadata()["mwork"])
    assert metadata["version"] == 2
    assert metadata["shared_digest"] == make(q0=[3], k1=[2]).digest


def test_changed_shared_neurons_are_noticed(folder):
    path = folder / "zh.safetensors"
    own = make(q0=[5, 1]).described(**ABOUT)
    save_neuron_set(replace(own, shared=make(q0=[3]).indices), path)
    kept = {"layers.0.q": np.array([5, 1], np.int32)}
    for changed in ({"shared.layers.0.q": np.array([4], np.int32)}, {}):
        rewrite(path, arrays={**kept, **changed})
        with pytest.raises(InputError, match="damaged"):
            load_neuron_set(path)
    rewrite(path, lambda m: {**m, "version": 1}, {**kept, "shared.layers.0.q": np.array([4], np.int32)})
    with pytest.raises(InputError, match="damaged"):
        load_neuron_set(path)


def test_equal_sets_give_equal_bytes(folder, tmp_path):
    again = tmp_path / "again.safetensors"
    save_neuron_set(make(up2=[7], q0=[5, 1]).described(**dict(reversed(ABOUT.items()))), again)
    assert again.read_bytes() == (folder / "zh.safetensors").read_bytes()


def test_an_empty_set_can_be_kept(tmp_path):
    save_neuron_set(make(), tmp_path / "none.safetensors")
    assert load_neuron_set(tmp_path / "none.safetensors") == make()


def rewrite(path, change_metadata=lambda m: m, arrays=None):
    with safe_open(path, framework="numpy") as file:
        kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = json.loads(file.metadata()["mwork"])
    metadata.pop("description_digest", None)
    save_file(arrays if arrays is not None else kept, path, {"mwork": json.dumps(change_metadata(metadata))})


@pytest.mark.parametrize("keep", [0, 7, 60, -1])
def test_a_truncated_file_is_one_clear_error(folder, keep):
    path = folder / "zh.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"zh\.safetensors"):
        load_neuron_set(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="file not found"):
        load_neuron_set(tmp_path / "no.safetensors")


def test_a_file_of_another_kind(tmp_path):
    save_file({"a": np.zeros(1, np.float32)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="another kind"):
        load_neuron_set(tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_bytes(struct.pack("<Q", 10**12) + b"hello")
    with pytest.raises(InputError, match="cannot be read"):
        load_neuron_set(tmp_path / "text.safetensors")


def test_a_newer_version_is_refused(folder):
    rewrite(folder / "zh.safetensors", lambda m: {**m, "version": 4})
    with pytest.raises(InputError, match="unknown version"):
        load_neuron_set(folder / "zh.safetensors")


def test_changed_neurons_are_noticed(folder):
    rewrite(folder / "zh.safetensors", arrays={"layers.0.q": np.array([5, 2], np.int32)})
    with pytest.raises(InputError, match="damaged"):
        load_neuron_set(folder / "zh.safetensors")


def test_missing_metadata_is_one_clear_error(folder):
    rewrite(folder / "zh.safetensors", lambda m: {k: v for k, v in m.items() if k != "shape"})
    with pytest.raises(InputError, match="found shape: Field required"):
        load_neuron_set(folder / "zh.safetensors")


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("layers.0.q", np.array([99], np.int32), "index out of range in layers.0.q; found 99 to 99; expected 0 to 7"),
        (
            "layers.0.q",
            np.array([1.0], np.float32),
            r"found layers.0.q float32 \[1\]; expected int32",
        ),
        ("weights", np.array([1], np.int32), r"is no neuron set; found weights int32 \[1\]; expected int32"),
        ("layers.44.q", np.array([1], np.int32), "neurons outside the model; found layers.44.q"),
    ],
)
def test_arrays_that_fit_no_model_are_refused(folder, name, array, said):
    rewrite(folder / "zh.safetensors", arrays={name: array})
    with pytest.raises(InputError, match=said):
        load_neuron_set(folder / "zh.safetensors")


def test_a_set_is_found_by_file_name_and_expression(folder):
    zh, es = make(q0=[5, 1], up2=[7]), make(q0=[1], v3=[2])
    assert find_neurons(str(folder / "zh.safetensors")) == zh
    assert find_neurons(str(folder / "zh")) == zh
    assert find_neurons(str(folder / "zh-es")) == zh - es
    assert find_neurons(str(folder / "zh&es")) == zh & es
    assert find_neurons(str(folder / "zh|es-zh")) == (zh | es) - zh
    assert find_neurons(str(folder / "zh-es")).about["expression"] == "zh-es"
    assert find_language_sets(str(folder), ["es", "zh"]) == {"es": es, "zh": zh}


def test_a_name_with_a_dash_is_not_taken_apart(folder):
    (folder / "zh.safetensors").rename(folder / "zh-hans.safetensors")
    assert find_neurons(str(folder / "zh-hans")) == make(q0=[5, 1], up2=[7])


def test_names_with_a_dash_are_whole_in_an_expression(folder):
    zh, es = find_neurons(str(folder / "zh")), find_neurons(str(folder / "es"))
    (folder / "zh.safetensors").rename(folder / "zh-Hant.safetensors")
    (folder / "es.safetensors").rename(folder / "zh-Hans.safetensors")
    assert find_neurons(str(folder / "zh-Hant-zh-Hans")) == zh - es
    assert find_neurons(str(folder / "zh-Hans|zh-Hant")) == es | zh
    with pytest.raises(InputError, match="no neuron set 'zh' in"):
        find_neurons(str(folder / "zh-Hantx"))


def test_an_unknown_set_names_those_there_are(folder):
    with pytest.raises(InputError, match="found es zh"):
        find_neurons(str(folder / "fr"))
    with pytest.raises(InputError, match="no folder of neuron sets"):
        find_folder(str(folder / "elsewhere"))
