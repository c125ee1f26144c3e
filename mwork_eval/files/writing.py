"""Files that appear whole or not at all."""

import glob
import hashlib
import os
import platform
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then put it in place in one step.

    A crash, a full disk or Ctrl-C leaves the old file, or none; never half a file. What killed processes of this
    machine left beside it is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _discard_left_behind(path)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.{_machine()}-{os.getpid()}-")
    os.close(descriptor)
    temporary = Path(name)
    try:
        write(temporary)
        # Windows brings to disk only what may be written to.
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _discard_left_behind(path: Path) -> None:
    """Remove temporary files of a path whose processes ran on this machine and are gone."""
    start = f".{path.name}.{_machine()}-"
    for left in path.parent.glob(f"{glob.escape(start)}*"):
        writer = left.name.removeprefix(start).partition("-")[0]
        if writer.isdecimal() and not _runs(int(writer)):
            left.unlink(missing_ok=True)


@cache
def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _runs(process: int) -> bool:
    if os.name != "posix":
        return True  # elsewhere a signal 0 ends it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write bytes so that the file appears whole or not at all."""
    write_atomically(path, lambda temporary: _write_bytes(temporary, content))


def write_text_atomically(path: Path, text: str) -> None:
    """Write UTF-8 text so that the file appears whole or not at all."""
    write_atomically(path, lambda temporary: _write_text(temporary, text))


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
