"""Where the terminal is known: in the commands and in the room that prints for them, and nowhere else."""

import ast
from pathlib import Path

import mwork_eval

PACKAGE = Path(mwork_eval.__file__).parent
ROOMS = ("cli", "terminal")


def imported_by(path: Path) -> set[str]:
    """Return the packages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_only_commands_and_the_terminal_import_click_or_rich():
    knows = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if imported_by(path) & {"click", "rich"}}
    assert {path.parts[0] for path in knows} == set(ROOMS)


def test_nothing_below_the_commands_imports_them_or_the_terminal():
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] not in (*ROOMS, "__main__.py"):
            text = path.read_text(encoding="utf-8")
            assert not [room for room in ROOMS if f"mwork_eval.{room}" in text], path
