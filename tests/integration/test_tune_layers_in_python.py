"""`tune_layers` from Python: what the command finds, without a folder and with a model in memory."""

import json

import numpy as np
import pytest
import torch
from conftest import make_model, make_tokenizer
from helpers.commands import mwork

from mwork_eval.application.progress import Silent
from mwork_eval.application.tune_layers import tune_layers
from mwork_eval.errors import InputError
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet

OPTIONS = {"task": "bpb", "limit": 2, "data": "embedded", "understanding": [1, 2], "generation": [1]}


@pytest.fixture
def model():
    return make_model("llama").train()


@pytest.fixture
def sets(model):
    shape = Layout.of(model).shape
    indices = {(layer, "up"): np.arange(3 + layer) for layer in range(shape.layers)}
    return {"zh": NeuronSet(shape, indices, {"fingerprint": fingerprint_of(model), "language": "zh"})}


def test_a_model_in_memory_is_tuned_as_the_command_does_and_left_as_it_was(model, sets, tiny_llama, tmp_path):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = tune_layers(model, make_tokenizer(), sets, **OPTIONS, progress=Silent())
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert found.files == ()
    assert found.sets["zh"].about["stages"]["understanding"] == found.tuning.best[0]
    save_neuron_set(sets["zh"], tmp_path / "sets" / "zh.safetensors")
    mwork(
        "tune-layers", "--model", tiny_llama, "--neurons", tmp_path / "sets", "--task", "bpb", "--limit", "2", "--data",
        "embedded", "--understanding", "1,2", "--generation", "1", "--device", "cpu", "--out", tmp_path / "out",
    )  # fmt: skip
    written = json.loads((tmp_path / "out" / "tuning.json").read_text())
    deltas = [found.tuning.deltas[point.boundaries].delta.value for point in found.tuning.grid]
    assert [point["delta"]["delta"]["value"] for point in written["grid"]] == deltas
    pytest.importorskip("pandas")
    assert list(found.to_pandas().delta) == deltas
    assert found._repr_html_().count("<tr>") == 1 + 2


def test_wrong_input_is_told(model, sets):
    for arguments, message in (
        ({"language": "en"}, "compares a language with English"),
        ({"language": "es"}, "a language has no neuron set; found es"),
        ({"device": "cpu"}, "stays as it is; found device"),
    ):
        with pytest.raises(InputError, match=message):
            tune_layers(model, make_tokenizer(), sets, **OPTIONS | arguments)
    with pytest.raises(InputError, match="found no neurons"):
        tune_layers(model, make_tokenizer())
