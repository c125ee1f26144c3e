"""The figures of a results folder by what they show, drawn when they are asked for."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mwork_eval.digests import file_name
from mwork_eval.languages.pivot import Pivot
from mwork_eval.reports import detector_wording, dose_wording, plots, square_wording, wording
from mwork_eval.reports.detector_plot import plot_detectors
from mwork_eval.reports.dose_plot import plot_dose
from mwork_eval.reports.square_plot import plot_square
from mwork_eval.results.detector_tables import read_detector_tables
from mwork_eval.results.doses import read_doses
from mwork_eval.results.language_intervals import language_changes
from mwork_eval.results.set_counts import count_recorded
from mwork_eval.results.squares import read_squares
from mwork_eval.results.tables import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
"""What a file's name cannot have, on Windows or elsewhere."""


@dataclass(frozen=True)
class FigureName:
    """What a figure shows.

    Attributes:
        kind: `changes`, `cross` or `dose` of a table; `detectors` compared; `neurons`, `layers` or `overlap` of the
            sets.
        preset: The table's preset, or None.
        task: Its benchmark, or None.
        setting: Its row, where the figure is about one.
    """

    kind: str
    preset: str | None = None
    task: str | None = None
    setting: str | None = None

    @property
    def file(self) -> str:
        """Name of its file, without the ending."""
        parts = [part for part in (self.kind, self.preset, self.task) if part is not None]
        if self.setting is None:
            return file_name(_NOT_IN_NAMES.sub("-", "-".join(parts)))
        return file_name(_NOT_IN_NAMES.sub("-", "-".join([*parts, self.setting])).replace(" ", "-"))


def report_figures(results: Results) -> dict[FigureName, "Callable[[], Figure]"]:
    """Return the figures there are: changes, squares and dose curves, and where the neurons of the sets are.

    Args:
        results: What was read of the folder.

    Raises:
        InputError: If a stored cell or neuron set is damaged.
    """
    figures: dict[FigureName, Callable[[], Figure]] = {}
    for table in results.tables:
        if changes := language_changes(results, table):
            name = FigureName("changes", table.preset, table.task)
            figures[name] = partial(plots.plot_changes, changes, table.unit, wording.title(table), Pivot(table.pivot))
    for square in read_squares(results):
        name = FigureName("cross", square.preset, square.task, square.setting)
        figures[name] = partial(plot_square, square, square_wording.title(square))
    for dose in read_doses(results):
        name = FigureName("dose", dose.preset, dose.task, dose.setting)
        figures[name] = partial(plot_dose, dose, dose_wording.title(dose))
    for detectors in read_detector_tables(results):
        if detectors.curves:
            name = FigureName("detectors", None, detectors.task, detectors.setting)
            figures[name] = partial(plot_detectors, detectors, detector_wording.title(detectors))
    counts, stages = count_recorded(results), results.manifest.stages
    if counts.languages:
        figures[FigureName("neurons")] = partial(plots.plot_heat, counts)
        figures[FigureName("layers")] = partial(plots.plot_layers, counts, stages)
        figures[FigureName("overlap")] = partial(plots.plot_overlap, {"all": counts.overlap}, "Jaccard index")
    return figures
