"""Lines beside tables and bars: what is said, what a command answers, and what is logged, as one line each."""

import logging
import sys
from collections.abc import Iterable

import click

from mwork_eval.errors import shortened

_LONGEST_MESSAGE = 2000


def shown(text: object) -> str:
    """Return a text as one line; control and direction characters are escapes."""
    return shortened(text, sys.maxsize)


def tell(message: object) -> None:
    """Write a line to standard error."""
    click.echo(shown(message), err=True)


def tell_written(files: Iterable[object]) -> None:
    """Name the files that were written, if any."""
    if names := ", ".join(map(str, files)):
        tell(f"written: {names}")


def answer(message: object) -> None:
    """Write a line to standard output."""
    click.echo(shown(message))


def print_document(text: str) -> None:
    """Write the whole text of a file, such as JSON, to standard output."""
    click.echo(text, nl=False)


class LineFormatter(logging.Formatter):
    """Log messages as one line each, control characters as escapes; only a traceback below has several."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return the message of a record."""
        return shortened(super().formatMessage(record), _LONGEST_MESSAGE)


def log_handler() -> logging.Handler:
    """Return what writes log messages to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter("%(message)s"))
    return handler
