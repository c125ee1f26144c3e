"""What `import mwork_eval` offers, and that its examples run."""

import ast
import doctest
import inspect
import shutil
import typing
from pathlib import Path

import pytest

import mwork_eval
from mwork_eval.application import (
    ablate,
    compare_detectors,
    detect,
    detection,
    evaluate,
    load_model,
    progress,
    push,
    read_neurons,
)

PLACES = mwork_eval._MODULES


def test_every_public_name_is_there_and_is_typed():
    assert set(mwork_eval.__all__) == {*PLACES, "__version__"} <= set(dir(mwork_eval))
    for name in mwork_eval.__all__:
        assert getattr(mwork_eval, name) is not None
    tree = ast.parse(Path(mwork_eval.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.name: node.module for node in block.body for alias in node.names}
    assert typed == {name: f"mwork_eval.{module}" for name, module in PLACES.items()}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mwork_eval.nothing  # noqa: B018


def test_dir_shows_what_is_public_and_nothing_else():
    shown = {name for name in dir(mwork_eval) if not (name.startswith("__") and name.endswith("__"))}
    assert shown == set(PLACES)


@pytest.mark.parametrize("name", [name for name in mwork_eval.__all__ if not name.startswith("__")])
def test_the_types_of_what_is_public_can_be_read(name):
    public = getattr(mwork_eval, name)
    hints = typing.get_type_hints(public)
    if inspect.isfunction(public):
        assert hints.keys() == {*inspect.signature(public).parameters, "return"}


@pytest.mark.parametrize(
    "module",
    [ablate, compare_detectors, detect, detection, evaluate, load_model, progress, push, read_neurons],
    ids=lambda one: one.__name__,
)
def test_examples_of_public_functions_run(module, tiny_llama, tmp_path, monkeypatch):
    shutil.copytree(tiny_llama, tmp_path / "models" / "tiny-llama")
    monkeypatch.chdir(tmp_path)
    tried = doctest.testmod(module)
    assert tried.attempted > 0
    assert tried.failed == 0


FIXED = {
    "activations", "any_engine", "apply_chat_template", "arguments", "base_model", "batch_size",
    "check_language", "controls", "count", "counts", "cross", "data", "delta", "detector", "detectors",
    "device", "device_map", "document_seed", "document_seeds", "documents", "dry_run", "dtype", "engine",
    "family", "fast", "fewshot_as_multiturn", "file", "folder", "force", "format", "fraction", "gen_kwargs",
    "generation", "generation_layers", "intervention", "k", "key", "language", "languages", "license", "like",
    "limit", "limits", "log_samples", "max_docs", "max_memory", "max_tokens", "merge", "message", "method",
    "metric", "min_tokens", "model", "model_args", "name", "neurons", "new", "num_fewshot", "old", "options",
    "out", "paths", "per_task", "pivot", "positions", "preset", "private", "progress", "prompt",
    "random_control", "record", "reference", "repair", "repo", "revision", "sample_seed", "scores", "seeds",
    "set_draws", "shard", "specific", "strict", "structures", "system_instruction", "task", "tasks", "texts",
    "threshold", "together", "tokenizer", "top_k", "trained_controls", "training", "trust_remote_code",
    "understanding", "understanding_layers", "verify", "weight", "with_paths", "with_scores", "workers",
}  # fmt: skip
"""Every argument of a public function: each word means one thing, which docs/reference/promise.md tells."""


def test_one_word_means_one_thing():
    functions = [one for name in mwork_eval.__all__ if inspect.isfunction(one := getattr(mwork_eval, name))]
    functions.append(mwork_eval.Detection.select)
    found = {name for function in functions for name in inspect.signature(function).parameters} - {"self"}
    assert found == FIXED
    page = (Path(__file__).parents[2] / "docs/reference/promise.md").read_text(encoding="utf-8")
    words = page.partition("## The words of the arguments")[2].partition("\n## ")[0]
    assert not [name for name in sorted(FIXED - {"options"}) if f"`{name}`" not in words]


def test_every_public_name_stands_on_the_page_of_the_promise_and_in_the_reference():
    reference = Path(__file__).parents[2] / "docs/reference"
    promise, page = ((reference / name).read_text(encoding="utf-8") for name in ("promise.md", "python.md"))
    for name in PLACES:
        assert f"`{name}`" in promise, name
        assert f"::: mwork_eval.{name}\n" in page, name


def test_neurons_are_read_one_by_one_or_by_folder(tmp_path):
    zh = mwork_eval.read_neurons("gemma3-270m/zh")
    assert isinstance(zh, mwork_eval.NeuronSet)
    every = mwork_eval.read_neurons("gemma3-270m", "all")
    assert every["zh"] == zh
    assert mwork_eval.read_neurons("gemma3-270m", ["es", "zh"]).keys() == {"es", "zh"}
    with pytest.raises(mwork_eval.InputError, match="gemma3-270m is a folder of neuron sets; expected one set"):
        mwork_eval.read_neurons("gemma3-270m")
    with pytest.raises(mwork_eval.InputError, match="no folder of neuron sets"):
        mwork_eval.read_neurons(tmp_path, "all")
