"""What starting the program and a bare Python loads: nothing heavy."""

import subprocess
import sys

import pytest

HEAVY = "{'torch', 'lm_eval', 'transformers', 'datasets', 'numpy'}"


def loaded_by(code: str) -> str:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.strip()


@pytest.mark.parametrize(
    "code",
    [
        "import mwork_eval",
        "import mwork_eval._autoload",
        "import click.testing, mwork_eval.cli.main as m; click.testing.CliRunner().invoke(m.main, ['--help'])",
        "import click.testing, mwork_eval.cli.main as m; click.testing.CliRunner().invoke(m.main, ['run', '--help'])",
    ],
)
def test_nothing_heavy_is_imported(code):
    assert loaded_by(f"{code}\nimport sys; print(sorted({HEAVY} & set(sys.modules)))") == "[]"


def test_the_autoload_module_imports_nothing():
    code = (
        "import sys; before = set(sys.modules) | {'mwork_eval', 'mwork_eval._autoload'}\n"
        "import mwork_eval._autoload\n"
        "print(sorted(set(sys.modules) - before))"
    )
    assert loaded_by(code) == "[]"
