"""Models with adapters of peft in memory: neurons off beneath an adapter that is neither merged nor changed."""

import copy

import pytest
import torch
from conftest import make_model, make_tokenizer
from helpers.models_in_memory import PLACES, adapted, assert_same, logits, neurons_of, state_of, zeroed_copy

from mwork_eval.application.deactivated import deactivated
from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.errors import InputError
from mwork_eval.lm.model import MworkHF
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.weight_deltas.parts import parts_of


def test_adapters_of_fused_matrices_and_biases():
    targets = {"llama": "all-linear", "gpt2": ["c_attn", "c_proj"], "phi3": ["qkv_proj", "down_proj"]}
    for family, modules in (targets | {"qwen2": ["q_proj"]}).items():
        check_against_the_merged_model(adapted(family, target_modules=modules))


def test_adapters_of_experts():
    targets = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
    check_against_the_merged_model(adapted("mixtral", target_modules=["q_proj"], target_parameters=targets))
    check_against_the_merged_model(adapted("qwen3-moe", target_modules=["q_proj"]))


def check_against_the_merged_model(model):
    layout = Layout.of(model)
    places = {place: [1, block.size - 1] for place, (block,) in layout.blocks.items()}
    others = {place: [0, 1] for place in layout.blocks if place[0] > 1}
    merged = copy.deepcopy(model).merge_and_unload()
    twin = Layout.of(merged)
    assert all(block.writable for block in twin.all_blocks)
    assert twin.shape == layout.shape
    before, whole = state_of(model), logits(model)
    for (layer, structure), (block,) in layout.blocks.items():
        if not block.experts:
            assert torch.allclose(layout.weight(layer, structure), twin.weight(layer, structure), atol=1e-5)
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
            layout.blocks[layer, structure][0].weight[indices] = 0
    with deactivated(model, neurons_of(model)):
        assert torch.allclose(logits(model), logits(twin), atol=2e-4, rtol=1e-4)
    assert_same(before, state_of(model))


def test_a_set_of_the_base_is_of_other_weights_than_an_adapted_model():
    model = adapted()
    own = neurons_of(model, fingerprint=fingerprint_of(Layout.of(model).model))  # as detection tells it
    of_base = neurons_of(model, fingerprint=fingerprint_of(make_model("llama")))
    with deactivated(model, own), deactivated(model, own):
        pass
    with pytest.raises(InputError, match=r"made for other weights.*force"), deactivated(model, of_base):
        raise AssertionError
    with deactivated(model, of_base, force=True):
        pass


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
    assert lm.fingerprint == fingerprint_of(Layout.of(model).model)


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


def test_scores_and_weights_beneath_an_adapter_are_those_of_the_merged_model():
    model = adapted(target_modules=["q_proj", "v_proj", "o_proj", "down_proj"], lora_dropout=0.1)
    layout, merged = Layout.of(model), Layout.of(copy.deepcopy(model).merge_and_unload())
    tokens = [5, 9, 300, 17, 42, 8]
    found, expected = (Scorer(one).score([tokens])[0] for one in (layout, merged))
    for place, scores in expected.items():
        assert found[place] == pytest.approx(scores, rel=1e-3, abs=1e-6), place
    model.train()
    with pytest.raises(InputError, match=r"beneath an adapter cannot be read.*model\.eval"):
        layout.weight(0, "o")


def test_what_is_trained_beneath_an_adapter_is_refused():
    model = adapted()
    with pytest.raises(InputError, match=r"layers\.0\.q cannot be trained; found weights beneath an adapter.*merge"):
        parts_of(Layout.of(model), neurons_of(model))
