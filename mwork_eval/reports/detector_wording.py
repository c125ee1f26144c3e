"""What every report format says of a comparison of detectors: headings, rows, overlaps, notes and a finding."""

from mwork_eval.languages.pivot import Pivot
from mwork_eval.reports.wording import difference, estimate, p_value, spread_range
from mwork_eval.results.comparison import SIGNIFICANT
from mwork_eval.results.detector_tables import DetectorRow, DetectorTable
from mwork_eval.results.preset_overlaps import SetOverlap
from mwork_eval.statistics.resampling import LEVEL, Estimate

_MEAN = "mean"


def title(table: DetectorTable) -> str:
    """Return the heading of a comparison."""
    return f"Detectors on {table.task}, {table.setting}"


def columns(table: DetectorTable, *, brief: bool = False) -> tuple[str, ...]:
    """Return the heads of the columns, as `rows` fills them.

    Args:
        table: The comparison.
        brief: Whether the table must be narrow.
    """
    pivot = Pivot(table.pivot).name
    heads = ("detector", "mask", "neurons", "own", pivot, "∆", "∆, random", "p (Holm)", f"∆ - {table.first}'s")
    return heads if brief else (*heads, "cost")


def rows(table: DetectorTable, *, brief: bool = False) -> list[list[str]]:
    """Return the texts of the rows, in the order of `columns`.

    Args:
        table: The comparison.
        brief: Whether the table must be narrow; then own and the pivot have no intervals.
    """
    return [_row(row, table, brief) for row in table.rows]


def stacked_rows(table: DetectorTable) -> list[list[str]]:
    """Return the texts of `rows` with intervals, ranges and the parts of costs in lines of their own, for a page."""
    breaks = ((" [", "\n["), (" (", "\n("), (", 1", ",\n1"))
    stacked = rows(table)
    for blank, line in breaks:
        stacked = [[cell.replace(blank, line) for cell in row] for row in stacked]
    return stacked


def _row(row: DetectorRow, table: DetectorTable, brief: bool) -> list[str]:
    def text(value: Estimate) -> str:
        return difference(value.value, table.unit) if brief else estimate(value, table.unit)

    control = "–"
    if row.control is not None:
        spread = row.control.delta
        control = f"{difference(spread.mean, table.unit)} ({spread_range(spread, table.unit)})"
    return [
        row.detector,
        row.language or _MEAN,
        str(row.neurons),
        text(row.own),
        text(row.english),
        estimate(row.delta, table.unit),
        control,
        p_value(row.p_holm),
        "–" if row.difference is None else estimate(row.difference, table.unit),
        *([] if brief else [table.detectors[row.detector]]),
    ]


def notes(table: DetectorTable) -> str:
    """Return what must stand beside a comparison."""
    documents = ", ".join(f"{language} {count}" for language, count in table.documents.items())
    name = Pivot(table.pivot).name
    draws = sorted({row.control.draws for row in table.rows if row.control is not None})
    text = (
        f"{table.metric}, change in {table.unit}, masked - unmasked, negative for damage, with as many neurons of "
        f"every detector deactivated; own: the mask's language; {name}: under the same mask; ∆ = {name} - own. "
        f"Intervals: {LEVEL:.0%} over documents."
    )
    if draws:
        number = f"{draws[0]} draw{'s' if draws[0] > 1 else ''}"
        text += (
            f" ∆, random: {number} of {table.control}, as many neurons of the same layers and structures as the "
            "detector's: mean (lowest..highest). p (Holm): of the mean ∆ against it, over documents and draws, "
            "corrected for the detectors."
        )
    text += (
        f" ∆ - {table.first}'s: paired by document, so that what both do to a document cancels; an interval without 0 "
        f"says which of the two does more. Documents: {documents}."
    )
    return f"{text} Cost of recording, for a document: {_costs(table)}."


def _costs(table: DetectorTable) -> str:
    names: dict[str, list[str]] = {}
    for detector, cost in table.detectors.items():
        names.setdefault(cost or "not told", []).append(detector)
    return "; ".join(f"{', '.join(of_cost)} {cost}" for cost, of_cost in names.items())


def finding(table: DetectorTable) -> str:
    """Return in a sentence which detectors do more than random neurons, and which do otherwise than the first."""
    heads = {row.detector: row for row in reversed(table.rows)}
    own = {name: heads[name] for name in table.detectors}
    above = [name for name, row in own.items() if row.p_holm is not None and row.p_holm < SIGNIFICANT]
    highest = max(own.values(), key=lambda row: row.delta.value)
    text = (
        f"{title(table)}: the highest ∆ is that of {highest.detector}, {estimate(highest.delta, table.unit)} "
        f"{table.unit} with {highest.neurons} neurons."
    )
    if any(row.p_holm is not None for row in own.values()):
        text += f" Significantly unlike random neurons: {', '.join(above) or 'none'}."
    for word, sign in (("above", 1), ("below", -1)):
        if names := [name for name, row in own.items() if _sign(row.difference) == sign]:
            text += f" {word.capitalize()} {table.first}: {', '.join(names)}."
    return text


def _sign(value: Estimate | None) -> int:
    """Return 1 or -1 for an interval above or below 0, else 0."""
    if value is None or value.low is None or value.high is None:
        return 0
    return int(value.low > 0) - int(value.high < 0)


def overlap_title(overlap: SetOverlap, table: DetectorTable) -> str:
    """Return the heading of a table of overlaps."""
    whose = f"mean over {', '.join(table.languages)}" if overlap.language is None else overlap.language
    return f"Neurons that detectors share on {table.task}, {table.setting}: {whose}"


def overlap_columns(overlap: SetOverlap) -> tuple[str, ...]:
    """Return the heads of a table of overlaps."""
    return ("detector", *overlap.jaccard)


def overlap_rows(overlap: SetOverlap) -> list[list[str]]:
    """Return the texts of a table of overlaps, in percent; nothing where two have no language in common."""
    return [
        [one, *(f"{100 * of_one[other]:.0f} %" if other in of_one else "–" for other in overlap.jaccard)]
        for one, of_one in overlap.jaccard.items()
    ]


OVERLAP_NOTES = (
    "Jaccard index: neurons that both detectors select, by all that either does. Gate, up and down count once."
)
