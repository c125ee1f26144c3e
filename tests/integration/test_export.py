"""`mwork export`: what its files hold, byte by byte, and that every loader takes them for the masked model."""

import errno
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CONFIGS, make_model, make_tokenizer
from helpers.commands import lm_eval, mwork
from transformers import AutoModelForCausalLM

import mwork_eval as mw
from mwork_eval.checkpoints import export as writing
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet

ROWS = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "up": "mlp.up_proj"}
"""Where a Llama or a Gemma has them; written down here once more, as the exporter reads it off the modules."""


def read(folder: Path) -> dict[str, tuple[list[int], np.ndarray]]:
    """Read safetensors files by the description of their format: per tensor its shape and its bytes."""
    found = {}
    for file in sorted(folder.glob("*.safetensors")):
        content = file.read_bytes()
        size = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + size])
        header.pop("__metadata__", None)
        for name, entry in header.items():
            start, stop = entry["data_offsets"]
            bytes_of = np.frombuffer(content, np.uint8)[8 + size + start : 8 + size + stop]
            found[name] = (entry["shape"], bytes_of)
    return found


def differing_rows(source: Path, copy: Path) -> dict[str, set[int]]:
    """Return, per tensor that differs, the rows in which it does; all of these must be zero."""
    before, after = read(source), read(copy)
    assert list(before) == list(after)
    found = {}
    for name, (shape, old) in before.items():
        assert after[name][0] == shape
        rows = np.flatnonzero((old != after[name][1]).reshape(shape[0], -1).any(1))
        assert not after[name][1].reshape(shape[0], -1)[rows].any()
        if len(rows):
            found[name] = set(rows.tolist())
    return found


def expected_rows(neurons: NeuronSet, stem: str = "model.layers", biases: bool = False) -> dict[str, set[int]]:
    found = {}
    for (layer, structure), members in neurons.indices.items():
        for kind in ("weight", "bias") if biases and structure in "qkv" else ("weight",):
            found[f"{stem}.{layer}.{ROWS[structure]}.{kind}"] = set(members.tolist())
    return found


def some_neurons(folder: Path, structures: str = "q k v up") -> NeuronSet:
    """Return some neurons of each structure of a saved model, and what a set says of its model."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    shape = Layout.of(model).shape
    generator = np.random.default_rng(0)
    drawn = {
        (layer, structure): generator.permutation(sizes[structure])[:3].astype(np.int32)
        for layer, sizes in enumerate(shape.sizes)
        for structure in structures.split()
    }
    return NeuronSet(shape, drawn, {"model": str(folder), "fingerprint": mw_fingerprint(model), "language": "zh"})


def mw_fingerprint(model: torch.nn.Module) -> str:
    from mwork_eval.models.fingerprint import fingerprint_of

    return fingerprint_of(model)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A folder with a tiny Qwen 2, which has biases, in several files, with its tokenizer, and a set of it."""
    folder = tmp_path_factory.mktemp("tiny")
    make_model("qwen2").save_pretrained(folder / "model", max_shard_size="20KB")
    make_tokenizer().save_pretrained(folder / "model")
    assert len(list((folder / "model").glob("*.safetensors"))) > 2
    save_neuron_set(some_neurons(folder / "model"), folder / "zh.safetensors")
    return folder


@pytest.fixture(autouse=True)
def there(tiny, monkeypatch):
    monkeypatch.chdir(tiny)


def test_rows_of_the_set_are_zero_and_no_other_byte_differs(tiny: Path, tmp_path: Path) -> None:
    printed = mwork("export", "--model", "model", "--neurons", "zh.safetensors", "--out", tmp_path / "out")
    neurons = mw.read_neurons(tiny / "zh.safetensors")
    assert f"{len(neurons)} neurons of zh switched off" in printed
    assert differing_rows(tiny / "model", tmp_path / "out") == expected_rows(neurons, biases=True)
    for file in (tiny / "model").iterdir():
        if file.suffix != ".safetensors":
            assert (tmp_path / "out" / file.name).read_bytes() == file.read_bytes()
    card = (tmp_path / "out" / "README.md").read_text()
    assert "not the original model" in card
    assert neurons.digest_unordered in card
    record = json.loads((tmp_path / "out" / "mwork_export.json").read_text())
    assert set(record["tensors"]) == set(expected_rows(neurons, biases=True))


def test_what_to_do_next_and_the_card_hold_elsewhere(tiny: Path, tmp_path: Path) -> None:
    printed = mwork("export", "--model", "model", "--neurons", tiny / "zh.safetensors", "--out", tmp_path / "a b")
    (command,) = [line for line in printed.splitlines() if "lm_eval" in line]
    assert f"pretrained={tmp_path / 'a b'}" in shlex.split(command)
    card = (tmp_path / "a b" / "README.md").read_text()
    assert "| neurons | `zh.safetensors` |" in card
    assert str(tmp_path.parent) not in card


def test_hf_answers_on_it_as_mwork_hf_does_with_the_mask(tmp_path: Path) -> None:
    own = ("--model", "model", "--neurons", "zh.safetensors")
    mwork("export", *own, "--positions", "under", "--out", tmp_path / "out")
    asked = ("--tasks", "bpb_zh", "--limit", "2", "--device", "cpu", "--log_samples")
    runs = {
        "masked": ("mwork-hf", "pretrained=model,neurons=zh.safetensors,positions=under"),
        "exported": ("mwork-hf", f"pretrained={tmp_path / 'out'}"),
        "hf": ("hf", f"pretrained={tmp_path / 'out'}"),
        "whole": ("mwork-hf", "pretrained=model"),
    }
    answers = {}
    for name, (kind, arguments) in runs.items():
        given = ("--model", kind, "--model_args", f"{arguments},dtype=float32")
        done = lm_eval(*given, *asked, "--metadata", '{"data": "embedded"}', "--output_path", str(tmp_path / name))
        assert done.returncode == 0, done.stderr
        (file,) = (tmp_path / name).rglob("samples_*.jsonl")
        samples = [json.loads(line) for line in file.read_text().splitlines()]
        answers[name] = [float(sample["resps"][0][0]) for sample in samples]
    assert answers["exported"] == answers["masked"]
    assert answers["hf"] == pytest.approx(answers["masked"], rel=1e-5)
    assert answers["whole"] != pytest.approx(answers["masked"], rel=1e-3)


def test_fused_projections_of_phi_3(tmp_path: Path) -> None:
    make_model("phi3").save_pretrained(tmp_path / "model")
    neurons = some_neurons(tmp_path / "model", "q k v gate up")
    mw.export(tmp_path / "model", neurons, out=tmp_path / "out", progress=False)
    config = CONFIGS["phi3"]()
    query = config.num_attention_heads * (config.hidden_size // config.num_attention_heads)
    groups = config.num_key_value_heads * (config.hidden_size // config.num_attention_heads)
    starts = {"q": 0, "k": query, "v": query + groups, "gate": 0, "up": config.intermediate_size}
    expected: dict[str, set[int]] = {}
    for (layer, structure), members in neurons.indices.items():
        module = "self_attn.qkv_proj" if structure in "qkv" else "mlp.gate_up_proj"
        rows = {int(index) + starts[structure] for index in members}
        expected.setdefault(f"model.layers.{layer}.{module}.weight", set()).update(rows)
    assert differing_rows(tmp_path / "model", tmp_path / "out") == expected


def test_a_killed_export_leaves_no_folder_and_the_next_one_is_whole(tiny: Path, tmp_path: Path, monkeypatch) -> None:
    arguments = ("export", "--model", "model", "--neurons", "zh.safetensors", "--out", tmp_path / "out")
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(writing, "prove", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        mwork(*arguments)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert not (tmp_path / "out").exists()
    assert [file.name for file in tmp_path.iterdir() if file.is_dir()] == [".out.unfinished"]
    mwork(*arguments)
    assert [file.name for file in tmp_path.iterdir()] == ["out"]
    assert differing_rows(tiny / "model", tmp_path / "out")


@pytest.mark.parametrize("failure", ["full", "interrupted", "damaged"])
def test_what_fails_midway_leaves_nothing(failure: str, tmp_path: Path, monkeypatch) -> None:
    copy = writing.copy_with_edits

    def fail(source, target, edits, advance):
        copy(source, target, edits, advance)
        if failure == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        if failure == "interrupted":
            raise KeyboardInterrupt
        with target.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            last = file.read(1)[0]
            file.seek(-1, os.SEEK_END)
            file.write(bytes([last ^ 1]))

    monkeypatch.setattr(writing, "copy_with_edits", fail)
    code = 130 if failure == "interrupted" else 2
    printed = mwork("export", "--model", "model", "--neurons", "zh.safetensors", "--out", tmp_path / "out", code=code)
    said = {"full": "No space left", "interrupted": "Interrupted.", "damaged": "is no copy of its source"}
    assert said[failure] in printed
    assert list(tmp_path.iterdir()) == []


def test_wrong_input_is_one_line(tiny: Path, tmp_path: Path, monkeypatch) -> None:
    def error(*arguments: object) -> str:
        printed = mwork("export", "--out", tmp_path / "out", *arguments, code=2)
        assert not (tmp_path / "out").exists()
        return printed.strip().splitlines()[-1]

    own = ("--model", "model", "--neurons", "zh.safetensors")
    make_model("gemma2").save_pretrained(tmp_path / "gemma2")
    assert "does not fit" in error("--model", tmp_path / "gemma2", "--neurons", "zh.safetensors")
    make_model("qwen2", seed=1).save_pretrained(tmp_path / "sibling")
    assert "other weights" in error("--model", tmp_path / "sibling", "--neurons", "zh.safetensors")
    assert "nothing to change" in error("--model", "model")
    assert "choose from a set" in error("--model", "model", "--delta", "d.safetensors", "--count", 3)
    assert "choose from a set" in error("--model", "model", "--delta", "d.safetensors", "--generation-layers", 1)
    assert "cannot be loaded" in error("--model", tmp_path / "nowhere", "--neurons", "zh.safetensors")
    assert "nothing to deactivate" in error(*own, "--positions", "under", "--understanding-layers", 0)
    assert "is there already" in mwork("export", *own, "--out", tiny, code=2)
    assert "into itself" in mwork("export", *own, "--out", "model/copy", code=2)
    config = json.loads((tiny / "model" / "config.json").read_text())
    quantised = tmp_path / "quantised"
    quantised.mkdir()
    config["quantization_config"] = {"quant_method": "awq", "bits": 4}
    (quantised / "config.json").write_text(json.dumps(config))
    assert "quantised already" in error("--model", quantised, "--neurons", "zh.safetensors")
    (quantised / "config.json").write_text(json.dumps({**config, "quantization_config": None}))
    (quantised / "pytorch_model.bin").write_bytes(b"")
    assert "format of safetensors" in error("--model", quantised, "--neurons", "zh.safetensors")
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    assert "no room" in error(*own)


@pytest.mark.model
@pytest.mark.slow
def test_the_default_model(tmp_path: Path) -> None:
    """Also: memory stays under one and a half times the largest tensor, the embeddings, and 300 MB."""
    from mwork_eval.models.default_model import ensure

    source = ensure()
    arguments = ["--neurons", "gemma3-270m/zh", "--out", str(tmp_path / "out")]
    # Not what the parent is charged for it: that counts the memory of a forked process before it became another.
    peak = "import re; print(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1])"
    command = f"from mwork_eval.cli.main import main\ntry: main()\nfinally: {peak}"
    done = subprocess.run([sys.executable, "-c", command, "export", *arguments], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    largest = max(len(bytes_of) for _, bytes_of in read(source).values())
    assert int(done.stdout.splitlines()[-1]) * 1024 < 1.5 * largest + 300e6
    assert differing_rows(source, tmp_path / "out") == expected_rows(mw.read_neurons("gemma3-270m/zh"))
