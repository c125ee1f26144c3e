"""How the package is built: rooms that one line names, files that one subject fills, names that mean one thing.

What imports what is in the contracts of `pyproject.toml`, which `lint-imports` checks.
"""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "mwork_eval"
ROOMS = sorted(path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE)
LONGEST = 320
"""Lines; a longer file has two subjects."""
LONGER: dict[str, str] = {}
"""Longer files, with the reason."""
TEST_FILES = sorted((ROOT / "tests").rglob("*.py"))
LONGEST_TEST = 350
IMPORTED_TEST = re.compile(r"^\s*(?:from|import) (test_\w+)", re.MULTILINE)


def room_name(room: Path) -> str:
    return str(room.relative_to(PACKAGE))


def test_no_two_classes_have_one_name():
    places = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


@pytest.mark.parametrize("room", ROOMS, ids=room_name)
def test_a_room_is_named_in_one_line(room):
    text = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    assert text
    assert "\n" not in text
    assert text.endswith(".")


def test_no_file_is_long():
    files = [path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".yaml")]
    lengths = {str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST and name not in LONGER} == {}
    assert {name for name in LONGER if lengths.get(name, 0) <= LONGEST} == set()


def test_no_file_of_tests_is_long():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in TEST_FILES}
    assert len(lengths) > 100
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_TEST} == {}


def test_what_test_files_share_lies_in_their_helpers():
    """No test file is imported by another, and beside them lies nothing but `conftest.py` and the package `helpers`."""
    imported = {path.name: IMPORTED_TEST.findall(path.read_text(encoding="utf-8")) for path in TEST_FILES}
    assert {name: tests for name, tests in imported.items() if tests} == {}
    others = {path.name for path in TEST_FILES if not path.name.startswith("test_") and path.parent.name != "helpers"}
    assert others == {"conftest.py"}


def test_the_package_alone_loads_nothing_heavy():
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import mwork_eval"], capture_output=True, text=True, check=True
    )
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in run.stderr.splitlines()}
    assert "mwork_eval" in loaded
    assert loaded & {"torch", "transformers", "lm_eval", "numpy", "click", "rich"} == set()
