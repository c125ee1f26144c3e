"""What a language is compared with: the pivot, or all the other languages."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from mwork_eval.errors import InputError
from mwork_eval.languages.table import ENGLISH

if TYPE_CHECKING:
    from mwork_eval.detection.detectors.pool import Floats
    from mwork_eval.detection.score_table import ScoreTable
    from mwork_eval.detection.selection import Selection

Against = Literal["all", "pivot"]


def contrasts(
    tables: "Sequence[ScoreTable]", selection: "Selection", against: Against
) -> "list[tuple[ScoreTable, list[ScoreTable]]]":
    """Return each language's table with those of the languages it is compared with.

    Args:
        tables: The tables of all languages.
        selection: Names the pivot.
        against: `all` other languages, or the `pivot` alone, which then gets no set.

    Raises:
        InputError: If there is no language to compare with.
    """
    by_language = {table.about["language"]: table for table in tables}
    if len(by_language) < 2:
        raise InputError(
            f"the detector {selection.detector} compares languages",
            found=" ".join(by_language),
            expected="scores of at least two",
        )
    if against == "all":
        return [(table, [other for other in tables if other is not table]) for table in tables]
    pivot = selection.pivot or ENGLISH
    if pivot not in by_language:
        raise InputError(
            "the pivot was not scored",
            found=" ".join(by_language),
            expected=f"{pivot} among them",
            hint="add a corpus of it, or tell the detector against=all",
        )
    return [(table, [by_language[pivot]]) for code, table in by_language.items() if code != pivot]


def mean_of(tables: "Sequence[ScoreTable]", row: "Callable[[ScoreTable], Floats]") -> "Floats":
    """Return the mean over languages of what each has `[neurons]`; every language counts the same."""
    return sum(row(table) for table in tables) / len(tables)  # type: ignore[return-value]
