"""How a command ends: one exit code for each way, and one line on standard error that says what happened."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import click

from mwork_eval.errors import InputError, shortened
from mwork_eval.terminal.lines import tell
from mwork_eval.terminal.streams import ReaderGoneError

UNFORESEEN = 3
INTERRUPTED = 130
READER_GONE = 141
"""As the shell has it of a program that a closed pipe ended."""
_PACKAGE = "mwork_eval."


def run_to_end(command: Callable[[], Any]) -> int:
    """Run click's part of a command, its options, and return the exit code of what it comes to."""
    try:
        code = command()
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        _show_usage(error)
        return error.exit_code
    except click.Abort:
        return tell_interrupted()
    except ReaderGoneError:
        return leave_output()


def ending_of(error: BaseException, *, debug: bool, keeps: bool = True) -> int:
    """Say what an exception that ended a command means, and return the exit code.

    Args:
        error: Any but click's own.
        debug: Whether to print the traceback, too.
        keeps: Whether the command writes what it finishes.
    """
    if isinstance(error, KeyboardInterrupt):
        return tell_interrupted(keeps=keeps)
    if isinstance(error, ReaderGoneError):
        return leave_output()
    if debug:
        traceback.print_exception(error)
    if isinstance(error, InputError):
        tell(f"Error: {error}")
        return InputError.exit_code
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        what = shortened(f"{error.strerror or error}{where}", 1000)
        tell(f"Error: {what}" + ("; what is finished is kept, the same command goes on from there" if keeps else ""))
        return InputError.exit_code
    kept = "; what is finished is kept" if keeps else ""
    tell(f"Error: {_unforeseen(error)}{kept}" + ("" if debug else "; `mwork --debug ...` shows the traceback"))
    return UNFORESEEN


def tell_interrupted(*, keeps: bool = True) -> int:
    """Say how to go on after Ctrl-C, where the command has kept anything, and return the exit code."""
    kept = " What is finished is kept; the same command goes on from there (detect: with --resume)."
    tell("")
    tell(f"Interrupted.{kept if keeps else ''}")
    return INTERRUPTED


def leave_output() -> int:
    """Let nothing more be written to an output that nobody reads, which Python would complain about at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except ReaderGoneError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    return READER_GONE


def _unforeseen(error: BaseException) -> str:
    """Name an exception, and the line of this package that it came through last."""
    places = [
        f"{name}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if (name := str(frame.f_globals.get("__name__"))).startswith(_PACKAGE)
    ]
    name, said, place = type(error).__name__, shortened(error, 500), places[-1] if places else "another package"
    return (
        f"unforeseen {f'{name}: {said}' if said else name} (in {place}); "
        "this is a defect of mwork-eval: please report this line and the command"
    )


def _show_usage(error: click.ClickException) -> None:
    """Show a wrong option as click does, its message on one line."""
    # Click itself breaks lines between the values to choose from.
    message = shortened(error.format_message().replace("\n\t", " "), 2000)
    if isinstance(error, click.UsageError):
        click.UsageError(message, error.ctx).show()
    else:
        tell(f"Error: {message}")
