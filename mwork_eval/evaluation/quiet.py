"""Let lm-eval work in silence: what it says and draws would drown the caller's own progress."""

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

_LOGGERS = ("lm_eval", "mwork_eval.lm.model", "mwork_eval.lm.masked")
"""lm-eval's own, and those of our models that tell of loading and of every mask."""


class _Silence:
    """What is quiet now, and how many ask for it: blocks of several threads overlap, and the last one ends it."""

    def __init__(self) -> None:
        self._lock, self._users, self._undo = threading.RLock(), 0, ExitStack()

    def begin(self) -> None:
        with self._lock:
            if not self._users:
                self._undo = _hushed()
            self._users += 1

    def end(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._undo.close()


_SILENCE = _Silence()


def hush_loggers() -> list[tuple[logging.Logger, int]]:
    """Hide lm-eval's messages below errors until somebody sets the levels back.

    Returns:
        The loggers and their levels of before.
    """
    before = [(logger, logger.level) for logger in map(logging.getLogger, _LOGGERS)]
    for logger, _ in before:
        logger.setLevel(logging.ERROR)
    return before


@contextmanager
def quiet_lm_eval() -> Iterator[None]:
    """Hide lm-eval's messages below errors, and its bars; loggers and libraries are as before in the end.

    Threads may be quiet at a time; it ends with the last of them.
    """
    _SILENCE.begin()
    try:
        yield
    finally:
        _SILENCE.end()


def _hushed() -> ExitStack:
    import datasets
    import lm_eval.api.task

    # A bar for every task whose requests are built, which no argument turns off.
    module: Any = lm_eval.api.task
    undo = ExitStack()
    for logger, level in hush_loggers():
        undo.callback(logger.setLevel, level)
    if not datasets.are_progress_bars_disabled():
        undo.callback(datasets.enable_progress_bars)
        datasets.disable_progress_bars()
    undo.callback(setattr, module, "tqdm", module.tqdm)
    module.tqdm = partial(module.tqdm, disable=True)
    # What starts models alone needs no evaluator, which takes long to import.
    if (evaluator := sys.modules.get("lm_eval.evaluator")) is not None:
        ask = evaluator.get_git_commit_hash
        undo.callback(setattr, evaluator, "get_git_commit_hash", ask)
        vars(evaluator)["get_git_commit_hash"] = partial(_ask_git, ask)
    return undo


def _ask_git(ask: Callable[[], str | None]) -> str | None:
    """Return lm-eval's commit hash of the folder one is in; outside of a repository git would complain to the user."""
    try:
        inside = subprocess.run(["git", "rev-parse"], capture_output=True).returncode == 0
    except FileNotFoundError:  # without git, lm-eval reads the files of a repository
        inside = True
    return ask() if inside else None
