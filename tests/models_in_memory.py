"""Models as one finds them in memory: with hooks, adapters, tied embeddings, in other types and modes."""

import pytest
import torch
from conftest import CONFIGS, make_model


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
