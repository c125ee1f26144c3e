"""What every report format says of a dose curve: heading, rows and the sentences beside it."""

from mwork_eval.languages.pivot import Pivot
from mwork_eval.reports.intervention_wording import done
from mwork_eval.reports.wording import difference, estimate, spread_range
from mwork_eval.results.dose import DosePoint
from mwork_eval.results.doses import Dose
from mwork_eval.statistics.resampling import LEVEL, Estimate


def columns(dose: Dose) -> tuple[str, ...]:
    """Return the heads of the columns."""
    name = Pivot(dose.pivot).name
    return ("mask", "neurons", "own", name, "∆", "own, random", f"{name}, random", "∆, random")


def title(dose: Dose) -> str:
    """Return the heading of a dose curve."""
    return f"{dose.preset} on {dose.task}: change by number of neurons, {dose.setting}"


def curve_name(language: str | None) -> str:
    """Return what the curve of a language, or of the mean over all, is called."""
    return language or "mean"


def rows(dose: Dose, *, intervals: bool) -> list[list[str]]:
    """Return the texts of the points, in the order of `columns`, curve by curve.

    Args:
        dose: The curve.
        intervals: Whether to write the intervals of own and the pivot, as ∆ always has its.
    """
    return [_row(point, dose.unit, intervals) for curve in dose.curves.values() for point in curve]


def _row(point: DosePoint, unit: str, intervals: bool) -> list[str]:
    def text(value: Estimate) -> str:
        return estimate(value, unit) if intervals else difference(value.value, unit)

    control = point.control
    spreads = [] if control is None else [control.own, control.english, control.delta]
    bands = [spread_range(spread, unit) for spread in spreads] or ["–"] * 3
    return [
        curve_name(point.language),
        str(point.count),
        text(point.own),
        text(point.english),
        estimate(point.delta, unit),
        *bands,
    ]


def notes(dose: Dose) -> str:
    """Return what must stand beside a dose curve."""
    documents = ", ".join(f"{language} {count}" for language, count in dose.documents.items())
    draws = sorted({point.control.draws for point in dose.points if point.control is not None})
    name = Pivot(dose.pivot).name
    text = (
        f"{dose.metric}, change in {dose.unit}, masked - unmasked, negative for damage, with so many neurons "
        f"{done(dose.intervention)}, the strongest of each layer and structure; own: the mask's language; "
        f"{name}: under the same mask; "
        f"∆ = {name} - own. Intervals: {LEVEL:.0%} over documents."
    )
    if draws:
        number = f"{draws[0]} draw{'s' if draws[0] > 1 else ''}"
        text += f" Random: lowest..highest of {number} of {dose.control}, as many neurons."
    return f"{text} Documents: {documents}."
