"""Deltas: their file, their base, the merged checkpoint, mwork-hf."""

import pytest
import torch
from conftest import make_model, make_tokenizer
from helpers.enhancement_models import OPTIONS, documents_of, neurons_of, saved, selected, weights_of
from transformers import AutoModelForCausalLM

from mwork_eval.enhancement.training import train
from mwork_eval.errors import InputError
from mwork_eval.lm.model import MworkHF
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.models.loading import LoadedModel
from mwork_eval.weight_deltas.delta import (
    WeightDelta,
    applied,
    apply_delta,
    check_base,
    load_delta,
    save_delta,
)
from mwork_eval.weight_deltas.merge import merge, verify
from mwork_eval.weight_deltas.parts import TrainedParts


@pytest.fixture
def trained(tmp_path):
    model = make_model("llama")
    chosen = selected(model)
    base = weights_of(model)
    fingerprint = fingerprint_of(model)
    before = saved(chosen)
    documents = documents_of(model)
    train(chosen, documents, documents, OPTIONS, tmp_path / "work", {8: lambda: None})
    delta = WeightDelta.of(chosen._frozen[1], chosen.trained, {"fingerprint": fingerprint, "neurons": "n"})
    before.close()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, base[name])
    return model, delta


def test_a_delta_survives_the_disk_bit_by_bit(trained, tmp_path):
    _, delta = trained
    path = tmp_path / "d.safetensors"
    save_delta(delta, path)
    first = path.read_bytes()
    again = load_delta(path)
    assert again.digest == delta.digest
    assert again.about == delta.about
    assert all(torch.equal(again.tensors[name], tensor) for name, tensor in delta.tensors.items())
    save_delta(again, path)
    assert path.read_bytes() == first
    path.write_bytes(first[:-8] + b"\0" * 8)
    with pytest.raises(InputError, match="is damaged; found"):
        load_delta(path)


def test_a_delta_belongs_to_its_base(trained):
    model, delta = trained
    with pytest.raises(InputError, match="made for other weights than other has"):
        check_base(delta, "f" * 32, "other")
    check_base(delta, "f" * 32, "other", force=True)
    with pytest.raises(InputError, match="the delta is of another model"):
        apply_delta(Layout.of(make_model("gemma3")), delta)
    before = weights_of(model)
    with applied(Layout.of(model), delta):
        assert any(not torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("family", ["llama", "mixtral"])
def test_a_merged_checkpoint_is_base_and_delta_in_plain_transformers(family, tmp_path):
    model = make_model(family)
    chosen = selected(model)
    before = saved(chosen)
    fingerprint = fingerprint_of(model)
    documents = documents_of(model)
    train(chosen, documents, documents, OPTIONS, tmp_path / "work", {8: lambda: None})
    delta = WeightDelta.of(chosen._frozen[1], chosen.trained, {"fingerprint": fingerprint})
    ids = torch.tensor([documents[0]])
    with torch.no_grad():
        expected = model(ids).logits
    before.close()
    loaded = LoadedModel("tiny", model, make_tokenizer())
    changed = merge(loaded, delta, tmp_path / "merged")
    assert 0 < changed <= delta.parameters
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32).eval()
    with torch.no_grad():
        assert torch.equal(plain(ids).logits, expected)
    with pytest.raises(InputError, match="is not empty"):
        merge(loaded, delta, tmp_path / "merged")
    # What users of the published code met: a checkpoint that is the base.
    model.save_pretrained(tmp_path / "unchanged")
    with pytest.raises(InputError, match="is not the base with the delta"):
        verify(model, chosen._frozen[1], delta, tmp_path / "unchanged")
    nothing = WeightDelta.of(chosen._frozen[1], TrainedParts(chosen.trained.parts), {"fingerprint": fingerprint})
    with pytest.raises(InputError, match="does not differ from the base"):
        merge(loaded, nothing, tmp_path / "nothing")


def test_mwork_hf_takes_a_delta_beneath_a_mask(trained, tmp_path):
    model, delta = trained
    path = tmp_path / "d.safetensors"
    save_delta(delta, path)
    layout = Layout.of(model)
    with applied(layout, delta):
        expected = weights_of(model)
    base = weights_of(model)
    plain = MworkHF(model, tokenizer=make_tokenizer(), batch_size=1).identity
    wrapped = MworkHF(model, tokenizer=make_tokenizer(), batch_size=1, delta=str(path))
    assert all(torch.equal(tensor, expected[name]) for name, tensor in model.state_dict().items())
    assert wrapped.identity != plain
    assert wrapped.fingerprint == delta.about["fingerprint"]
    assert wrapped.get_model_info()["mwork"]["delta"]["digest"] == delta.digest
    wrapped.mask(neurons_of(layout, fingerprint=wrapped.fingerprint))
    wrapped.unmask()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in model.state_dict().items())
    wrapped.put_delta(None)
    assert all(torch.equal(tensor, base[name]) for name, tensor in model.state_dict().items())
    assert wrapped.identity == plain
