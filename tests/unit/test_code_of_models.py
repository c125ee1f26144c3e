"""Models that bring code of their own: nothing of it runs unless that is said."""

import json

import pytest
import torch
from conftest import make_model, make_tokenizer
from helpers.commands import mwork

import mwork_eval
from mwork_eval.errors import InputError

CODE = '''
from pathlib import Path

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaMLP

Path("MARK").touch()


class OwnConfig(LlamaConfig):
    model_type = "own_llama"


class OwnAttention(LlamaAttention):
    """Attention whose projections are called otherwise."""

    def __init__(self, config, layer_idx):
        super().__init__(config, layer_idx)
        for old, new in (("q_proj", "wq"), ("k_proj", "wk"), ("v_proj", "wv"), ("o_proj", "wo")):
            self._modules[new] = self._modules.pop(old)

    q_proj, k_proj, v_proj, o_proj = (property(lambda self, n=n: self._modules[n]) for n in ("wq", "wk", "wv", "wo"))


class OwnForCausalLM(LlamaForCausalLM):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        for number, layer in enumerate(self.model.layers):
            layer.self_attn = OwnAttention(config, number)
        self.post_init()
'''


@pytest.fixture
def own_code(tmp_path, monkeypatch):
    """A folder of a model with its own code, which leaves a mark where it runs."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    folder, mark = tmp_path / "own-llama", tmp_path / "ran"
    make_model("llama").save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    (folder / "modeling_own.py").write_text(CODE.replace("MARK", str(mark)))
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "own_llama",
        "architectures": ["OwnForCausalLM"],
        "auto_map": {"AutoConfig": "modeling_own.OwnConfig", "AutoModelForCausalLM": "modeling_own.OwnForCausalLM"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder, mark


COMMANDS = {
    "inspect": lambda folder, out: ["inspect", folder],
    "inspect --verify": lambda folder, out: ["inspect", folder, "--verify", "--device", "cpu"],
    "detect": lambda folder, out: ["detect", "--model", folder, "--languages", "en,de", "--out", out],
    "detect --dry-run": lambda folder, out: [
        "detect",
        "--model",
        folder,
        "--languages",
        "en",
        "--dry-run",
        "--out",
        out,
    ],
    "run --dry-run": lambda folder, out: ["run", "--model", folder, "--dry-run", "--out", out],
    "lens": lambda folder, out: ["lens", "--model", folder, "--text", "de=embedded", "--limit", "1"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_without_the_flag_no_code_runs_and_the_error_names_it(command, own_code, tmp_path):
    folder, mark = own_code
    told = mwork(*COMMANDS[command](folder, tmp_path / "out"), code=2)
    assert f"model {folder} brings code of its own, which is not run unless you say so" in told
    assert "--trust-remote-code" in told
    assert not mark.exists()


def test_without_it_python_is_told_the_same(own_code):
    folder, mark = own_code
    for call in (mwork_eval.load_model, mwork_eval.inspect):
        with pytest.raises(InputError, match=r"brings code of its own.*give `trust_remote_code=True`"):
            call(folder)
    with pytest.raises(InputError, match="unusable trust_remote_code; found 'no'; expected True or False"):
        mwork_eval.load_model(folder, trust_remote_code="no")
    assert not mark.exists()


def test_with_it_the_model_is_read_and_scored(own_code, tmp_path):
    folder, mark = own_code
    printed = mwork("inspect", folder, "--verify", "--device", "cpu", "--dtype", "float32", "--trust-remote-code")
    assert mark.exists()
    assert ": own-llama, 4 layers" in printed
    assert "verified in layers 0-1, 3" in printed
    told = mwork(
        *["detect", "--model", folder, "--languages", "en,de", "--max-docs", "2", "--max-tokens", "24"],
        *["--min-tokens", "4", "--device", "cpu", "--trust-remote-code", "--out", tmp_path / "found"],
    )
    assert "no test covers own_llama" in told
    model, tokenizer = mwork_eval.load_model(folder, device="cpu", trust_remote_code=True)
    assert type(model).__name__ == "OwnForCausalLM"
    assert mwork_eval.inspect(model, tokenizer).shape.family == "own-llama"
    looked = mwork("lens", "--model", folder, "--text", "de=embedded", "--limit", "1", "--trust-remote-code")
    assert "de" in looked
    assert torch.isfinite(model(torch.tensor([[1, 2, 3]])).logits).all()
