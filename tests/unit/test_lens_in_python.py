"""`lens` from Python: a model in memory as it was, texts in memory, results for a notebook."""

import numpy as np
import pytest
import torch
from conftest import make_model, make_tokenizer

from mwork_eval.analysis.lens_file import lens_file, read_lens
from mwork_eval.application.lens import lens
from mwork_eval.application.progress import Silent
from mwork_eval.errors import InputError
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet

TEXTS = ["今天天气很好，我们去学校。", "他们明天来看我们。"]


@pytest.fixture
def model():
    model = make_model("llama")
    model.train()
    model.model.layers[1].eval()  # kept in evaluation mode on purpose
    return model


def modes_of(model):
    return [module.training for module in model.modules()]


def set_of(model):
    shape = Layout.of(model).shape
    return NeuronSet(shape, {(0, "up"): np.arange(12)}, {"fingerprint": fingerprint_of(model), "language": "zh"})


def test_a_model_in_memory_is_looked_at_and_left_as_it_was(model, tmp_path):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes, calls = modes_of(model), []
    model.model.layers[0].register_forward_hook(lambda _, args, __: calls.append(args[0].shape[1]))
    found = lens(
        model, make_tokenizer(), {"zh": TEXTS}, neurons={"zh": set_of(model)}, seeds=[1],
        out=tmp_path, progress=Silent(),
    )  # fmt: skip
    assert [curves.masked for curves in found.curves] == [None, "under", "random under, seed 1"]
    assert modes_of(model) == modes
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert len([tokens for tokens in calls if tokens > 8]) == 2 * 3  # what proves the head is shorter
    assert found.files == (lens_file(tmp_path, "tokens"),)
    assert read_lens(found.files[0]).curves[1].amounts.tolist() == found.curves[1].amounts.tolist()
    assert found.about["texts"] == ["zh=memory"]


def test_texts_in_memory_are_read_as_those_of_a_file(model, tmp_path):
    (tmp_path / "zh.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    model.eval()
    one, other = (
        lens(model, make_tokenizer(), {"zh": given}, progress=Silent()) for given in (TEXTS, tmp_path / "zh.txt")
    )
    assert one.curves[0].amounts.tolist() == other.curves[0].amounts.tolist()
    assert not one.files


def test_a_notebook_shows_tables_and_pandas_takes_the_numbers(model):
    pandas = pytest.importorskip("pandas")
    found = lens(model, make_tokenizer(), {"zh": TEXTS}, progress=Silent())
    page = found._repr_html_()
    assert page.count("<table>") == 1
    assert "zh: share by layer, %" in page
    frame = found.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert len(frame) == 4 * 4
    assert frame.groupby("layer").share.sum().tolist() == pytest.approx([1] * 4)
    assert repr(found).startswith("<LensResults of LlamaForCausalLM, method tokens: zh, 2 queries")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": {"en": TEXTS}}, "English is what the others are compared with"),
        ({"texts": {"zh": TEXTS}, "languages": ["zh"]}, "brings its own language"),
        ({"texts": {"zh": TEXTS}, "seeds": [1]}, "found no neurons"),
        ({"texts": {"zh": TEXTS}, "neurons": {}}, "a language has no neuron set; found zh"),
        ({"texts": {"zh": TEXTS}, "device": "cpu"}, "stays as it is; found device"),
        ({"languages": ["xx"]}, "unknown language"),
    ],
)
def test_wrong_input_is_told_before_anything_is_computed(model, arguments, message):
    with pytest.raises(InputError, match=message):
        lens(model, make_tokenizer(), **arguments)


def test_a_model_in_memory_needs_its_tokenizer(model):
    with pytest.raises(InputError, match="needs its tokenizer"):
        lens(model, texts={"zh": TEXTS})


def test_a_model_by_name_gives_what_it_gives_in_memory(model, tiny_llama):
    named = lens(tiny_llama, texts={"zh": TEXTS}, device="cpu", progress=Silent())
    given = lens(model, make_tokenizer(), {"zh": TEXTS}, progress=Silent())
    assert named.curves[0].amounts.tolist() == given.curves[0].amounts.tolist()
    assert named.about["model"] == str(tiny_llama)
