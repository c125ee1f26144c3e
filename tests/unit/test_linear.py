"""Linear layers through another library give the same numbers."""

import pytest
import torch
from torch import nn

from mwork_eval.models import linear as module
from mwork_eval.models.linear import faster_linears, linear, replaceable_linears

needs_onednn = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="PyTorch without oneDNN")


@pytest.fixture
def faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_onednn_is_faster", lambda: True)


@needs_onednn
@pytest.mark.parametrize("shape", [(1, 24), (7, 24), (2, 5, 24)])
@pytest.mark.parametrize("bias", [True, False])
def test_the_product_is_that_of_float64(faster: None, shape: tuple[int, ...], bias: bool) -> None:
    layer = nn.Linear(24, 40, bias=bias)
    states = torch.randn(shape)
    with torch.no_grad():
        found = linear(states, layer.weight, layer.bias)
        expected = layer.double()(states.double())
    assert found.dtype == torch.float32
    assert found.shape == (*shape[:-1], 40)
    assert torch.allclose(found.double(), expected, atol=1e-5)


@needs_onednn
def test_layers_are_replaced_inside_the_context_only_and_see_changed_weights(
    faster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4, bias=False))
    states, calls = torch.randn(3, 8), []
    monkeypatch.setattr(module, "linear", lambda *args: calls.append(args) or linear(*args))
    layers = replaceable_linears(model.modules())
    with torch.no_grad(), faster_linears(layers):
        model[2].weight[1] = 0
        inside = model(states)
    assert len(calls) == 2
    assert torch.equal(inside[:, 1], torch.zeros(3))
    with torch.no_grad():
        assert torch.allclose(model(states), inside, atol=1e-6)
        assert len(calls) == 2


@needs_onednn
def test_layers_come_back_after_an_exception(faster: None) -> None:
    model = nn.Sequential(nn.Linear(8, 16))
    with pytest.raises(RuntimeError), torch.no_grad(), faster_linears(replaceable_linears(model)):
        model(torch.randn(3, 9))
    assert "forward" not in model[0].__dict__


def test_gradients_take_pytorchs_own_way(faster: None) -> None:
    layer = nn.Linear(8, 16)
    linear(torch.randn(3, 8), layer.weight, layer.bias).sum().backward()
    assert layer.weight.grad is not None
    assert torch.equal(layer.bias.grad, torch.full((16,), 3.0))


def test_other_types_and_offloaded_layers_are_left_alone(faster: None) -> None:
    half, offloaded, special = (
        nn.Linear(4, 4).bfloat16(),
        nn.Linear(4, 4),
        nn.modules.linear.NonDynamicallyQuantizableLinear(4, 4),
    )
    offloaded.forward = lambda states: states
    assert replaceable_linears([half, offloaded, special]) == []
    with torch.no_grad():
        assert linear(torch.ones(1, 4, dtype=torch.bfloat16), half.weight).dtype == torch.bfloat16


def test_nothing_is_replaced_where_it_would_not_be_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_onednn_is_faster", lambda: False)
    assert replaceable_linears([nn.Linear(4, 4)]) == []
