"""The commands as a user runs them: `mwork` in this process, `lm_eval` in one of its own."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from click.testing import CliRunner, Result

from mwork_eval.cli.main import main

OFFLINE = {"HF_HUB_OFFLINE": "1"}


def invoke(*arguments: object, code: int = 0) -> Result:
    """Run `mwork` and return all that it left; any other exit code and a traceback fail the test."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + str(result.exception)
    assert "Traceback" not in result.output
    return result


def mwork(*arguments: object, code: int = 0) -> str:
    """Run `mwork` as `invoke` does, and return what it printed."""
    return invoke(*arguments, code=code).output


def lm_eval_from_scratch(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `lm_eval` in a new interpreter, whose start takes longer than what most tests ask of it."""
    return subprocess.run(
        [sys.executable, "-m", "lm_eval", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **OFFLINE, **environment},
    )


def lm_eval(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `lm_eval` in a process forked from one that has lm-eval imported and its tasks indexed."""
    return _forked("lm_eval_server.py", Path.cwd(), arguments, environment)


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a copy of the repository, with its package, forked from a process that has the libraries imported.

    Args:
        folder: The copy, where it runs.
        *arguments: `-m` and a module, `-c` and code, or a script; then those of the program.
    """
    return _forked("python_server.py", folder, arguments, {"PYTHONPATH": str(folder)})


def _forked(
    script: str, folder: Path, arguments: Sequence[str], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    server = _server(script)
    with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
        asked = {
            "arguments": arguments,
            "environment": {**os.environ, **OFFLINE, **environment},
            "folder": str(folder),
            "out": out.name,
            "err": err.name,
        }
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        said = [Path(file.name).read_text(encoding="utf-8") for file in (out, err)]
    return subprocess.CompletedProcess([script, *arguments], code, *said)


@cache
def _server(script: str) -> subprocess.Popen[str]:
    server = subprocess.Popen(
        [sys.executable, Path(__file__).with_name(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **OFFLINE},
    )
    atexit.register(server.communicate)
    return server
