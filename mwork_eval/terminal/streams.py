"""Standard output and error as programs read them: no text can give a command to what reads the lines.

Services that build software take commands from what a program prints: GitHub lines that begin, after blanks, with `::`
or hold `##[`, Azure those with `##vso[`, TeamCity those with `##teamcity[`. Names of models, presets and languages come
from files of others. What they would begin is broken here, in every stream and always, not only where a variable names
such a service: a container in a workflow does not see the variable, and what is printed into a file may be shown later.
"""

import codecs
import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

_COMMAND = re.compile(
    r"(?:(?:\A|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])"  # where a line begins; then blanks, colours, what has no width
    r"(?:\s|\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x1f\xad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff])*:(?=:)"
    r"|##\w*(?=\[))(.)",
    re.DOTALL,
)
_MARK = re.compile(r"(##\w*)\[")
_BREAK = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_LONGEST_LINE = 4096


class ReaderGoneError(Exception):
    """Who read the output has closed it; no `OSError`, so that nobody takes it for a failure of a file."""


class GuardedStream:
    """A text stream that breaks commands: their last character is written as an escape, which JSON reads as itself.

    Args:
        stream: Where the text goes.

    Attributes:
        buffer: Takes the text as bytes of UTF-8.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.buffer = _Bytes(self)
        self._line = ""
        """What stands on the line that is not ended yet: a command may come in pieces."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text.

        Raises:
            ReaderGoneError: If nobody reads any more.
        """
        before = len(self._line)
        whole = self._line + text
        broken = _COMMAND.sub(lambda found: _break(found, before), whole)
        last = _BREAK.split(whole)[-1]
        self._line = last if len(last) <= _LONGEST_LINE else "." + last[-64:]
        self._put(broken[before:])
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def write_command(self, line: str) -> None:
        """Write a line that is meant as a command of GitHub; its text gives no other one."""
        self._put(_MARK.sub(r"\1\\u005b", line) + "\n")
        self._line = ""

    def flush(self) -> None:
        """Hand on what is written.

        Raises:
            ReaderGoneError: If nobody reads any more.
        """
        try:
            self._stream.flush()
        except BrokenPipeError as error:
            raise ReaderGoneError from error

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except BrokenPipeError as error:
            raise ReaderGoneError from error


class _Bytes(io.RawIOBase):
    """What takes bytes, and hands them on to the guard as text."""

    def __init__(self, guard: GuardedStream) -> None:
        self._guard = guard
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def writable(self) -> bool:
        """Say that it can be written."""
        return True

    def write(self, content: Any) -> int:
        """Write bytes."""
        self._guard.write(self._decoder.decode(bytes(content)))
        return len(content)

    def flush(self) -> None:
        """Hand on what is written."""
        self._guard.flush()


def _break(found: re.Match[str], before: int) -> str:
    """Write the last character of a command as an escape, unless it stands there already, with its escape behind it."""
    if found.start(1) < before:
        return found[0]
    return f"{found[0][:-1]}\\u{ord(found[1]):04x}"


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Guard standard output and error during a block."""
    old = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, GuardedStream(stream)) for stream in old)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = old


def write_commands(lines: list[str]) -> None:
    """Write lines to standard output as commands of GitHub."""
    for line in lines:
        stream = sys.stdout
        if isinstance(stream, GuardedStream):
            stream.write_command(line)
        else:
            GuardedStream(stream).write_command(line)
