"""Files that appear whole or not at all, and what killed processes leave beside them."""

import os
import signal
from pathlib import Path

import pytest

from mwork_eval.files.writing import write_atomically, write_text_atomically


def begin_and_wait(path: Path) -> tuple[int, int]:
    """Fork a process that is in the midst of writing a file; returns its number and what it says it by."""
    ready, say = os.pipe()
    child = os.fork()
    if child == 0:

        def write(temporary: Path) -> None:
            temporary.write_text("half of")
            os.write(say, b".")
            signal.pause()

        write_atomically(path, write)
        os._exit(1)
    os.read(ready, 1)
    return child, ready


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_what_a_killed_process_left_is_gone_with_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "re[p]ort.md"
    child, _ = begin_and_wait(path)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(names(tmp_path)) == 1
    write_text_atomically(tmp_path / "other.md", "another file")
    assert len(names(tmp_path)) == 2
    write_text_atomically(path, "whole")
    assert names(tmp_path) == ["other.md", "re[p]ort.md"]
    assert path.read_text() == "whole"


def test_what_another_process_writes_now_stays(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    child, _ = begin_and_wait(path)
    write_text_atomically(path, "whole")
    assert len(names(tmp_path)) == 2
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_what_fails_leaves_the_file_of_before(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    write_text_atomically(path, "before")

    def fail(temporary: Path) -> None:
        temporary.write_text("half of")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_atomically(path, fail)
    assert names(tmp_path) == ["report.md"]
    assert path.read_text() == "before"
