"""Find results below folders, and read all of them."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from mwork_eval.errors import InputError, shortened
from mwork_eval.results.lm_eval_folder import is_results_file, results_files
from mwork_eval.results.store import MANIFEST
from mwork_eval.results.summaries.entries import FolderResults
from mwork_eval.results.summaries.lm_eval_file import read_results_file
from mwork_eval.results.summaries.matrix import read_matrix

Bar = Callable[[str, int], AbstractContextManager[Callable[[str, int], Any]]]
"""Takes what is done and the number of steps; gives, for a block, what is called with a label and the steps done."""

_INSIDE = ("cells", "neurons", "scores")
"""Folders of a results folder that hold no results of their own."""


def find_results(given: Sequence[Path]) -> list[Path]:
    """Find results in folders and all folders below: results folders of ours, and results files of lm-eval.

    A folder that cannot be opened is among them: nobody knows what it holds, and reading it says why.

    Args:
        given: Folders, results files of lm-eval, or the `NAME.json` that it was given.

    Returns:
        The places, sorted within each.

    Raises:
        InputError: If one is not there or holds no results.
    """
    found: dict[Path, None] = {}
    for place in given:
        below = dict.fromkeys(sorted(_walk(place)) if place.is_dir() else results_files(place))
        if not below and not place.exists():
            raise InputError("no such folder", found=place, expected="results folders, or a folder of them")
        if not below:
            raise InputError(
                f"{place} holds no results",
                found=f"no {MANIFEST} and no results_*.json or NAME_DATE.json in it or below",
                expected="results of `ablate`, of mwork run, or of lm_eval",
            )
        found |= below
    return list(found)


def _walk(folder: Path) -> Iterator[Path]:
    closed: list[Path] = []
    for where, inner, files in os.walk(folder, onerror=lambda error: closed.append(Path(error.filename))):
        if MANIFEST in files:
            yield Path(where)
            inner[:] = [name for name in inner if name not in _INSIDE]
        yield from (Path(where, name) for name in files if is_results_file(name))
    yield from closed


def no_bar(what: str, total: int) -> AbstractContextManager[Callable[[str, int], Any]]:
    """Show nothing."""
    return nullcontext(lambda label, done: None)


def read_all(places: Sequence[Path], *, bar: Bar = no_bar) -> tuple[list[FolderResults], dict[Path, str]]:
    """Read results; what cannot be read is left out.

    Args:
        places: What `find_results` found.
        bar: Shows progress, place by place.

    Returns:
        What was read; and by place what was not and why, each in one line.

    Raises:
        InputError: If nothing is left.
    """
    read: list[FolderResults] = []
    left_out: dict[Path, str] = {}
    with bar("read", len(places)) as advance:
        for place in places:
            advance(place.name, 0)
            try:
                read.append(read_matrix(place) if place.is_dir() else read_results_file(place))
            except InputError as error:
                left_out[place] = str(error)
            except OSError as error:
                left_out[place] = shortened(f"{place} cannot be read; found {error.strerror or error}")
            advance(place.name, 1)
    if not any(results.scores for results in read):
        raise InputError("nothing to show", found="; ".join(left_out.values()) or "no finished score")
    return read, left_out
