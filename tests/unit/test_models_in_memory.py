"""Models that are in memory already: neurons off inside a block, and nothing changed by it afterwards."""

import copy
import gc
import weakref
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from conftest import make_model, make_tokenizer
from models_in_memory import ADAPTED, PLAIN, adapted, hooked

from mwork_eval.application.deactivated import deactivated
from mwork_eval.errors import InputError
from mwork_eval.interventions import running
from mwork_eval.lm.model import MworkHF
from mwork_eval.models import slice_editor
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet

IDS = torch.tensor([[5, 9, 300, 17, 42, 8, 77, 120]])
MODULES = {
    **{s: f"self_attn.{s}_proj" for s in "qkvo"},
    **{s: f"mlp.{s}_proj" for s in ("gate", "up", "down")},
}
PLACES = {(0, "q"): [1, 3], (0, "k"): [0], (1, "v"): [2, 5], (1, "o"): [4], (2, "gate"): [7], (2, "up"): [7, 9]}
PLACES |= {(3, "down"): [0, 11], (3, "q"): [2], (3, "v"): [3]}
OTHERS = {(0, "q"): [3, 4], (1, "v"): [5], (3, "down"): [11, 12], (2, "up"): [1]}
BOTH = {place: {*PLACES.get(place, ()), *OTHERS.get(place, ())} for place in {**PLACES, **OTHERS}}


def neurons_of(model, places=PLACES, **about) -> NeuronSet:
    arrays = {place: np.array(indices, np.int32) for place, indices in places.items()}
    return NeuronSet(Layout.of(model).shape, arrays, about)


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        torch.manual_seed(0)
        return model(IDS).logits


def zeroed_copy(model, places=PLACES):
    """Zero neurons of a copy the plain way, by the names of the modules; an adapter is merged before."""
    twin = copy.deepcopy(model)
    if hasattr(twin, "merge_and_unload"):
        twin = twin.merge_and_unload()
    for (layer, structure), indices in places.items():
        module = twin.get_submodule(f"model.layers.{layer}.{MODULES[structure]}")
        parametrised = torch.nn.utils.parametrize.is_parametrized(module)
        weight = module.parametrizations.weight.original if parametrised else module.weight
        with torch.no_grad():
            for index in indices:
                if structure in ("o", "down"):
                    weight[:, index] = 0
                else:
                    weight[index] = 0
                    if module.bias is not None:
                        module.bias[index] = 0
    return twin


def state_of(model) -> dict:
    """Everything that must be as before: values, places in memory, hooks, attributes, modes."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {
        "values": {name: tensor.detach().flatten().view(torch.uint8).clone() for name, tensor in tensors.items()},
        "kept": {name: (t.data_ptr(), t.dtype, t.device, t.requires_grad, t.grad) for name, t in tensors.items()},
        "modules": {
            path: (
                type(module),
                module.training,
                sorted(vars(module)),
                [[*hooks.items()] for name, hooks in vars(module).items() if name.endswith("_hooks")],
            )
            for path, module in model.named_modules()
        },
    }


def assert_same(before: dict, after: dict) -> None:
    assert before["kept"] == after["kept"]
    assert before["modules"] == after["modules"]
    assert before["values"].keys() == after["values"].keys()
    for name, values in before["values"].items():
        assert torch.equal(values, after["values"][name]), name


@pytest.mark.parametrize("make", [*PLAIN.values(), *ADAPTED.values()], ids=[*PLAIN, *ADAPTED])
def test_neurons_are_off_inside_and_nothing_is_changed_afterwards(make):
    model = make()
    exact = make in PLAIN.values()
    whole, off = logits(model), logits(zeroed_copy(model))
    both = logits(zeroed_copy(model, BOTH))
    assert not torch.allclose(whole, off, atol=1e-2)
    before = state_of(model)

    def check(found, wanted):
        assert torch.equal(found, wanted) if exact else torch.allclose(found, wanted, atol=2e-4, rtol=1e-4)

    with deactivated(model, neurons_of(model)) as same:
        assert same is model
        check(logits(model), off)
        with deactivated(model, neurons_of(model, OTHERS)):
            check(logits(model), both)
        check(logits(model), off)
    assert_same(before, state_of(model))
    assert torch.equal(logits(model), whole)
    with pytest.raises(ZeroDivisionError), deactivated(model, neurons_of(model)):  # noqa: SIM117
        with deactivated(model, neurons_of(model, OTHERS)):
            raise ZeroDivisionError
    assert_same(before, state_of(model))
    assert not running._RUNNING


def test_adapters_of_fused_matrices_and_biases():
    for family, targets in (("gpt2", ["c_attn", "c_proj"]), ("phi3", ["qkv_proj", "down_proj"]), ("qwen2", ["q_proj"])):
        check_against_the_merged_model(adapted(family, target_modules=targets))


def test_adapters_of_experts():
    targets = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
    check_against_the_merged_model(adapted("mixtral", target_modules=["q_proj"], target_parameters=targets))
    check_against_the_merged_model(adapted("qwen3-moe", target_modules=["q_proj"]))


def check_against_the_merged_model(model):
    layout = Layout.of(model)
    places = {place: [1, block.size - 1] for place, block in layout.blocks.items()}
    others = {place: [0, 1] for place in layout.blocks if place[0] > 1}
    merged = copy.deepcopy(model).merge_and_unload()
    twin = Layout.of(merged)
    assert all(block.writable for block in twin.blocks.values())
    assert twin.shape == layout.shape
    before, whole = state_of(model), logits(model)
    with deactivated(model, neurons_of(model, places)), deactivated(merged, neurons_of(merged, places)):
        once = logits(merged)
        assert torch.allclose(logits(model), once, atol=2e-4, rtol=1e-4)
        with deactivated(model, neurons_of(model, others)), deactivated(merged, neurons_of(merged, others)):
            assert not torch.allclose(logits(merged), once, atol=1e-2)
            assert torch.allclose(logits(model), logits(merged), atol=2e-4, rtol=1e-4)
        assert torch.allclose(logits(model), once, atol=2e-4, rtol=1e-4)
    assert_same(before, state_of(model))
    assert torch.equal(logits(model), whole)


def test_hooks_on_an_adapted_projection_see_what_zero_weights_would_give():
    model = adapted()
    layer = model.get_base_model().model.layers[0]
    layer.self_attn.q_proj.register_forward_hook(lambda module, args, output: output + 0.25)
    layer.mlp.down_proj.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    twin = copy.deepcopy(model)
    projections = twin.get_base_model().model.layers[0]
    with torch.no_grad():
        for weight in (projections.self_attn.q_proj.weight, projections.self_attn.q_proj.lora_B["default"].weight):
            weight[3] = 0
        for weight in (projections.mlp.down_proj.weight, projections.mlp.down_proj.lora_A["default"].weight):
            weight[:, 5] = 0
    with deactivated(model, neurons_of(model, {(0, "q"): [3], (0, "down"): [5]})):
        assert torch.allclose(logits(model), logits(twin), atol=1e-5)


def test_an_adapter_beneath_a_mask_may_be_turned_off_and_on():
    model, base = adapted(), make_model("llama")
    with deactivated(model, neurons_of(model)):
        with model.disable_adapter():
            assert torch.allclose(logits(model), logits(zeroed_copy(base)), atol=2e-4, rtol=1e-4)
        assert torch.allclose(logits(model), logits(zeroed_copy(model)), atol=2e-4, rtol=1e-4)


def test_an_adapter_without_a_wrapper_of_the_model():
    peft = pytest.importorskip("peft", reason="peft is optional")
    model = make_model("llama")
    model.add_adapter(peft.LoraConfig(target_modules=["q_proj", "down_proj"], init_lora_weights=False))
    twin = copy.deepcopy(model)
    for module in list(twin.modules()):
        if hasattr(module, "lora_A"):
            module.merge()
    layout, before = Layout.of(twin), state_of(model)
    for (layer, structure), indices in PLACES.items():
        with torch.no_grad():
            layout.blocks[layer, structure].weight[indices] = 0
    with deactivated(model, neurons_of(model)):
        assert torch.allclose(logits(model), logits(twin), atol=2e-4, rtol=1e-4)
    assert_same(before, state_of(model))


def test_generation_and_gradients_inside_the_block():
    model = hooked()
    twin = zeroed_copy(model)
    with deactivated(model, neurons_of(model)):
        assert torch.equal(model.generate(IDS, max_new_tokens=5), twin.generate(IDS, max_new_tokens=5))
        model(IDS).logits.sum().backward()
    twin(IDS).logits.sum().backward()
    for mine, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(mine.grad, theirs.grad)


@pytest.mark.parametrize(("make", "number"), [(hooked, 1), (hooked, 5), (hooked, 9), (adapted, 1), (adapted, 3)])
def test_a_part_that_cannot_be_written_leaves_the_model_as_it_was(make, number, monkeypatch):
    model = make()
    before, write, written = state_of(model), slice_editor.write_slice, []

    def failing(parameter, at, values):
        written.append(at)
        if len(written) == number:
            raise RuntimeError("no writing here")
        write(parameter, at, values)

    with deactivated(model, neurons_of(model, OTHERS)):
        inside = state_of(model)
        block = deactivated(model, neurons_of(model))
        monkeypatch.setattr(slice_editor, "write_slice", failing)
        with pytest.raises(RuntimeError, match="no writing here"):
            block.__enter__()
        monkeypatch.undo()
        assert_same(inside, state_of(model))
    assert_same(before, state_of(model))
    assert not running._RUNNING


def test_two_models_do_not_disturb_each_other():
    first, second = hooked(), adapted()
    whole, off = [logits(m) for m in (first, second)], [logits(zeroed_copy(m)) for m in (first, second)]
    before = [state_of(m) for m in (first, second)]
    one, two = deactivated(first, neurons_of(first)), deactivated(second, neurons_of(second))
    with ExitStack() as of_first:
        of_first.enter_context(one)
        assert torch.equal(logits(first), off[0])
        assert torch.equal(logits(second), whole[1])
        with two:
            assert torch.equal(logits(first), off[0])
            assert torch.allclose(logits(second), off[1], atol=2e-4, rtol=1e-4)
            of_first.close()
            assert torch.equal(logits(first), whole[0])
            assert torch.allclose(logits(second), off[1], atol=2e-4, rtol=1e-4)
    for model, earlier in zip((first, second), before, strict=True):
        assert_same(earlier, state_of(model))


def test_blocks_that_end_in_another_order_than_they_began():
    model = hooked()
    before, both = state_of(model), logits(zeroed_copy(model, BOTH))
    outer, inner = deactivated(model, neurons_of(model)), deactivated(model, neurons_of(model, OTHERS))
    with ExitStack() as stack:
        outer.__enter__()
        stack.enter_context(inner)
        outer.__exit__(None, None, None)
        assert torch.equal(logits(model), both)
    assert_same(before, state_of(model))
    assert not running._RUNNING


def test_a_set_is_compared_with_the_weights_beneath_the_blocks():
    model, other = make_model("llama"), make_model("llama", seed=1)
    every = {(layer, "q"): range(24) for layer in range(4)}
    fingerprint = fingerprint_of(model)
    outer, inner = (neurons_of(model, places, fingerprint=fingerprint) for places in (every, OTHERS))
    with deactivated(model, outer):
        assert fingerprint_of(model) != fingerprint
        assert running.fingerprint_without(model) == fingerprint
        with deactivated(model, inner):
            assert running.running_on(model) == (outer.digest_unordered, inner.digest_unordered)
        with pytest.raises(InputError, match="made for other weights"), deactivated(other, inner):
            raise AssertionError
    with deactivated(model, neurons_of(model, every)), deactivated(model, inner):
        pass
    with pytest.raises(InputError, match="made for other weights"), deactivated(other, inner):
        raise AssertionError
    with deactivated(other, inner, force=True):
        assert running.running_on(other)
    assert not running.running_on(model)
    with pytest.raises(InputError, match=r"made for an unnamed model.*does not fit"):
        deactivated(make_model("gemma3"), inner, force=True).__enter__()


def test_a_set_of_the_base_is_of_other_weights_than_an_adapted_model():
    model = adapted()
    own = neurons_of(model, fingerprint=fingerprint_of(model))
    of_base = neurons_of(model, fingerprint=fingerprint_of(make_model("llama")))
    with deactivated(model, own), deactivated(model, own):
        pass
    with pytest.raises(InputError, match=r"made for other weights.*force"), deactivated(model, of_base):
        raise AssertionError
    with deactivated(model, of_base, force=True):
        pass


def test_hooks_are_refused_where_a_compiled_model_would_not_see_them():
    model, plain = adapted(), make_model("llama")
    compilations = torch.compile(model), torch.compile(model.get_base_model())
    before = state_of(model)
    for compiled in compilations:
        with pytest.raises(InputError, match="compiled model does not see"), deactivated(compiled, neurons_of(model)):
            raise AssertionError
    with deactivated(torch.compile(plain), neurons_of(plain)):
        assert torch.equal(logits(plain), logits(zeroed_copy(make_model("llama"))))
    assert_same(before, state_of(model))


@pytest.mark.parametrize("make", [hooked, adapted])
def test_nothing_keeps_the_model_alive(make):
    model = make()
    with deactivated(model, neurons_of(model)), deactivated(model, neurons_of(model, OTHERS)):
        logits(model)
    with pytest.raises(ZeroDivisionError), deactivated(model, neurons_of(model)):
        raise ZeroDivisionError
    ended = weakref.ref(model), weakref.ref(next(model.parameters()))
    del model
    gc.collect()
    assert [reference() for reference in ended] == [None, None]


def test_mwork_hf_masks_an_adapted_model_in_memory_without_merging():
    model, tokenizer = adapted(target_modules=["q_proj", "v_proj"]), make_tokenizer()
    before, off = state_of(model), logits(zeroed_copy(model))
    lm = MworkHF(model, tokenizer=tokenizer, batch_size=1)
    assert lm.model is model
    lm.mask(neurons_of(model))
    assert lm.masked["by"] == "weights and activations"
    assert torch.allclose(logits(model), off, atol=2e-4, rtol=1e-4)
    lm.unmask()
    assert_same(before, state_of(model))
    assert lm.fingerprint == fingerprint_of(model)


def test_the_identity_of_a_model_in_memory_tells_what_weights_do_not():
    model, tokenizer = adapted(), make_tokenizer()

    def identity():
        lm = MworkHF(model, tokenizer=tokenizer, batch_size=1)
        return lm.fingerprint, lm.identity

    plain, found = identity(), []
    with deactivated(model, neurons_of(model, {(0, "q"): [1]})):  # beneath the adapter: no weight changes
        found.append(identity())
    with deactivated(model, neurons_of(model, {(0, "k"): [1]})):
        found.append(identity())
    with model.disable_adapter():
        found.append(identity())
    for layer in model.get_base_model().model.layers:
        layer.self_attn.q_proj.scaling["default"] *= 2
    found.append(identity())
    assert {fingerprint for fingerprint, _ in found} == {plain[0]}
    assert len({plain[1], *(digest for _, digest in found)}) == 5
