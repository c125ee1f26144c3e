"""`mwork ablate --engine vllm`: the table of the default engine, from one engine of vLLM; killed and gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import OFFLINE, mwork
from helpers.vllm_models import NEEDS_VLLM, alone, save_tiny

from mwork_eval.checkpoints.checkpoint import Checkpoint
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet

pytestmark = NEEDS_VLLM


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """A tiny Llama and sets of two languages that change its answers."""
    folder = tmp_path_factory.mktemp("matrix")
    checkpoint = Checkpoint.of(str(save_tiny("llama", folder / "model")))
    generator = np.random.default_rng(0)
    for language in ("zh", "de"):
        drawn = {
            (layer, structure): generator.permutation(sizes[structure])[: sizes[structure] // 3].astype(np.int32)
            for layer, sizes in enumerate(checkpoint.shape.sizes)
            for structure in ("q", "v", "up")
        }
        about = {"model": "model", "fingerprint": checkpoint.fingerprint, "language": language}
        save_neuron_set(NeuronSet(checkpoint.shape, drawn, about), folder / "sets" / f"{language}.safetensors")
    return folder


@pytest.fixture(autouse=True)
def there(inputs, monkeypatch):
    monkeypatch.chdir(inputs)


def command(out: str, *more: str, preset: str = "existence") -> list[str]:
    matrix = ("--preset", preset, "--tasks", "xquad,bpb", "--languages", "en,zh,de", "--limit", "2", "--seeds", "1")
    own = ("--model", "model", "--neurons", "sets", "--data", "embedded", "--dtype", "float32", "--out", out)
    return ["ablate", *own, *matrix, *more]


VLLM = ("--engine", "vllm", "--model-args", "enforce_eager=True")


def tables(folder: str) -> list:
    return json.loads(Path(folder, "report.json").read_text())["tables"]


@pytest.fixture(scope="module")
def whole(inputs) -> Path:
    """The matrix, computed in one go."""
    with pytest.MonkeyPatch.context() as patch, alone():
        patch.chdir(inputs)
        mwork(*command("vllm", *VLLM))
    return inputs / "vllm"


def test_the_table_is_that_of_the_default_engine(whole: Path) -> None:
    mwork(*command("default", "--device", "cpu"))
    found, expected = tables("vllm"), tables("default")
    assert [table["task"] for table in found] == [table["task"] for table in expected] == ["xquad", "bpb"]
    for mine, other in zip(found, expected, strict=True):
        for row, its in zip(mine["rows"], other["rows"], strict=True):
            assert row["name"] == its["name"]
            for score in ("eng", "non_eng"):
                assert row["delta"][score] == pytest.approx(its["delta"][score], rel=1e-3)
    changes = [row["delta"]["delta_non_eng"]["value"] for row in found[1]["rows"]]
    assert all(abs(change) > 0.01 for change in changes)
    engine = json.loads((whole / "manifest.json").read_text())["engine"]
    assert (engine["name"], engine["dtype"]) == ("vllm", "torch.float32")


def test_tables_of_two_engines_do_not_lie_in_one_folder(whole: Path) -> None:
    assert "found engine vllm" in mwork(*command("vllm", "--device", "cpu", preset="understanding"), code=2)


def test_a_killed_matrix_goes_on(whole: Path) -> None:
    environment = {**os.environ, **OFFLINE, "VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_KVCACHE_SPACE": "1"}
    child = subprocess.Popen(
        [sys.executable, "-m", "mwork_eval", *command("killed", *VLLM)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stored = Path("killed", "cells")
    deadline = time.monotonic() + 300
    while not stored.is_dir() or len(list(stored.glob("*.jsonl"))) < 3:
        assert child.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    finished = {file.name: file.read_bytes() for file in stored.glob("*.jsonl")}
    with alone():
        mwork(*command("killed", *VLLM))
    assert all((stored / name).read_bytes() == content for name, content in finished.items())
    assert tables("killed") == tables("vllm")
