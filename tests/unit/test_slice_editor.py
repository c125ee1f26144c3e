"""The slice editor: overlapping edits, edits one inside another, and writes that fail."""

import pytest
import torch
from conftest import make_model
from helpers.enhancement_models import neurons_of, weights_of

from mwork_eval.errors import InputError
from mwork_eval.models import slice_editor
from mwork_eval.models.layout import Layout
from mwork_eval.models.slice_editor import SliceEditor
from mwork_eval.weight_deltas.delta import WeightDelta, applied, apply_delta
from mwork_eval.weight_deltas.parts import TrainedParts, parts_of


def at(*entries):
    return (torch.tensor(entries),)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_overlapping_slices_come_back_bit_by_bit(dtype):
    parameter = torch.nn.Parameter(torch.tensor([1.5, -0.0, float("nan"), float("inf"), 1e-7]).to(dtype))
    before, place = parameter.detach().clone(), parameter.data_ptr()
    with SliceEditor() as outer:
        outer.write(parameter, at(0, 1, 2), 0)
        outer.write(parameter, at(2, 3), torch.tensor([7.0, 8.0], dtype=torch.float64))
        between = parameter.detach().clone()
        with SliceEditor() as inner:
            inner.write(parameter, at(1, 3, 4), -1)
            assert parameter.tolist() == [0, -1, 7, -1, -1]
        assert torch.equal(parameter.view(torch.uint8), between.view(torch.uint8))
    assert torch.equal(parameter.view(torch.uint8), before.view(torch.uint8))
    assert (parameter.data_ptr(), parameter.grad_fn, parameter.requires_grad) == (place, None, True)


@pytest.mark.parametrize("family", ["llama", "phi3", "gpt2", "mixtral"])
def test_a_model_that_changes_its_type_meanwhile_gets_its_values_all_the_same(family):
    model = make_model(family)
    layout = Layout.of(model)
    expected = weights_of(make_model(family).bfloat16())
    with SliceEditor() as editor:
        for block in layout.all_blocks:
            editor.write(block.weight, block.positions(torch.tensor([0, block.size - 1])), 0)
        model.bfloat16()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in model.state_dict().items())


def test_what_is_handed_on_outlives_the_block():
    parameter = torch.arange(4.0)
    with SliceEditor() as editor:
        editor.write(parameter, at(1), 9)
        kept = editor.pop_all()
    assert parameter.tolist() == [0, 9, 2, 3]
    kept.close()
    parameter[1] = 5
    kept.close()
    assert parameter.tolist() == [0, 5, 2, 3]


def test_a_slice_that_cannot_be_put_back_keeps_no_other_one_back():
    first, gone = torch.arange(3.0), torch.arange(3.0)
    editor = SliceEditor()
    editor.write(first, at(0, 1), 5)
    editor.write(gone, at(2), 5)
    gone.resize_(0)
    with pytest.raises(IndexError):
        editor.close()
    assert first.tolist() == [0, 1, 2]


@pytest.fixture
def delta_and_model():
    model = make_model("phi3")
    layout = Layout.of(model)
    trained = TrainedParts(parts_of(layout, neurons_of(layout)))
    with torch.no_grad():
        for value in trained.values.values():
            value.add_(1)
    return WeightDelta.of(layout, trained, {}), layout, model


@pytest.mark.parametrize("number", [0, 1, 7])
def test_a_delta_of_which_a_part_cannot_be_written_leaves_no_part(delta_and_model, monkeypatch, number):
    delta, layout, model = delta_and_model
    before = weights_of(model)
    name = [name for name in delta.tensors if name.endswith(".weight")][number]
    delta.tensors[name] = delta.tensors[name][:, :5]  # values of another width
    with pytest.raises(InputError, match=r"another model; found layers.*\[2, 5\]"):
        apply_delta(layout, delta)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    with pytest.raises(InputError, match=r"another model; found layers.*\[2, 5\]"), applied(layout, delta):
        raise AssertionError
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_an_interruption_between_two_writes_leaves_nothing(delta_and_model, monkeypatch):
    delta, layout, model = delta_and_model
    before, write, written = weights_of(model), slice_editor.write_slice, []

    def interrupted(parameter, places, values):
        write(parameter, places, values)
        written.append(places)
        if len(written) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr("mwork_eval.weight_deltas.parts.write_slice", interrupted)
    with pytest.raises(KeyboardInterrupt):
        apply_delta(layout, delta)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_delta_beneath_a_mask_of_the_same_neurons(delta_and_model):
    from mwork_eval.interventions.zero import zero_neurons

    delta, layout, model = delta_and_model
    before = weights_of(model)
    with applied(layout, delta):
        trained = weights_of(model)
        with zero_neurons(layout, neurons_of(layout)):
            assert not layout.blocks[1, "q"][0].weight.flatten(0, -2)[[0, 2]].any()
        assert all(torch.equal(tensor, trained[name]) for name, tensor in model.state_dict().items())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
