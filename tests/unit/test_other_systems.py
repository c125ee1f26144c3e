"""What would break on Windows or macOS and can be seen from here: names, encodings, imports, paths with drives."""

import ast
import os
import re
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace

import pytest

from mwork_eval.benchmarks.data import published_dataset
from mwork_eval.detection.corpus.sources import Corpus
from mwork_eval.files import writing
from mwork_eval.files.key_values import parse_key_values
from mwork_eval.leaderboard.board import slug_of
from mwork_eval.reports.figures import FigureName

ROOT = Path(__file__).parents[2]
POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
POSIX_CALLS = {
    "fork",
    "getuid",
    "geteuid",
    "nice",
    "sched_getaffinity",
    "sched_setaffinity",
    "setsid",
    "killpg",
    "mkfifo",
}
DEVICES = {"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(1, 10))}
SOURCES = [
    path for folder in ("mwork_eval", "examples", "docs", ".ci") for path in sorted((ROOT / folder).rglob("*.py"))
]


def is_legal(name: str) -> bool:
    """Whether Windows takes a name, by its documentation of file names."""
    if re.search(r'[<>:"/\\|?*\x00-\x1f]', name) or name.endswith((".", " ")):
        return False
    return name.partition(".")[0].lower() not in DEVICES


@pytest.mark.parametrize("name", ["a:b", "aux.safetensors", "NUL", "a.", "a ", 'a"b', "a\\b", "com1.txt"])
def test_the_measure_finds_what_is_illegal(name):
    assert not is_legal(name)


def trees():
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES]


def test_no_module_needs_posix_to_be_imported():
    found = []
    for path, tree in trees():
        for node in tree.body:
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found += [f"{path}: {name}" for name in names if name.partition(".")[0] in POSIX_ONLY]
    assert found == []


def test_the_package_calls_nothing_that_only_posix_has():
    found = [
        f"{path}:{node.lineno}"
        for path, tree in trees()
        if path.is_relative_to(ROOT / "mwork_eval")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and node.attr in POSIX_CALLS
    ]
    assert found == []


def _lacks_encoding(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if any(keyword.arg in ("encoding", None) for keyword in call.keywords):
        return False
    if name in ("read_text", "write_text"):
        return len(call.args) < (1 if name == "read_text" else 2)
    if name != "open":
        return False
    # Only what is opened by a mode is a file here; without one, `Image.open` and its kind would be meant as well.
    modes = [one.value for one in (*call.args, *(k.value for k in call.keywords)) if isinstance(one, ast.Constant)]
    return any(isinstance(mode, str) and re.fullmatch(r"[rwax]\+?t?", mode) for mode in modes)


@pytest.mark.parametrize(
    "code", ["p.read_text()", "p.write_text(x)", 'open(p, "w")', 'p.open("a")', 'p.open(mode="r")']
)
def test_a_missing_encoding_is_seen(code):
    assert _lacks_encoding(ast.parse(code).body[0].value)
    assert not _lacks_encoding(
        ast.parse(code[:-1].rstrip("(") + ("(" if code.endswith("()") else ", ") + 'encoding="x")').body[0].value
    )


def test_text_is_read_and_written_as_utf_8_whatever_the_system_prefers():
    found = [
        f"{path}:{node.lineno}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _lacks_encoding(node)
    ]
    assert found == []


def test_text_has_the_same_bytes_everywhere(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(Path, "write_text", lambda self, text, **how: said.append(how))
    writing.write_text_atomically(tmp_path / "a", "a\n")
    assert said == [{"encoding": "utf-8", "newline": "\n"}]


def test_only_a_file_that_may_be_written_to_is_brought_to_disk(tmp_path, monkeypatch):
    """Windows refuses the others."""
    synced = []

    def fsync(descriptor):
        os.write(descriptor, b"")  # fails for a file that is open for reading
        synced.append(descriptor)

    monkeypatch.setattr(writing.os, "fsync", fsync)
    writing.write_bytes_atomically(tmp_path / "a", b"abc")
    assert len(synced) == 1
    assert (tmp_path / "a").read_bytes() == b"abc"


def test_no_process_is_asked_by_a_signal_where_that_would_end_it(monkeypatch):
    monkeypatch.setattr(writing, "os", SimpleNamespace(name="nt"))  # has no `kill`
    assert writing._runs(1) is True


def test_the_files_of_the_repository_have_names_that_every_system_takes():
    folders = ("mwork_eval", "tasks", "neuron_sets", "tests", "docs", "benchmarks", "examples", ".ci", ".github")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    assert len(files) > 500
    assert [path for path in files if not is_legal(path.name)] == []
    lower = [str(path).lower() for path in files]
    assert len(set(lower)) == len(lower)  # Windows and macOS take names of different case for one


@pytest.mark.parametrize("name", ["C:\\models\\a", "a/b", "aux", "con.", "towards:de | x?", "…", ""])
def test_names_we_make_are_legal(name):
    assert is_legal(slug_of(name))
    assert is_legal(FigureName("changes", name, name, name).file + ".png")


def test_a_figure_keeps_the_name_it_had():
    assert FigureName("cross", "p", "a/b", "LS all").file == "cross-p-a-b-LS-all"


def test_a_drive_is_no_scheme_and_no_argument(monkeypatch):
    path = str(PureWindowsPath("C:/texts/zh.txt"))
    monkeypatch.setattr(Corpus, "check", lambda self: None)  # it is not there
    assert Corpus("zh", path).source == path
    assert published_dataset("a_task", None, "C:/texts") is None
    assert published_dataset("a_task", None, "owner/name") == "owner/name"
    assert parse_key_values("a", f"pretrained={path}") == {"pretrained": path}
