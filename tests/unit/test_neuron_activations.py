"""Activations that a neuron set carries: through algebra, controls and pickles, and in its file."""

import hashlib
import json
import pickle
import struct
from dataclasses import replace

import numpy as np
import pytest
from helpers.neuron_sets import ES, SHAPE, SIZES, STAGES, ZH, make
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from mwork_eval.digests import canonical_json, digest_of
from mwork_eval.errors import InputError
from mwork_eval.neurons.activation_values import digest_of_activations
from mwork_eval.neurons.files import load_neuron_set, save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.random_control import draw_random_control


def values(seed, width=16, *, residual=True):
    draw = np.random.default_rng(seed)
    found = {
        (n, s): draw.normal(size=SIZES[s]).astype(np.float32) for n in range(8) for s in ("q", "k", "v", "o", "up")
    }
    return found | ({(n, "residual"): draw.normal(size=width).astype(np.float32) for n in range(8)} if residual else {})


DE = {"mean.de": values(1), "median.de": values(2, residual=False)}
CARRIER = replace(ZH, activations=DE)


def same(found, expected):
    assert {label: {*places} for label, places in found.items()} == {k: {*places} for k, places in expected.items()}
    assert all(np.array_equal(found[k][place], one) for k, places in expected.items() for place, one in places.items())


def test_algebra_parts_controls_and_pickles_carry_activations():
    for derived in (
        CARRIER.at(STAGES, ["under"]),
        CARRIER.strongest(3),
        CARRIER.described(language="zh"),
        draw_random_control(CARRIER.strongest(3), excluded=CARRIER, seed=1),
        pickle.loads(pickle.dumps(CARRIER)),
        *(CARRIER & ES, CARRIER - ES, CARRIER | ES, CARRIER ^ ES, ES & CARRIER, ES - CARRIER, ES | CARRIER),
    ):
        same(derived.activations, DE)
        with pytest.raises(ValueError, match="read-only"):
            derived.activations["mean.de"][0, "up"][0] = 1
    other = replace(ES, activations={"mean.de": values(3), "mean.es": values(4)})
    for union in (CARRIER | other, CARRIER - other):
        same(union.activations, {**other.activations, **DE})
    assert ZH.activations == {}


def test_activations_are_no_part_of_what_a_set_is():
    assert CARRIER == ZH
    assert (CARRIER.digest, CARRIER.digest_unordered, len(CARRIER)) == (ZH.digest, ZH.digest_unordered, len(ZH))


def test_the_callers_arrays_stay_the_callers():
    mine = values(1)
    carrier = replace(ZH, activations={"mean.de": mine})
    mine[0, "up"][0] += 1
    assert carrier.activations["mean.de"][0, "up"][0] == values(1)[0, "up"][0]


@pytest.mark.parametrize(
    ("activations", "message"),
    [
        ({"highest.de": values(1)}, "unknown label of activations; found highest.de"),
        ({"mean.": {}}, "unknown label"),
        ({"mean.de": {(8, "up"): np.zeros(12)}}, r"mean.de.layers.8.up are not of the model; found \[12\]"),
        ({"mean.de": {(0, "mixer"): np.zeros(12)}}, "expected a place of the model"),
        ({"mean.de": {(0, "up"): np.zeros(13)}}, r"found \[13\]; expected \[12\]"),
        ({"mean.de": {(0, "up"): np.full(12, np.nan)}}, "no number"),
        ({"mean.de": {(0, "residual"): np.zeros(4), (1, "residual"): np.zeros(5)}}, r"found \[5\]; expected \[4\]"),
    ],
)
def test_what_is_no_activation_of_the_model_is_refused(activations, message):
    with pytest.raises(InputError, match=message):
        NeuronSet(SHAPE, {}, activations=activations)


@pytest.mark.parametrize("shared", [None, {}, make(q0=[3]).indices])
def test_a_file_keeps_them(shared, tmp_path):
    path = tmp_path / "zh.safetensors"
    save_neuron_set(replace(CARRIER, shared=shared), path)
    loaded = load_neuron_set(path)
    same(loaded.activations, DE)
    assert loaded == ZH
    assert (loaded.shared is None) == (shared is None)
    with safe_open(path, framework="numpy") as file:
        metadata = json.loads(file.metadata()["mwork"])
        tensor = file.get_tensor("activations.mean.de.layers.0.up")
        assert "activations.mean.de.layers.7.residual" in file.keys()  # noqa: SIM118
    assert metadata["version"] == 3
    assert metadata["activations_digest"] == digest_of_activations(DE)
    assert (tensor.dtype, tensor.tolist()) == (np.float32, DE["mean.de"][0, "up"].tolist())


def test_sets_without_activations_have_the_bytes_they_always_had(tmp_path):
    own = make(q0=[5, 1], up2=[7]).described(language="zh")
    digests = []
    for name, one in (("one", own), ("two", replace(own, shared=make(q0=[3]).indices))):
        save_neuron_set(one, tmp_path / name)
        digests.append(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert digests == GOLDEN


def test_damaged_activations_are_noticed(tmp_path):
    path = tmp_path / "zh.safetensors"
    save_neuron_set(CARRIER, path)
    metadata, arrays = read_metadata(path), load_file(path)
    name = "activations.mean.de.layers.0.up"
    plain = {key: array for key, array in arrays.items() if not key.startswith("activations")}
    for changed in (
        {**arrays, name: arrays[name] + 1},
        {key: array for key, array in arrays.items() if key != name},
        {**arrays, name: arrays[name].astype(np.float64)},
        {**arrays, name: arrays[name][:-1]},
        {**arrays, "activations.sum.de.layers.0.up": arrays[name]},
        plain,
    ):
        write(path, metadata, changed)
        with pytest.raises(InputError, match=r"damaged|no neuron set"):
            load_neuron_set(path)
    for version in (1, 2):
        write(path, {**metadata, "version": version}, arrays)
        with pytest.raises(InputError, match="damaged"):
            load_neuron_set(path)
    without = {key: value for key, value in metadata.items() if key != "activations_digest"}
    for changed in (arrays, plain):
        write(path, without, changed)
        with pytest.raises(InputError, match="damaged"):
            load_neuron_set(path)


def read_metadata(path):
    raw = path.read_bytes()
    header = json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]])
    return json.loads(header["__metadata__"]["mwork"])


def write(path, metadata, arrays):
    content = {key: value for key, value in metadata.items() if key != "description_digest"}
    save_file(arrays, path, {"mwork": canonical_json({**content, "description_digest": digest_of(content)})})


GOLDEN = [
    "ae0f8b97a5cf4766b5d5fc892e36db627da8739de1ac2b7f9a5b407b3182062e",
    "005124662f366b5ac35e23039d82749eecd4fa1d81db68f742f53046d3850515",
]
