"""Models as one finds them in memory (with hooks, adapters, tied embeddings, in other types and modes), and oracles."""

import copy

import numpy as np
import pytest
import torch
from conftest import CONFIGS, make_model

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


def hooked():
    model = make_model("llama")
    layer = model.model.layers[1]
    layer.register_forward_hook(lambda module, args, output: output + 0.5)
    layer.self_attn.q_proj.register_forward_hook(lambda module, args, output: output + 0.25)
    layer.self_attn.o_proj.register_forward_pre_hook(lambda module, args: (args[0] * 2,))
    model.model.layers[3].mlp.down_proj.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    return model


def tied():
    torch.manual_seed(0)
    config = CONFIGS["gemma3"]()
    config.tie_word_embeddings = True
    model = type(make_model("gemma3"))(config).eval()
    assert model.lm_head.weight is model.model.embed_tokens.weight
    return model


def in_training():
    model = make_model("llama")
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.3
    return model.train()


def with_biases():
    model = make_model("qwen2")
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


def adapted(family="llama", **options):
    peft = pytest.importorskip("peft", reason="peft is optional")
    torch.manual_seed(1)
    given = {
        "target_modules": ["q_proj", "v_proj", "down_proj", "o_proj"],
        "init_lora_weights": False,
        "lora_alpha": 16,
    }
    model = peft.get_peft_model(make_model(family), peft.LoraConfig(**given | options))
    return model.eval()


def with_ia3():
    peft = pytest.importorskip("peft", reason="peft is optional")
    options = {"target_modules": ["k_proj", "down_proj"], "feedforward_modules": ["down_proj"]}
    model = peft.get_peft_model(make_model("llama"), peft.IA3Config(**options, init_ia3_weights=False))
    return model.eval()


def with_a_whole_copy():
    peft = pytest.importorskip("peft", reason="peft is optional")
    options = {"target_modules": ["q_proj"], "modules_to_save": ["down_proj", "v_proj"], "init_lora_weights": False}
    model = peft.get_peft_model(make_model("llama"), peft.LoraConfig(**options))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "modules_to_save" in name:
                parameter.add_(0.1)
    return model.eval()


def parametrised():
    class Doubled(torch.nn.Module):
        def forward(self, weight):
            return 2 * weight

    model = make_model("llama")
    torch.nn.utils.parametrize.register_parametrization(model.model.layers[3].self_attn.q_proj, "weight", Doubled())
    return model


PLAIN = {
    "hooks": hooked,
    "bfloat16": lambda: make_model("llama").bfloat16(),
    "tied": tied,
    "train": in_training,
    "biases": with_biases,
}
ADAPTED = {
    "lora": adapted,
    "lora on q and v": lambda: adapted(target_modules=["q_proj", "v_proj"]),
    "lora everywhere": lambda: adapted(target_modules="all-linear"),
    "dora": lambda: adapted(use_dora=True),
    "ia3": with_ia3,
    "modules_to_save": with_a_whole_copy,
    "parametrised": parametrised,
}
