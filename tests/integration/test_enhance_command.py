"""`mwork enhance` in several processes."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import make_model
from helpers.commands import mwork
from helpers.enhancement_models import write_inputs

from mwork_eval.weight_deltas.delta import load_delta


@pytest.fixture
def folder(tmp_path):
    return write_inputs(tmp_path)


def enhance(out, *extra):
    return (
        "enhance", "--model", "m", "--neurons", "zh.safetensors", "--corpus", "zh.txt", "--documents", "4,8",
        "--random-control", "1", "--device", "cpu", "--learning-rate", "0.01", "--warmup-steps", "1",
        "--evaluate", "bpb", "--data", "embedded", "--limit", "2", "--languages", "en,zh", "--out", out, *extra,
    )  # fmt: skip


def test_two_processes_train_what_one_trains_and_one_of_them_reports(folder, monkeypatch):
    monkeypatch.chdir(folder)
    mwork(*enhance("one", "--batch-size", "2"))
    two = ("torch.distributed.run", "--standalone", "--nproc_per_node", "2", "--module", "mwork_eval")
    command = [sys.executable, "-m", *two, *enhance("two", "--batch-size", "1", "--merge", "merged")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.count("bpb after training") == 1
    assert said.stderr.count("2 trainings of up to 8 documents") == 1
    assert (folder / "merged" / "model.safetensors").is_file()
    records = [json.loads((folder / out / "enhancement.json").read_text()) for out in ("one", "two")]
    assert [delta["file"] for delta in records[0]["deltas"]] == [delta["file"] for delta in records[1]["deltas"]]
    base = {name: tensor.numpy() for name, tensor in make_model("llama").state_dict().items()}
    start = base["model.layers.1.mlp.up_proj.weight"][[0, 2]]
    for delta in records[0]["deltas"][:2]:
        one, two = (load_delta(folder / out / delta["file"]).tensors for out in ("one", "two"))
        moved = np.linalg.norm(one["layers.1.up.weight"].numpy() - start)
        apart = np.sqrt(sum(float((one[name].double() - two[name].double()).square().sum()) for name in one))
        assert moved > 0
        assert apart < 0.1 * moved * len(one) ** 0.5
    losses = [[delta["loss_after"] for delta in record["deltas"]] for record in records]
    np.testing.assert_allclose(*losses, rtol=1e-3)
