"""The commands as a user runs them: `mwork` in this process, `lm_eval` in one of its own."""

import os
import subprocess
import sys

from click.testing import CliRunner, Result

from mwork_eval.cli.main import main


def invoke(*arguments: object, code: int = 0) -> Result:
    """Run `mwork` and return all that it left; any other exit code and a traceback fail the test."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + str(result.exception)
    assert "Traceback" not in result.output
    return result


def mwork(*arguments: object, code: int = 0) -> str:
    """Run `mwork` as `invoke` does, and return what it printed."""
    return invoke(*arguments, code=code).output


def lm_eval(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lm_eval", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
    )
