"""What a look through the lens gives: curves by language and mask, as a table, a figure, and in a notebook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mwork_eval.analysis.lens_file import LensReport, lens_rows
from mwork_eval.analysis.shares import Curves
from mwork_eval.reports.asking import told_in_words
from mwork_eval.reports.lens_wording import describe_crossings, lens_cells, title_of
from mwork_eval.views.lens import plot_lens
from mwork_eval.views.notebook import data_frame, html_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class LensResults:
    """What a lens found; a notebook shows its tables.

    Attributes:
        about: How it was looked: method, model, options; JSON values.
        curves: Per language, then per mask, the share of each class of language by layer, the whole model first.
        files: What was written.
    """

    about: Mapping[str, Any]
    curves: Sequence[Curves]
    files: tuple[Path, ...] = ()

    @property
    def report(self) -> LensReport:
        """What the file holds and a terminal shows."""
        return LensReport(self.about, self.curves)

    def to_pandas(self) -> Any:
        """Return a `pandas.DataFrame` with a row per language, mask, layer and class; shares from 0 to 1.

        Raises:
            InputError: If pandas is not installed.
        """
        return data_frame([row for curves in self.curves for row in lens_rows(curves)])

    def figure(self) -> "Figure":
        """Draw a panel per language and mask: the share of each class by layer in percent; needs the extra `plot`."""
        return plot_lens(self.report)

    def __repr__(self) -> str:
        looked = "; ".join(f"{title_of(curves)}, {curves.queries} queries" for curves in self.curves)
        return f"<LensResults of {self.about['model']}, method {self.about['method']}: {looked}>"

    def _repr_html_(self) -> str:
        asked = told_in_words(self.about)
        return "".join(
            html_table(
                f"{title_of(curves)}: share by layer, %",
                *lens_cells(curves),
                note=f"{describe_crossings(curves)}. {asked}" if asked else describe_crossings(curves),
            )
            for curves in self.curves
        )
