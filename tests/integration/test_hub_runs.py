"""Sets, scores and deltas of a hub in what uses them: lm-eval's command, matrices, export, select."""

import json
from pathlib import Path

import pytest
import torch
from helpers.commands import lm_eval_from_scratch, mwork
from helpers.hub_repositories import NAME, publish
from helpers.hub_server import HubServer
from helpers.matrix_runs import ablate

import mwork_eval as mw
from mwork_eval.hub.index import write_index
from mwork_eval.lm.model import MworkHF
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import find_neurons
from mwork_eval.weight_deltas.delta import WeightDelta, save_delta

pytest_plugins = ["helpers.hub_server", "helpers.matrix_fixtures"]


@pytest.fixture
def sets(neurons: Path) -> dict[str, NeuronSet]:
    return {name: find_neurons(f"{neurons}/{name}") for name in ("zh", "es")}


@pytest.mark.slow
def test_the_command_of_lm_eval(
    tiny_llama: Path, sets: dict[str, NeuronSet], hub_server: HubServer, tmp_path: Path
) -> None:
    """Through the hub as from a local file; offline with what is in the cache; pinned in the results."""
    commit = publish(hub_server, sets)
    common = ["--model", "mwork-hf", "--tasks", "bpb_zh", "--limit", "2", "--metadata", "data=embedded"]
    masked = []
    for folder, offline in (("online", "0"), ("offline", "1")):
        run = lm_eval_from_scratch(
            *common, "--device", "cpu", "--output_path", str(tmp_path / folder),
            "--model_args", f"pretrained={tiny_llama},neurons=hub:user/sets@main/zh,dtype=float32",
            **hub_server.environment(HF_HUB_OFFLINE=offline),
        )  # fmt: skip
        assert run.returncode == 0, run.stderr[-2000:]
        (results,) = (tmp_path / folder).glob("*/results_*.json")
        assert "__masked-zh-" in results.parent.name
        found = json.loads(results.read_text())
        masked.append(found["config"]["mwork"]["masked"])
        score = found["results"]["bpb_zh"]["bits_per_byte,none"]
        publish(hub_server, {"zh": sets["es"]})
    assert masked[0]["neurons"] == masked[1]["neurons"] == f"hub:user/sets@{commit}/zh"
    assert masked[0]["about"]["hub"] == f"hub:user/sets@{commit}/zh"
    local = mw.evaluate(
        str(tiny_llama), tasks="bpb_zh", neurons=sets["zh"], limit=2, data="embedded", dtype="float32", device="cpu",
        progress=False,
    )  # fmt: skip
    assert masked[0]["digest"] == local["config"]["mwork"]["masked"]["digest"]
    assert local["results"]["bpb_zh"]["bits_per_byte,none"] == pytest.approx(score, rel=1e-6)


def test_a_repository_that_is_not_there_is_one_line_of_lm_eval(tiny_llama: Path, hub_server: HubServer) -> None:
    run = lm_eval_from_scratch(
        "--model", "mwork-hf", "--tasks", "bpb_zh", "--metadata", "data=embedded", "--device", "cpu",
        "--model_args", f"pretrained={tiny_llama},neurons=hub:user/none/zh",
        **hub_server.environment(HF_HUB_OFFLINE="0"),
    )  # fmt: skip
    assert run.returncode != 0
    assert "no repository user/none on http://127.0.0.1" in run.stderr


def test_results_name_the_commit(tiny_llama: Path, sets: dict[str, NeuronSet], hub_server: HubServer) -> None:
    commit = publish(hub_server, sets)
    model = MworkHF(str(tiny_llama), neurons="hub:user/sets/zh", device="cpu", dtype="float32")
    assert model.masked is not None
    assert model.masked["neurons"] == f"hub:user/sets@{commit}/zh"


@pytest.mark.slow
def test_a_matrix_with_sets_of_the_hub(
    tiny_llama: Path, sets: dict[str, NeuronSet], hub_server: HubServer, tmp_path: Path
) -> None:
    """Its manifest names the commit; a moved branch with the same sets resumes, one with others does not mix."""
    folder = tmp_path / "o"
    commit = publish(hub_server, sets)
    first = ablate(tiny_llama, Path("hub:user/sets"), folder)
    assert "30" in first
    manifest = json.loads((folder / "manifest.json").read_text())
    recorded = {entry["about"]["language"]: entry["about"]["hub"] for entry in manifest["sets"].values()}
    assert recorded == {name: f"hub:user/sets@{commit}/{name}" for name in ("zh", "es")}
    scored = {path: path.stat().st_mtime_ns for path in folder.glob("cells/**/*") if path.is_file()}

    moved = publish(hub_server, {**sets, "more": sets["zh"]})
    ablate(tiny_llama, Path("hub:user/sets"), folder)
    assert moved in (folder / "manifest.json").read_text()
    assert scored == {path: path.stat().st_mtime_ns for path in folder.glob("cells/**/*") if path.is_file()}

    publish(hub_server, {"zh": sets["es"], "es": sets["zh"]})
    other = [
        "ablate", "--model", tiny_llama, "--neurons", "hub:user/sets", "--preset", "understanding", "--tasks", "bpb",
        "--languages", "en,zh,es", "--data", "embedded", "--limit", "2", "--seeds", "1", "--dtype", "float32",
        "--device", "cpu", "--out", folder,
    ]  # fmt: skip
    said = mwork(*other, code=2)
    assert f"holds the tables existence, which were made otherwise; found set es {sets['es'].digest[:12]}" in said
    publish(hub_server, sets)
    assert "understanding (Table 2" in mwork(*other)


def test_scores_of_a_repository(
    neurons: Path, sets: dict[str, NeuronSet], hub_server: HubServer, tmp_path: Path
) -> None:
    files = {f"scores/{path.name}": path.read_bytes() for path in (neurons / "scores").glob("*.safetensors")}
    index = write_index(files, base_model="tiny", fingerprint=None)
    hub_server.repository(NAME).commit({**files, "mwork.json": index})
    mwork("select", "hub:user/sets", "--fraction", "0.4", "--out", tmp_path / "selected")
    assert find_neurons(str(tmp_path / "selected/zh")) == sets["zh"]
    assert sorted(path.name for path in (tmp_path / "selected").glob("*.safetensors")) == [
        "es.safetensors",
        "zh.safetensors",
    ]
    said = mwork("select", "hub:user/none", "--out", tmp_path / "none", code=2)
    assert "no repository user/none" in said


def test_a_delta_of_a_repository(tiny_llama: Path, hub_server: HubServer, tmp_path: Path) -> None:
    plain = MworkHF(str(tiny_llama), device="cpu", dtype="float32")
    width = plain.model.model.layers[0].mlp.up_proj.weight.shape[1]
    tensors = {"layers.0.up.neurons": torch.tensor([1], dtype=torch.int32), "layers.0.up.weight": torch.ones(1, width)}
    save_delta(WeightDelta(plain.shape, tensors, {"fingerprint": plain.fingerprint}), tmp_path / "d.safetensors")
    files = {"deltas/half.safetensors": (tmp_path / "d.safetensors").read_bytes()}
    commit = hub_server.repository(NAME).commit(
        {**files, "mwork.json": write_index(files, base_model=None, fingerprint=None)}
    )

    changed = MworkHF(str(tiny_llama), delta="hub:user/sets/half", device="cpu", dtype="float32")
    assert changed.delta is not None
    assert changed.delta.about["hub"] == f"hub:user/sets@{commit}/half"
    assert torch.equal(changed.model.model.layers[0].mlp.up_proj.weight[1], torch.ones(width))

    out = tmp_path / "merged"
    mwork("export", "--model", tiny_llama, "--delta", "hub:user/sets/half", "--out", out)
    assert f"hub:user/sets@{commit}/half" in (out / "mwork_export.json").read_text()
    said = mwork("export", "--model", tiny_llama, "--delta", "hub:user/sets/none", "--out", tmp_path / "x", code=2)
    assert "no 'none' among the deltas of user/sets; found half" in said


def test_an_export_names_the_commit(
    tiny_llama: Path, sets: dict[str, NeuronSet], hub_server: HubServer, tmp_path: Path
) -> None:
    commit = publish(hub_server, sets)
    mwork("export", "--model", tiny_llama, "--neurons", "hub:user/sets/zh", "--out", tmp_path / "x")
    said = [path.read_text() for path in (tmp_path / "x").glob("mwork*.json")]
    assert f"hub:user/sets@{commit}/zh" in "".join(said)
