"""Tiny models, sets, documents and plans for the tests of fine-tuning."""

import numpy as np
import torch
from conftest import make_model, make_tokenizer

from mwork_eval.enhancement.documents import HELD_OUT, TrainingText
from mwork_eval.enhancement.run import Enhancement
from mwork_eval.enhancement.training import SelectedModel, TrainingOptions
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.models.slice_editor import SliceEditor
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.weight_deltas.parts import TrainedParts, parts_of


def neurons_of(layout, **about):
    places = [(layer, s) for layer in range(1, layout.shape.layers) for s in ("q", "k", "v", "up")]
    return NeuronSet(layout.shape, {place: np.array([0, 2], np.int32) for place in places}, about)


def documents_of(model, count=8, length=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    words = model.config.get_text_config().vocab_size
    return [torch.randint(3, words, (length - n % 3,), generator=generator).tolist() for n in range(count)]


def selected(model):
    layout = Layout.of(model)
    return SelectedModel(model, layout, TrainedParts(parts_of(layout, neurons_of(layout))))


def saved(chosen):
    """Return an editor that puts the weights back that a model to be trained has now."""
    editor = SliceEditor()
    for part in chosen.trained.parts:
        part.save(editor)
    return editor


def weights_of(model):
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


OPTIONS = TrainingOptions(learning_rate=0.05, warmup_steps=1, batch_size=2)


def text_of(model, count=8):
    documents = documents_of(model, count + 4)
    return TrainingText(documents[4:], documents[:4], [f"d{n}" for n in range(count)], "c.txt")


def plan_of(model, layout, **changes):
    sets = {code: neurons_of(layout, fingerprint=fingerprint_of(model), language=code) for code in ("zh",)}
    values = {"sets": sets, "texts": {"zh": text_of(model)}, "sizes": (4, 8), "seeds": (0,), "controls": 2}
    return Enhancement(**values | {"together": False, "training": OPTIONS} | changes)


def write_inputs(folder):
    """Write a tiny model `m`, its set `zh.safetensors`, and `zh.txt`, documents of one length, for 8 to train on."""
    model = make_model("llama")
    model.save_pretrained(folder / "m")
    make_tokenizer().save_pretrained(folder / "m")
    neurons = neurons_of(Layout.of(model), fingerprint=fingerprint_of(model), language="zh")
    save_neuron_set(neurons, folder / "zh.safetensors")
    lines = [" ".join(f"w{(n * 7 + k * 3) % 50}" for k in range(30)) for n in range(HELD_OUT + 8)]
    (folder / "zh.txt").write_text("\n".join(lines) + "\n")
    return folder
