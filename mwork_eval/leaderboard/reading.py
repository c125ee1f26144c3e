"""Find and read the results folders of a leaderboard."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.results.store import MANIFEST
from mwork_eval.results.summaries.entries import FolderResults
from mwork_eval.results.summaries.lm_eval_file import read_results_file
from mwork_eval.results.summaries.matrix import read_matrix

_INSIDE = ("cells", "neurons", "scores")
"""Folders of a results folder that hold no results of their own."""


def find_results(folders: Sequence[Path]) -> list[Path]:
    """Return the results folders of ours and the results files of lm-eval in folders and all folders below, sorted.

    Raises:
        InputError: If a folder is not there or holds no results.
    """
    found: dict[Path, None] = {}
    for folder in folders:
        if not folder.is_dir():
            raise InputError("no such folder", found=folder, expected="results folders, or a folder of them")
        below = dict.fromkeys(sorted(_walk(folder)))
        if not below:
            raise InputError(
                f"{folder} holds no results",
                found=f"no {MANIFEST} and no results_*.json in it or below",
                expected="results of `mwork ablate`, `mwork run` or `lm_eval --output_path`",
            )
        found |= below
    return list(found)


def _walk(folder: Path) -> Iterator[Path]:
    for where, inner, files in os.walk(folder):
        if MANIFEST in files:
            yield Path(where)
            inner[:] = [name for name in inner if name not in _INSIDE]
        yield from (Path(where, name) for name in files if name.startswith("results_") and name.endswith(".json"))


def read_all(
    places: Sequence[Path], *, skip_damaged: bool = False, advance: Callable[[str, int], Any] = lambda label, done: None
) -> tuple[list[FolderResults], list[str]]:
    """Read results.

    Args:
        places: What `find_results` found.
        skip_damaged: Whether to go on without damaged ones.
        advance: Called with a label and the number of places just read.

    Returns:
        What was read, and what was skipped and why.

    Raises:
        InputError: If something is damaged and not to be skipped, or nothing is left.
    """
    read, damaged = [], []
    for place in places:
        advance(place.name, 0)
        try:
            read.append(read_matrix(place) if place.is_dir() else read_results_file(place))
        except InputError as error:
            if not skip_damaged:
                raise InputError(f"{error}; --skip-damaged goes on without it") from error
            damaged.append(str(error))
        advance(place.name, 1)
    if not any(results.scores for results in read):
        raise InputError("nothing to show", found="; ".join(damaged) or "no finished score")
    return read, damaged
