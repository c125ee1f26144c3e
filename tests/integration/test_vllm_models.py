"""`mwork-vllm` on tiny models: weights that vLLM fuses, biases, experts, deltas, ranks, faults, and the command."""

import json
from contextlib import contextmanager

import numpy as np
import pytest
import torch
import transformers
from conftest import make_tokenizer
from helpers.chat_models import PLAIN
from helpers.commands import lm_eval, lm_eval_from_scratch
from helpers.vllm_models import NEEDS_VLLM, alone, save_tiny
from lm_eval.api.instance import Instance
from safetensors.torch import load_file, save_file
from tokenizers.processors import TemplateProcessing

from mwork_eval.errors import InputError
from mwork_eval.lm.model import MworkHF
from mwork_eval.lm.vllm.fault import EngineFaultError
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.weight_deltas.delta import WeightDelta

pytestmark = NEEDS_VLLM

ARGUMENTS = {"dtype": "float32", "enforce_eager": True, "max_model_len": 256}
PAIRS = [("one two three", " four five six seven"), ("一二三", "四五六"), ("", "one two")]


@contextmanager
def started(folder, **more):
    from mwork_eval.lm.vllm.entry import MworkVLLM

    with alone():
        model = MworkVLLM(str(folder), **ARGUMENTS, **more)
        model.show_progress = False
        try:
            yield model
        finally:
            model.close()


def values(model) -> list[float]:
    asked = [Instance("loglikelihood", {}, pair, 0) for pair in PAIRS]
    return [value for value, _ in model.loglikelihood(asked, disable_tqdm=True)]


def some_neurons(model, seed: int = 0) -> NeuronSet:
    """A third of the neurons of each structure, of every layer but the first."""
    draw = np.random.default_rng(seed)
    places = {
        (layer, structure): draw.permutation(size)[: size // 3]
        for layer, sizes in enumerate(model.shape.sizes)
        for structure, size in sizes.items()
        if layer and structure in ("q", "k", "v", "up", "down")
    }
    return NeuronSet(model.shape, places, {"fingerprint": model.fingerprint, "language": "zh"})


def near(expected):
    return pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("family", ["phi3", "mixtral", "qwen2"])
def test_masks_are_those_of_mwork_hf(family, tmp_path, caplog):
    folder = save_tiny(family, tmp_path / family)
    hf = MworkHF(str(folder), device="cpu", dtype="float32")
    with started(folder) as model:
        neurons, before = some_neurons(hf), values(model)
        assert before == near(values(hf))
        hf.mask(neurons)
        model.mask(neurons)
        assert values(model) == near(values(hf))
        assert values(model) != near(before)
        model.unmask()
        assert values(model) == before
    # Of experts on CPUs, vLLM 0.32 does not load weights again rightly.
    assert ("every mask gets an engine of its own" in caplog.text) == (family == "mixtral")


def test_a_mask_that_changes_nothing_is_told(tmp_path, caplog):
    folder = save_tiny("llama", tmp_path / "llama")
    stored = load_file(folder / "model.safetensors")
    stored["model.layers.1.mlp.up_proj.weight"][5] = 0
    save_file(stored, folder / "model.safetensors", {"format": "pt"})
    with started(folder) as model:
        before = values(model)
        for neuron, told in ((6, False), (5, True)):
            model.mask(NeuronSet(model.shape, {(1, "up"): np.array([neuron])}))
            assert (values(model) == before) == told
            assert ("all of which vLLM has read, changes nothing in 6 short texts and nothing" in caplog.text) == told


def test_texts_are_given_as_mwork_hf_gives_them(tmp_path):
    folder = save_tiny("llama", tmp_path / "llama")
    backend = make_tokenizer().backend_tokenizer
    backend.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    roles = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **roles)
    tokenizer.chat_template = PLAIN
    tokenizer.save_pretrained(folder)
    hf = MworkHF(str(folder), device="cpu", dtype="float32", max_length=256)
    chat = [{"role": "system", "content": "one"}, {"role": "user", "content": "two"}]
    arguments = {"until": ["@@"], "max_gen_toks": 8}
    prompts = ["one two", "", "<s>one", "four five six seven eight nine ten " * 30]
    with started(folder) as model:
        found = []
        for one in (hf, model):
            asked = [
                Instance("generate_until", {}, (prompt, arguments), 0, metadata=("texts", n, 1))
                for n, prompt in enumerate(prompts)
            ]
            # vLLM leaves out the first bytes of a character whose others are not there.
            answers = [answer.rstrip("\ufffd") for answer in one.generate_until(asked, disable_tqdm=True)]
            found.append((answers, one.apply_chat_template(chat), one.truncated))
            one.forget_truncated()
            one.note_truncated("generate_until", asked)
            assert one.truncated == {"texts": {3}}
            with pytest.raises(InputError, match="no room for the answers"):
                one.generate_until([Instance("generate_until", {}, ("one", {"max_gen_toks": 256}), 0)], True)
            with pytest.raises(InputError, match="an answer to choose from has no token"):
                one.loglikelihood([Instance("loglikelihood", {}, ("one", ""), 0)], True)
        assert found[0] == found[1]
        with pytest.raises(InputError, match=r"vLLM cannot generate as it is asked to.*num_beams"):
            model.generate_until(
                [Instance("generate_until", {}, ("one", {"num_beams": 2, "max_gen_toks": 4}), 0)], True
            )
        # vLLM takes two tokens less of a text that it scores.
        shorter = MworkHF(str(folder), device="cpu", dtype="float32", max_length=254)
        whole = ["one two three", "<s>nine", "猫" * 90]
        texts = [Instance("loglikelihood_rolling", {}, (text,), 0) for text in whole]
        assert len(hf.tok_encode(whole[2])) > 256
        assert model.loglikelihood_rolling(texts, True) == near(shorter.loglikelihood_rolling(texts, True))


def test_a_delta_and_a_mask_on_it(tmp_path):
    folder = save_tiny("llama", tmp_path / "llama")
    hf = MworkHF(str(folder), device="cpu", dtype="float32")
    torch.manual_seed(0)
    new = {"layers.1.up.neurons": torch.tensor([3, 5], dtype=torch.int32), "layers.1.up.weight": torch.randn(2, 128)}
    delta = WeightDelta(hf.shape, new, {"fingerprint": hf.fingerprint})
    with started(folder) as model:
        base, base_identity = values(model), model.identity
        found = []
        for one in (hf, model):
            one.put_delta(delta)
            with_delta = values(one)
            one.mask(some_neurons(hf))
            masked = values(one)
            one.unmask()
            assert values(one) == with_delta
            found.append([*with_delta, *masked])
        assert found[1] == near(found[0])
        assert model.identity != base_identity
        model.put_delta(None)
        assert values(model) == base
        assert model.identity == base_identity


def test_an_engine_that_answers_otherwise_is_replaced(tmp_path, monkeypatch):
    folder = save_tiny("llama", tmp_path / "llama")
    with started(folder) as model:
        before, neurons = values(model), some_neurons(model)
        model.mask(neurons)
        masked = values(model)
        probe = model._engine._probe
        monkeypatch.setattr(
            model._engine, "_probe", lambda rows: tuple(tuple(v - 1e-6 for v in row) for row in probe(rows))
        )
        with pytest.raises(EngineFaultError, match=r"does not answer as it did.*found \d+ of \d+ log-probabilities"):
            model.unmask()
        monkeypatch.undo()
        with pytest.raises(EngineFaultError, match="start a new engine"):
            model.mask(neurons)
        assert model.masked is None
        model.restart()
        assert values(model) == before
        model.mask(neurons)
        assert values(model) == masked


def test_an_engine_that_was_started_with_a_mask_can_lose_it(tmp_path):
    folder = save_tiny("llama", tmp_path / "llama")
    hf = MworkHF(str(folder), device="cpu", dtype="float32")
    save_neuron_set(some_neurons(hf), tmp_path / "zh.safetensors")
    plain = values(hf)
    hf.mask(some_neurons(hf))
    with started(folder, neurons=str(tmp_path / "zh.safetensors")) as model:
        first = values(model)
        assert first == near(values(hf))
        model.unmask()
        assert values(model) == near(plain)
        model.mask(some_neurons(hf))
        assert values(model) == first


def asked(*arguments: str) -> list[str]:
    model_args = ",".join([*(f"{key}={value}" for key, value in ARGUMENTS.items()), *arguments])
    task = ["--tasks", "bpb_zh", "--limit", "2", "--metadata", "data=embedded"]
    return ["--model", "mwork-vllm", "--model_args", model_args, *task]


def test_the_command_says_what_is_masked(tmp_path, monkeypatch):
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    folder = save_tiny("llama", tmp_path / "llama")
    hf = MworkHF(str(folder), device="cpu", dtype="float32")
    save_neuron_set(some_neurons(hf), tmp_path / "zh.safetensors")
    command = asked(f"pretrained={folder},neurons={tmp_path}/zh.safetensors,positions=gen")
    # vLLM's threads want an interpreter of their own: one that was forked may abort at its end.
    done = lm_eval_from_scratch(*command, "--output_path", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "deactivated" in done.stderr
    (results,) = (tmp_path / "out").rglob("results_*.json")
    told = json.loads(results.read_text())["config"]["mwork"]
    assert told["masked"]["positions"] == "gen"
    assert told["fingerprint"] == hf.fingerprint
    assert told["engine"]["name"] == "vllm"
    assert "__masked-zh-" in str(results)


def test_what_cannot_be_done_is_one_line(tmp_path):
    folder = save_tiny("llama", tmp_path / "llama")
    save_neuron_set(some_neurons(MworkHF(str(folder), device="cpu")), tmp_path / "zh.safetensors")
    config = json.loads((folder / "config.json").read_text())
    quantised = save_tiny("llama", tmp_path / "quantised")
    (quantised / "config.json").write_text(
        json.dumps(config | {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}})
    )
    cases = {
        f"pretrained={folder},neurons=gemma3-270m/zh": "does not fit",
        f"pretrained={quantised},neurons={tmp_path}/zh.safetensors": "quantised already",
        f"pretrained={folder},no_such_argument=1": "vLLM cannot load",
    }
    for arguments, told in cases.items():
        done = lm_eval(*asked(arguments))
        assert done.returncode == 2, done.stderr
        # Libraries that count what they have not freed write below it.
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
        assert told in line
        assert "Traceback" not in done.stderr


def test_arguments_that_exclude_each_other_are_refused_before_anything_starts(tmp_path):
    from mwork_eval.lm.vllm.entry import MworkVLLM

    folder = save_tiny("llama", tmp_path / "llama")
    hf = MworkHF(str(folder), device="cpu", dtype="float32")
    only_last = NeuronSet(hf.shape, {(3, "up"): np.array([1])}, {"fingerprint": hf.fingerprint})
    save_neuron_set(only_last, tmp_path / "zh.safetensors")
    neurons = {"neurons": str(tmp_path / "zh.safetensors")}
    for arguments, told in (
        ({"positions": "under", **neurons}, "nothing to deactivate at under"),
        ({"positions": "under"}, "positions, layers, count and random_control choose from a set"),
        ({"lora_local_path": "adapter", **neurons}, "a LoRA adapter would add to neurons"),
        ({"load_format": "dummy"}, "cannot load weights in this format"),
        ({"worker_extension_cls": "mine.Worker"}, "vLLM takes one worker extension"),
        ({"delta": "x"}, "not a delta"),
    ):
        with pytest.raises(InputError, match=told):
            MworkVLLM(str(folder), **arguments)
