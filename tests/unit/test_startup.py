"""What starting the program and a bare Python loads: nothing heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = "{'torch', 'lm_eval', 'transformers', 'datasets', 'numpy'}"
PTH = Path(__file__).parents[2] / "mwork_eval_autoload.pth"


def loaded_by(code: str) -> str:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.strip()


@pytest.mark.parametrize(
    "code",
    [
        "import mwork_eval",
        "import click.testing, mwork_eval.cli.main as m; click.testing.CliRunner().invoke(m.main, ['--help'])",
        "import click.testing, mwork_eval.cli.main as m; click.testing.CliRunner().invoke(m.main, ['run', '--help'])",
    ],
)
def test_nothing_heavy_is_imported(code):
    assert loaded_by(f"{code}\nimport sys; print(sorted({HEAVY} & set(sys.modules)))") == "[]"


@pytest.mark.parametrize(
    "modules",
    [
        "mwork_eval.application.detect, mwork_eval.terminal.estimates",
        "mwork_eval.application.report, mwork_eval.terminal",
        "mwork_eval.application.check, mwork_eval.application.leaderboard",
        "mwork_eval.application.read_neurons, mwork_eval.neurons.neuron_set",
    ],
)
def test_what_evaluates_nothing_loads_no_lm_eval(modules):
    assert (
        loaded_by(f"import {modules}, sys; print(sorted({{'lm_eval', 'datasets', 'pandas'}} & set(sys.modules)))")
        == "[]"
    )


def test_a_python_start_imports_nothing_of_ours():
    assert loaded_by("import sys; print([name for name in sys.modules if name.startswith('mwork')])") == "[]"


def test_the_pth_file_is_one_line_that_imports_only_what_is_loaded():
    (line,) = PTH.read_text().splitlines()
    assert line.startswith("import os, sys; ")
    code = (
        "import os, sys; sys.meta_path[:] = [one for one in sys.meta_path if 'Mwork' not in str(one)]\n"
        "before, finders = set(sys.modules), len(sys.meta_path)\n"
        f"exec({line!r}); once = len(sys.meta_path); exec({line!r})\n"
        "print(sorted(set(sys.modules) - before), once - finders, len(sys.meta_path) - finders)"
    )
    assert loaded_by(code) == "[] 1 1"
