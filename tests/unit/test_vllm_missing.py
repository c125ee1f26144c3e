"""`mwork-vllm` without vLLM is one line; and nothing else ever imports vLLM."""

import subprocess
import sys

import pytest
from helpers.commands import lm_eval

from mwork_eval.errors import InputError
from mwork_eval.lm.vllm import installed

EVERYTHING_ELSE = """
import lm_eval.models, lm_eval.evaluator
import mwork_eval, mwork_eval.cli.main, mwork_eval.lm.model, mwork_eval.application.ablate, mwork_eval.matrix.runner
from mwork_eval.vllm_plugin import names, proof, register, stream, wire
"""


@pytest.fixture
def another_vllm(tmp_path):
    """A package `vllm` that no distribution brought, and that is not to be imported."""
    (tmp_path / "vllm").mkdir()
    (tmp_path / "vllm/__init__.py").write_text("raise AssertionError('vLLM was imported')")
    return tmp_path


def test_the_command_says_how_to_get_it_before_anything_loads(tmp_path):
    arguments = "pretrained=nothing/there,neurons=nothing/zh"
    done = lm_eval("--model", "mwork-vllm", "--model_args", arguments, "--tasks", "bpb_zh", "--limit", "1")
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last == 'Error: mwork-vllm needs vLLM; found vllm not installed; run: pip install "mwork-eval[vllm]"'
    assert "Traceback" not in done.stderr


def test_nothing_else_imports_it(another_vllm):
    path = [str(another_vllm), *sys.path]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {path}\n{EVERYTHING_ELSE}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_build_of_another_name_or_too_old_is_told(another_vllm, monkeypatch):
    monkeypatch.syspath_prepend(another_vllm)
    with pytest.raises(InputError, match="needs vLLM under its own name"):
        installed.check_vllm()
    for found, told in (
        ("0.31.2", "vLLM is too old for mwork-vllm; found 0.31.2"),
        ("0.32.0+cpu", None),
        ("dev", None),
    ):
        monkeypatch.setattr(installed, "version", lambda name, found=found: found)
        if told is None:
            installed.check_vllm()
        else:
            with pytest.raises(InputError, match=told):
                installed.check_vllm()
