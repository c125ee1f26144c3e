"""What every report format says of the dependence of ∆ on the detection documents: heading, rows and notes."""

from mwork_eval.languages.pivot import Pivot
from mwork_eval.reports.intervention_wording import ZERO
from mwork_eval.reports.wording import difference, interval, number, spread_range
from mwork_eval.results.set_draws import DrawnRow, SetDraws
from mwork_eval.statistics.resampling import LEVEL

COLUMNS = ("setting", "∆", f"{LEVEL:.0%} of ∆", "SE over sets", "∆ of halves", "draws", "overlap")


def title(table: SetDraws) -> str:
    """Return the heading of a table."""
    return f"{table.preset} on {table.task}: ∆ by the documents that the neurons were detected in"


def rows(table: SetDraws) -> list[list[str]]:
    """Return the texts of the rows, in the order of `COLUMNS`."""
    return [_row(row, table.unit) for row in table.rows]


def _row(row: DrawnRow, unit: str) -> list[str]:
    return [
        row.setting,
        difference(row.delta.value, unit),
        interval(row.delta, unit),
        number(row.sets.standard_error, unit),
        spread_range(row.sets.spread, unit),
        str(len(row.sets.by_draw)),
        f"{100 * row.overlap:.0f} %",
    ]


def notes(table: SetDraws) -> str:
    """Return what must stand beside a table."""
    verb = "deactivate" if all(row.intervention == ZERO for row in table.rows) else "change"
    return (
        f"{table.metric}, ∆ in {table.unit}, mean over {', '.join(table.languages)}. Each draw selects neurons anew "
        f"from a random half of the documents of every language, {Pivot(table.pivot).name} too, and {verb}s as "
        "many as the table, or all it has if fewer. SE over sets: how much ∆ would vary with other documents to detect "
        "in, the root mean squared difference of the halves' ∆ from that of all documents (delete-half jackknife). ∆ "
        f"of halves: lowest..highest draw. Overlap: mean Jaccard index of what a draw and the table {verb}. "
        "Intervals and p-values are for the sets detected: they do not contain this spread."
    )
