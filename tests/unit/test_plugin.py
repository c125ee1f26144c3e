"""The backport: what it adds to lm-eval, and when it steps back."""

import types
from pathlib import Path

import lm_eval.tasks
import pytest
from lm_eval.api import registry
from lm_eval.loggers.evaluation_tracker import GeneralConfigTracker
from lm_eval.tasks._index import TaskIndex

from mwork_eval.plugin import registration as plugin
from mwork_eval.resources import tasks_folder

OWN = Path(lm_eval.tasks.__file__).parent


@pytest.fixture
def small_tree(tmp_path, monkeypatch):
    """Stand in for lm-eval's thousands of task files."""
    own = tmp_path / "lm_eval" / "tasks"
    own.mkdir(parents=True)
    (own / "theirs.yaml").write_text("task: theirs\n")
    (own / "xquad_zh.yaml").write_text("task: xquad_zh\ndataset_path: broken\n")
    index = type("TaskIndex", (TaskIndex,), {"build": staticmethod(ORIGINAL_BUILD)})
    module = types.SimpleNamespace(TaskIndex=index, __file__=str(own / "_index.py"))
    plugin._add_tasks(module)
    return own, index


# `TaskIndex.build` is already extended in this process; its closure holds lm-eval's own function.
ORIGINAL_BUILD = next(cell.cell_contents for cell in TaskIndex.build.__closure__ if callable(cell.cell_contents))


def test_our_tasks_join_lm_evals_and_win_over_its_broken_ones(small_tree):
    own, index = small_tree
    found = index.build([own])
    assert found["theirs"].yaml_path == own / "theirs.yaml"
    assert found["xquad_zh"].yaml_path == tasks_folder() / "xquad" / "xquad_zh.yaml"
    assert "xquad_zh" in found["mwork_zh"].tags


def test_include_path_wins_over_ours(small_tree, tmp_path):
    own, index = small_tree
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "a.yaml").write_text("task: xquad_zh\n")
    assert index.build([own, mine])["xquad_zh"].yaml_path == mine / "a.yaml"


def test_only_what_is_asked_for_without_the_defaults(small_tree, tmp_path):
    _, index = small_tree
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "a.yaml").write_text("task: alone\n")
    assert list(index.build([mine])) == ["alone"]


def test_naming_our_folder_changes_nothing(small_tree):
    own, index = small_tree
    assert set(index.build([own, tasks_folder()])) == set(index.build([own]))


def test_a_release_with_discovery_registers_the_models_itself(monkeypatch):
    registered = []
    monkeypatch.setattr(registry.model_registry, "register", lambda *a, **k: registered.append(a))
    plugin._register_model(types.SimpleNamespace())
    assert registered == [("mwork-hf",), ("mwork-vllm",)]
    monkeypatch.setattr(registry, "load_plugins", lambda *a: None, raising=False)
    plugin._register_model(types.SimpleNamespace())
    assert len(registered) == 2


@pytest.mark.parametrize(
    ("source", "arguments", "name"),
    [
        ("mwork-hf", "", "gemma3-270m"),
        ("mwork-hf", {"pretrained": "a/b"}, "a/b"),
        ("mwork-vllm", "", "gemma3-270m"),
        ("hf", {"pretrained": "a/b", "neurons": "x"}, "a/b"),
    ],
)
def test_results_folders_are_named_after_the_model(source, arguments, name):
    assert folder_name(source, arguments) == name


def folder_name(source, arguments) -> str:
    tracker = GeneralConfigTracker()
    tracker.log_experiment_args(source, arguments, None, None, False)
    return tracker.model_name


def test_results_folders_tell_masks_apart():
    masks = ["neurons=x/zh", "neurons=y/zh", "neurons=x/zh,count=5", "neurons=x/zh,understanding_layers=3"]
    names = [folder_name("mwork-hf", f"pretrained=a/b,{mask}") for mask in masks]
    assert names == [folder_name("mwork-vllm", f"pretrained=a/b,{mask}") for mask in masks]
    assert all(name.startswith("a/b__masked-zh-") for name in names)
    assert len(set(names)) == len(masks)
    long = folder_name("mwork-hf", {"pretrained": "m", "neurons": "/".join(["folder" * 10] * 9) + "/zh.safetensors"})
    assert len(long) < 40


@pytest.mark.parametrize("name", ["mwork_acc", "mwork_exact_match", "mwork_f1", "mwork_rougeL", "mwork_chrf"])
def test_metrics_can_be_named_in_any_task_file(name):
    metric = registry.get_metric(name)
    assert metric(references=["猫", "一只猫"], predictions=["一只猫"], language="zh") == pytest.approx(1)
    assert metric(references=["кот"], predictions=["собака"], language="ru") < 0.3
    assert registry.is_higher_better(name)
    assert registry.get_metric_aggregation(name) is not None


def test_metrics_of_squad_know_no_language():
    for name, value in [("mwork_squad_exact_match", 0), ("mwork_squad_f1", 0.8)]:
        metric = registry.get_metric(name)
        assert metric(references=["x", "Denver Broncos"], predictions=["the Broncos of Denver"]) == pytest.approx(value)
        assert metric(references=["Denver Broncos"], predictions=["“Denver Broncos”"]) == 0
        assert metric(references=["The Denver"], predictions=["denver!"]) == 1
        assert registry.is_higher_better(name)
        assert registry.get_metric_aggregation(name) is not None
