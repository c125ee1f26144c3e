"""Threads that wait for each other sleep, unless the environment says how they wait."""

import os
import subprocess
import sys

import pytest

_SHOW = """
import sys
from click.testing import CliRunner
from mwork_eval.cli.main import main
assert "torch" not in sys.modules
CliRunner().invoke(main, ["tasks", "--help"])
import os
print(os.environ.get("OMP_WAIT_POLICY"), "torch" in sys.modules)
"""


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active"), ({"GOMP_SPINCOUNT": "9"}, "None")],
)
def test_the_policy_is_set_before_torch_is_loaded(given, expected):
    kept = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    result = subprocess.run([sys.executable, "-c", _SHOW], env={**kept, **given}, capture_output=True, text=True)
    assert result.stdout.split() == [expected, "False"], result.stderr
