"""Names on the terminal are text: no markup, no emoji, no control character of theirs is taken for one."""

import ast
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import make_model
from helpers.enhancement_scores import FIRST, SPECIFIC, scores_of
from helpers.gate_folders import answers, make_results
from helpers.manifests import edited_manifest
from helpers.matrix_folders import LS_ALL, R_ALL, save_matrix, two_documents
from helpers.neuron_sets import EDGES, STAGES, ZH
from helpers.task_scores import accuracy

import mwork_eval
import mwork_eval as mw
from mwork_eval.analysis.activity import Activity
from mwork_eval.analysis.lens_file import LensReport
from mwork_eval.analysis.shares import Curves
from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.detection.estimate import DetectionCost
from mwork_eval.enhancement.changes import change_tables
from mwork_eval.gate.check import Problem, check_folders
from mwork_eval.gate.limits import Limits
from mwork_eval.gate.wording import plain
from mwork_eval.matrix.estimate import MatrixCost, TaskSize
from mwork_eval.matrix.tuning import judge_grid, plan_grid
from mwork_eval.neurons.comparison import Comparisons, Overlap, compare_sets
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.results.set_counts import SetCounts
from mwork_eval.results.tables import read_results
from mwork_eval.statistics.resampling import Estimate
from mwork_eval.terminal.activity import print_activity
from mwork_eval.terminal.console import make_console
from mwork_eval.terminal.enhancement import print_enhancement
from mwork_eval.terminal.estimates import print_cost, print_matrix_cost
from mwork_eval.terminal.gate import print_check
from mwork_eval.terminal.inspection import print_inspection
from mwork_eval.terminal.lens import print_lens
from mwork_eval.terminal.lines import shown
from mwork_eval.terminal.matrix import print_results
from mwork_eval.terminal.neuron_sets import print_neuron_set
from mwork_eval.terminal.progress import TerminalProgress
from mwork_eval.terminal.set_comparison import print_comparisons
from mwork_eval.terminal.set_tables import print_overlaps, print_profile
from mwork_eval.terminal.stability import print_stability
from mwork_eval.terminal.tuning import print_tuning

PACKAGE = Path(mwork_eval.__file__).parent
NAMES = ("a [/v2]", "[bold]x", "old[v2]", ":smile:", "\x1b[31mred", "one\ntwo", "\u202egnirts", "a\\[b]")


@pytest.fixture(params=NAMES, ids=ascii)
def name(request) -> str:
    return request.param


def drawn(render, *values, **options) -> str:
    """Return what a renderer prints, and check that nothing of it is a control character."""
    console = make_console()
    console.file, console.width = io.StringIO(), 20_000
    render(*values, console=console, **options)
    text = console.file.getvalue()
    assert all(line.isprintable() for line in text.split("\n"))
    return text


def test_a_matrix(name, tmp_path):
    folder = save_matrix(tmp_path, [R_ALL, LS_ALL], two_documents(accuracy(1, 1)))
    with edited_manifest(folder) as manifest:
        manifest["model"] = manifest["presets"][0]["name"] = name
        manifest["tasks"][0]["name"] = name
        manifest["presets"][0]["settings"][1]["name"] = name
        for cell in manifest["cells"]:
            cell["task"], cell["preset"] = name, name
            cell["setting"] = name if cell["setting"] == "LS all" else cell["setting"]
    text = drawn(print_results, read_results(folder))
    assert f"Model {shown(name)}, " in text
    assert f"{shown(name)} (Table 1 of the paper) on {shown(name)}" in text
    assert any(line.strip().startswith(f"{shown(name)} ✗") or shown(name) in line for line in text.split("\n"))


def test_a_check(name, tmp_path):
    old = make_results(tmp_path / "old", {(name, "zh"): answers(100, 80)}, model=name)
    new = make_results(tmp_path / "new", {(name, "zh"): answers(100, 40)}, model=name)
    check = check_folders(old, new, Limits(), strict=True)
    check.problems.append(Problem(name, name))
    text = drawn(print_check, check)
    assert f"(model {plain(name)})" in text
    assert f"{plain(name)}: could not compare: {plain(name)}" in text
    assert f"{plain(name)}_zh" in text


def test_sets(name):
    neurons = NeuronSet(ZH.shape, ZH.indices, {"language": name, "corpus": name})
    text = drawn(print_neuron_set, f"runs {name}/zh", neurons, STAGES)
    assert f"runs {shown(name)}/zh: " in text
    assert f"corpus: {shown(name)}" in text
    assert "activations" not in text
    means = {(0, "up"): np.zeros(ZH.shape.sizes[0]["up"], np.float32)}
    neurons = replace(ZH, activations={"mean.zh": means, "mean.de": means})
    assert "\n  activations: mean.de, mean.zh\n" in drawn(print_neuron_set, "zh", neurons, STAGES)
    found = Comparisons(name, name, {name: compare_sets(ZH, ZH, STAGES)}, (name,), (name,))
    text = drawn(print_comparisons, found)
    assert text.count(shown(name)) == 5
    overlap = Overlap(1, 2, 3)
    assert drawn(print_overlaps, {name: {name: {name: overlap}}}).count(shown(name)) == 3
    counts = SetCounts((name,), (), ("q",), [{"q": 9}] * 8, {name: [{"q": 1}] * 8}, {name: {name: 1.0}})
    assert shown(name) in drawn(print_profile, counts, STAGES)


def test_what_is_measured(name):
    activity = Activity(name, name, np.ones((2, 8, 2), int), 9)
    assert drawn(print_activity, [activity], STAGES).count(f"{shown(name)} on {shown(name)}") == 3
    share = [Estimate(0.5, 0.4, 0.6, 0.1)] * 2
    curves = Curves(name, name, ("english", "query"), [share] * 2, np.ones((2, 2)), None, 3)
    assert shown(name) in drawn(print_lens, LensReport({"method": "tokens", "model": name}, [curves]))
    row = {"documents": 1, "neurons": 2, "with_final": 0.5, "of_halves": None}
    assert shown(name) in drawn(print_stability, {name: [row]})
    tuning = judge_grid(
        plan_grid(ZH, EDGES, (1, 2), (1, 2)),
        {"en": accuracy(1, 1), "zh": accuracy(1, 1)},
        {(1, 1): {"zh": accuracy(1, 0), "en": accuracy(1, 1)}},
        task=name,
        positions=EDGES,
    )
    assert shown(name) in drawn(print_tuning, tuning)
    family = TaskFamily(name, ("zh", "en"))
    scores = scores_of(family, {one: [accuracy(0, 1), accuracy(1, 1)] for one in (None, SPECIFIC, FIRST)})
    assert f"{shown(name)} after training" in drawn(
        print_enhancement, change_tables([SPECIFIC, FIRST], [family], scores)
    )


def test_what_it_will_cost_and_what_a_model_is(name):
    cost = DetectionCost(name, 1, 2, 3, 4.0)
    assert drawn(print_cost, [cost], [name], 1e9, 1, 1).count(shown(name)) == 2
    matrix = MatrixCost(1, 0, {name: (1, TaskSize(1, 1, 1, 1, 1))}, 1.0)
    assert shown(name) in drawn(print_matrix_cost, matrix, 1e9, 1, 1)
    model = replace(mw.inspect(make_model("llama")), name=name, quantised=name)
    text = drawn(print_inspection, model)
    assert f"{shown(name)}: llama" in text
    assert f"quantised ({shown(name)})" in text


def test_progress_and_what_is_told(name, capsys):
    progress = TerminalProgress()
    progress.tell(f"read {name}")
    with progress.bar(name, 1) as advance:
        advance(name, 1)
    told, bar = capsys.readouterr().err.splitlines()
    assert told == f"read {shown(name)}"
    assert bar.startswith(f"{shown(name)}: 1/1")


def test_a_bar_on_a_terminal_shows_names_as_they_are(name, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    with TerminalProgress().bar(name, 1) as advance:
        advance("x", 1)
    said = capsys.readouterr().err
    assert f"{shown(name)} · x" in said
    assert "\x1b[31mred" not in said


def test_only_one_place_makes_consoles_tables_and_lines():
    """Elsewhere nothing of rich is called that takes markup, and nothing is printed past the renderers' one way."""
    found = []
    for room in ("cli", "terminal"):
        for path in sorted((PACKAGE / room).glob("*.py")):
            if path.name in ("console.py", "lines.py"):
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            imported = {
                alias.name
                for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rich")
                for alias in node.names
            }
            allowed = {"Console", "Text", "SIMPLE_HEAD", "cell_len"} | (
                {*imported} if path.name == "progress.py" else set()
            )
            found += [f"{path.name}: {name}" for name in imported - allowed]
            for node in ast.walk(tree):
                if isinstance(node, ast.Call):
                    called = ast.unparse(node.func)
                    bad = ("Console", "Table", "Text", "Text.from_markup", "print", "console.print", "click.echo")
                    found += [f"{path.name}: {called}"] * (called in bad or called.endswith(("secho", "from_markup")))
    assert found == []
