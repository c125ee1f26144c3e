"""`mwork tune-layers` on a tiny model, and `mwork ablate` with the sets it writes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import transformers
from helpers.commands import invoke

from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.files import load_neuron_set, save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.reports import plots


@pytest.fixture(scope="module")
def neurons(tiny_llama, tmp_path_factory) -> Path:
    """A folder with the sets zh and es of the tiny Llama, more neurons in later layers."""
    folder = tmp_path_factory.mktemp("neurons")
    layout = Layout.of(transformers.AutoModelForCausalLM.from_pretrained(tiny_llama))
    fingerprint = fingerprint_of(layout.model)
    for code, start in (("zh", 0), ("es", 3)):
        indices = {
            (layer, structure): np.arange(start, start + 3 + layer)
            for layer in range(layout.shape.layers)
            for structure in ("q", "up")
        }
        about = {"model": "tiny-llama", "fingerprint": fingerprint, "language": code}
        save_neuron_set(NeuronSet(layout.shape, indices, about), folder / f"{code}.safetensors")
    return folder


def tune(model: Path, neurons: Path, out: Path, *extra: object, code: int = 0):
    return invoke(
        "tune-layers", "--model", model, "--neurons", neurons, "--task", "bpb", "--limit", "3", "--data", "embedded",
        "--understanding", "1,2", "--generation", "0,1", "--device", "cpu", "--out", out, *extra, code=code,
    )  # fmt: skip


@pytest.fixture(scope="module")
def tuned(tiny_llama, neurons, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("tuned")
    # baseline and four points, each in zh and en
    assert "10 cells, 10 to compute" in tune(tiny_llama, neurons, out).output
    return out


def test_the_choice_is_stored_in_every_set_and_the_input_is_left_alone(neurons, tuned):
    found = json.loads((tuned / "tuning.json").read_text(encoding="utf-8"))
    # layer 0 alone has 3 q and 3 up neurons
    assert found["neurons"] == 6
    assert [point["available"] for point in found["grid"]] == [6, 6 + 12, 6 + 8, 6 + 8 + 12]
    best = max(point["delta"]["delta"]["value"] for point in found["grid"])
    (chosen,) = [point for point in found["grid"] if point["delta"]["delta"]["value"] == best]
    assert found["best"] == {key: chosen[key] for key in ("understanding", "generation")}
    for code in ("zh", "es"):
        before = load_neuron_set(neurons / f"{code}.safetensors")
        after = load_neuron_set(tuned / "neurons" / f"{code}.safetensors")
        assert after.digest == before.digest
        assert "stages" not in before.about
        tuned_on = {
            "task": "bpb",
            "language": "zh",
            "documents": 3,
            "items": ["line 1", "line 5", "line 9"],
            "positions": "under+gen",
            "delta": best,
            "tasks": ["bpb_en", "bpb_zh"],
        }
        assert after.about == {**before.about, "stages": {**found["best"], "tuned_on": tuned_on}}


def test_the_same_command_again_computes_nothing_and_writes_the_same(tiny_llama, neurons, tuned):
    files = [tuned / "tuning.json", *(tuned / "neurons").iterdir()]
    before = [path.read_bytes() for path in files]
    output = tune(tiny_llama, neurons, tuned).output
    assert "10 cells, 0 to compute" in output
    assert "Chosen: " in output
    assert [path.read_bytes() for path in files] == before


def test_a_file_says_which_tasks_are_tuned_on(tiny_llama, neurons, tuned, tmp_path):
    out, file = tmp_path / "out", tmp_path / "mine.yaml"
    shutil.copytree(tuned, out)
    file.write_text("mine: {en: bpb_en, zh: bpb_zh}\n")
    assert "10 cells, 0 to compute" in tune(tiny_llama, neurons, out, "--task", str(file)).output
    tuned_on = load_neuron_set(out / "neurons" / "zh.safetensors").about["stages"]["tuned_on"]
    assert (tuned_on["task"], tuned_on["tasks"]) == ("mine", ["bpb_en", "bpb_zh"])


def test_a_wider_grid_computes_only_its_new_points(tiny_llama, neurons, tuned):
    # the number of neurons stays that of layer 0; 3 + 0 and 3 + 1 are new
    assert "14 cells, 4 to compute" in tune(tiny_llama, neurons, tuned, "--understanding", "1,2,3").output


def ablate(model: Path, tuned: Path, out: Path, languages: str, *extra: object, code: int = 0):
    return invoke(
        "ablate", "--model", model, "--neurons", tuned / "neurons", "--preset", "generation", "--tasks", "bpb,xcsqa",
        "--languages", languages, "--data", "embedded", "--limit", "2", "--seeds", "1", "--device", "cpu",
        "--out", out, *extra, code=code,
    )  # fmt: skip


def documents_of(folder: Path, task: str) -> set[tuple[int, ...]]:
    """Return the documents of the cells of a task."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    found = set()
    for cell in manifest["cells"]:
        if cell["task"] == task:
            (path,) = (folder / "cells").glob(f"{cell['identity']}*.jsonl")
            lines = path.read_text(encoding="utf-8").splitlines()[1:]
            found.add(tuple(sorted({json.loads(line)["doc_id"] for line in lines})))
    return found


def stages_of(folder: Path) -> dict[str, int]:
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["stages"]


def test_a_matrix_of_tuned_sets_takes_their_stages_and_leaves_their_documents_out(tiny_llama, neurons, tmp_path):
    tune(tiny_llama, neurons, tmp_path / "t", "--understanding", "2", "--generation", "1")
    ablate(tiny_llama, tmp_path / "t", tmp_path / "m", "en,zh")
    assert stages_of(tmp_path / "m") == {"layers": 4, "understanding": 2, "generation": 1}  # 1 and 1 without tuning
    assert documents_of(tmp_path / "m", "bpb") == {(2, 12)}  # after 0, 4 and 8
    assert documents_of(tmp_path / "m", "xcsqa") == {(0, 16)}


def test_sets_of_two_tunings_need_given_boundaries(tiny_llama, neurons, tmp_path):
    for boundary in ("1", "2"):
        tune(tiny_llama, neurons, tmp_path / boundary, "--understanding", boundary, "--generation", "1")
    (tmp_path / "1" / "neurons" / "zh.safetensors").replace(tmp_path / "2" / "neurons" / "zh.safetensors")
    output = ablate(tiny_llama, tmp_path / "2", tmp_path / "m", "en,zh,es", code=2).output
    assert "the neuron sets store different stage boundaries" in output
    given = ("--understanding-layers", "3", "--generation-layers", "1")
    ablate(tiny_llama, tmp_path / "2", tmp_path / "m", "en,zh", *given)
    assert stages_of(tmp_path / "m") == {"layers": 4, "understanding": 3, "generation": 1}


def test_the_plot_is_drawn_on_request(tiny_llama, neurons, tuned):
    pytest.importorskip("matplotlib")
    assert not (tuned / "tuning.svg").exists()
    tune(tiny_llama, neurons, tuned, "--plot")
    assert (tuned / "tuning.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert (tuned / "tuning.png").stat().st_size > 1000


def test_wrong_input_is_one_line_before_a_model_loads(neurons, tmp_path, monkeypatch):
    def fail(*extra: object) -> str:
        return tune(Path("no-such-model"), neurons, tmp_path, *extra, code=2).output

    assert "∆ compares a language with English" in fail("--language", "en")
    assert "no neuron set 'fr'" in fail("--language", "fr")
    assert "unknown position" in fail("--positions", "middle")
    assert "cannot read --understanding; found 1,a" in fail("--understanding", "1,a")
    assert "stage boundaries do not fit the model" in fail("--understanding", "4")
    assert "leaves none for the tables" in fail("--limit", "1000")
    assert "unknown task" in fail("--task", "nothing_{l}")
    file = tmp_path.with_suffix(".yaml")
    file.write_text("mine: {en: bpb_en, zh: bpb_zh}\nother: {en: bpb_en, zh: bpb_zh}\n")
    assert "boundaries are tuned on one task; found mine other" in fail("--task", str(file))
    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    assert 'pip install "mwork-eval[plot]"' in fail("--plot")
    assert not any(tmp_path.iterdir())


def test_sets_are_not_overwritten_and_must_be_of_the_model(tiny_llama, tiny_qwen2, neurons, tuned, tmp_path):
    output = tune(tiny_llama, tuned / "neurons", tuned, code=2).output
    assert "the tuned sets would overwrite the given ones" in output
    assert "does not fit" in tune(tiny_qwen2, neurons, tmp_path, code=2).output
