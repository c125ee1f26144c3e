"""The results of a matrix to look at: tables, numbers and figures, in a notebook or as text."""

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import fields
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mwork_eval.errors import InputError
from mwork_eval.languages.pivot import Pivot
from mwork_eval.reports import wording
from mwork_eval.reports.figures import FigureName, report_figures
from mwork_eval.reports.formats.csv import COLUMNS, tidy_rows
from mwork_eval.reports.html.notebook import tables_as_html
from mwork_eval.reports.plots import require_matplotlib
from mwork_eval.results.detector_tables import DetectorTable, read_detector_tables
from mwork_eval.results.store import MANIFEST
from mwork_eval.results.tables import DeltaTable, Results, read_results

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame  # type: ignore[import-untyped]

T = TypeVar("T")


class TemporaryFolder:
    """A folder that lives as long as this object.

    Attributes:
        path: The folder.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="mwork-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


class ShownTable(DeltaTable):
    """A paper-style table that shows as one in a notebook, and prints as one."""

    @classmethod
    def of(cls, table: DeltaTable) -> "ShownTable":
        """Return a table to look at; its values are the same."""
        return cls(**{field.name: getattr(table, field.name) for field in fields(DeltaTable)})

    def __repr__(self) -> str:
        lines = [list(wording.brief_columns(Pivot(self.pivot))), *(wording.brief_cells(row, self) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        texts = [
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines
        ]
        return "\n".join([wording.title(self), *texts, wording.notes(self)])

    def _repr_html_(self) -> str:
        return tables_as_html([self])


class MatrixResults:
    """The results of a matrix: tables, numbers and figures.

    Attributes:
        folder: The results folder. It is a temporary one, which goes when this object does, if the matrix was computed
            without a folder; `save` keeps it.
        has_tables: Whether there was a table to show when the matrix was computed: the scores without a mask were all
            there. It has none where other jobs still compute the rest, or in a process that helps another one.

    Examples:
        >>> import mwork_eval as mw
        >>> matrix = mw.read_results("runs/zh")  # doctest: +SKIP
        >>> matrix.table("existence", "bpb").rows[1].delta.delta  # doctest: +SKIP
        Estimate(value=0.41, low=0.33, high=0.49, reason=None)
    """

    def __init__(self, folder: Path | TemporaryFolder, *, has_tables: bool) -> None:
        """Take a results folder; nothing is read yet."""
        self._owned = folder
        self.folder = folder.path if isinstance(folder, TemporaryFolder) else folder
        self.has_tables = has_tables

    @cached_property
    def results(self) -> Results:
        """All that a report shows, typed: manifest, tables, cells and scores.

        Raises:
            InputError: If the folder holds no finished cell, or a file is damaged.
        """
        return read_results(self.folder)

    def as_it_is(self) -> "MatrixResults":
        """Read the folder now if it has tables, so that what it gets later changes nothing; returns this object."""
        if self.has_tables:
            _ = self.results
        return self

    @property
    def tables(self) -> tuple[ShownTable, ...]:
        """A table per preset and benchmark."""
        return tuple(map(ShownTable.of, self.results.tables))

    def table(self, preset: str | None = None, task: str | None = None) -> ShownTable:
        """Return a table, rows of ∆Eng, ∆n-Eng and ∆ with their intervals (Table 1 of arXiv:2402.18815 and others).

        Args:
            preset: Name of its preset; need not be given where only one is there.
            task: Its benchmark, likewise.

        Returns:
            The table; its numbers are in its ``unit``, percentage points or bits per byte.

        Raises:
            InputError: If there is no such table, or several; names those there are.
        """
        names = {(table.preset, table.task): table for table in self.tables}
        found = [table for (own, on), table in names.items() if preset in (None, own) and task in (None, on)]
        return _only(found, f"a table{_about(preset, task)}", [f"{own} on {on}" for own, on in names])

    @property
    def detectors(self) -> tuple[DetectorTable, ...]:
        """What `compare_detectors` compares: per benchmark, what the neurons of each detector do; else empty."""
        return tuple(read_detector_tables(self.results))

    def to_pandas(self) -> "DataFrame":
        """Return all numbers as a tidy frame: those of report.csv, a row each, in the same columns.

        The column ``quantity`` says what a ``value`` is: `score` is that of a cell, `delta` the ∆ of a row with its
        interval from ``low`` to ``high``, and so on; docs/formats.md describes them.

        Raises:
            InputError: If pandas is not installed.
        """
        if find_spec("pandas") is None:
            raise InputError("a frame needs a package that is not installed", found="no pandas", hint="install pandas")
        import pandas as pd

        return pd.DataFrame(tidy_rows(self.results), columns=COLUMNS)

    def figure(
        self, kind: str, preset: str | None = None, task: str | None = None, setting: str | None = None
    ) -> "Figure":
        """Draw a figure.

        Args:
            kind: `changes` of each language by setting; `cross`, every mask on every language, or `dose`, by number of
                neurons, where these were computed; `detectors`, several of them by number of neurons; `neurons` by
                layer and structure, `layers`, or `overlap` of the sets.
            preset: The preset of the table it is about; need not be given where only one is there.
            task: The benchmark, likewise.
            setting: The row, likewise.

        Returns:
            A figure of matplotlib, which a notebook shows and ``savefig`` saves.

        Raises:
            InputError: If matplotlib is not installed, or there is no such figure, or there are several; names those
                there are.
        """
        require_matplotlib("a figure")
        figures = report_figures(self.results)
        name = _only(
            [
                name
                for name in figures
                if name.kind == kind
                and preset in (None, name.preset)
                and task in (None, name.task)
                and setting in (None, name.setting)
            ],
            f"a figure {kind}{_about(preset, task, setting)}",
            [_described(name) for name in figures],
        )
        return figures[name]()

    def save(self, folder: str | Path) -> Path:
        """Copy the results folder: `mwork report`, `mwork check` and `mwork ablate` go on from there.

        Raises:
            InputError: If there are results already.
        """
        target = Path(folder)
        if (target / MANIFEST).exists():
            raise InputError(f"{target} holds results already", hint="choose another folder")
        shutil.copytree(self.folder, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.lock"))
        return target

    def __repr__(self) -> str:
        try:
            results = self.results
        except InputError as error:
            return f"<MatrixResults: {error}>"
        tables = ", ".join(f"{table.preset} on {table.task}" for table in results.tables) or "no table yet"
        missing = f", {results.unfinished} not computed yet" if results.unfinished else ""
        return f"<MatrixResults: {tables}; {len(results.scores)} cells{missing}>"

    def _repr_html_(self) -> str | None:
        try:
            results = self.results
        except InputError:
            return None  # a notebook then shows the line above
        return tables_as_html(results.tables, summary=wording.summary(results), unfinished=results.unfinished)


def _only(found: Sequence[T], what: str, there: Iterable[str]) -> T:
    """Return the one thing that was found."""
    if len(found) != 1:
        problem = "several times" if found else "not"
        raise InputError(f"{what} is {problem} there", expected=f"one of {'; '.join(there) or 'none'}")
    return found[0]


def _about(*names: str | None) -> str:
    return "".join(f" {name}" for name in names if name is not None)


def _described(name: FigureName) -> str:
    about = [part for part in (name.preset, name.task, name.setting) if part is not None]
    return f"{name.kind} ({', '.join(about)})" if about else name.kind
