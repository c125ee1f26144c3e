"""What `import mwork_eval` offers, and that its examples run."""

import ast
import doctest
import inspect
import shutil
import typing
from pathlib import Path

import pytest

import mwork_eval
from mwork_eval.application import ablate, detect, detection, evaluate, load_model, read_neurons

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
    "module", [ablate, detect, detection, evaluate, load_model, read_neurons], ids=lambda one: one.__name__
)
def test_examples_of_public_functions_run(module, tiny_llama, tmp_path, monkeypatch):
    shutil.copytree(tiny_llama, tmp_path / "models" / "tiny-llama")
    monkeypatch.chdir(tmp_path)
    tried = doctest.testmod(module)
    assert tried.attempted > 0
    assert tried.failed == 0


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
