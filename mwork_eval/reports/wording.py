"""What every report format says in the same words: column heads, numbers, notes and the legend."""

from mwork_eval.ablation.deltas import LEVEL, Estimate
from mwork_eval.neurons.stages import POSITIONS
from mwork_eval.reports.results import CellRow, DeltaTable, Results, SettingRow

DELTA_COLUMNS = ("setting", *POSITIONS, "Eng", "n-Eng", "∆Eng", "∆n-Eng", "∆", "∆ by seed")
BRIEF_COLUMNS = ("setting", *POSITIONS, "Eng", "n-Eng", "∆Eng", "∆n-Eng", "∆", f"{LEVEL:.0%} of ∆")
CELL_COLUMNS = ("preset", "setting", "mask", "seed", "task", "language", "documents", "score", "baseline", "difference")

LEGEND = (
    "✗ deactivated, ✓ left alone. LS: language-specific neurons; R: as many random neurons at the same positions. "
    "under, gen: all structures of the first and last layers; s-attn, s-ffn: attention and feed-forward between. "
    "∆n-Eng: mean over languages of (score under its own mask - baseline); ∆Eng: the same for English under those "
    "masks; ∆ = ∆Eng - ∆n-Eng. Negative means damage, also for bits per byte. A high ∆ says that English survives "
    f"what the other languages do not. Brackets: {LEVEL:.0%} paired bootstrap over documents."
)


def title(table: DeltaTable) -> str:
    """Return the heading of a table."""
    return f"{table.preset} (Table {table.number} of the paper) on {table.task}"


def notes(table: DeltaTable) -> str:
    """Return what must stand beside a table: metric, counts, documents and languages it is about."""
    counts = ", ".join(f"{language} {count}" for language, count in table.counts.items())
    documents = ", ".join(f"{language} {count}" for language, count in table.documents.items())
    baseline = ", ".join(f"{language} {number(score, table.unit)}" for language, score in table.baseline.items())
    direction = "" if table.higher_is_better else ", lower is better"
    parts = [
        f"{table.metric} in {table.unit}{direction}",
        f"baseline: {baseline}",
        f"neurons deactivated in every row: {counts}",
        f"documents: {documents}",
    ]
    if table.missing:
        parts.append(f"{table.task} has no {', '.join(table.missing)}; averages are over {', '.join(table.languages)}")
    return "; ".join(parts) + "."


def summary(results: Results) -> str:
    """Return a line about the model and the sets."""
    manifest = results.manifest
    stages = manifest["stages"]
    sets = ", ".join(
        f"{language} {entry['total']} ({100 * entry['total'] / entry['of']:.2f} %)"
        for language, entry in manifest["sets"].items()
    )
    return (
        f"Model {manifest['model']}, {stages['layers']} layers: {stages['understanding']} understanding, "
        f"{stages['generation']} generation. Language-specific neurons: {sets}; gate, up and down count once."
    )


def delta_cells(row: SettingRow, table: DeltaTable) -> list[str]:
    """Return the texts of a table row, in the order of `DELTA_COLUMNS`."""
    marks = ["✗" if position in row.positions else "✓" for position in POSITIONS]
    if row.delta is None:
        return [row.name, *marks, *["…"] * 5, ""]
    delta = row.delta
    return [
        row.name,
        *marks,
        number(delta.eng, table.unit),
        number(delta.non_eng, table.unit),
        estimate(delta.delta_eng, table.unit),
        estimate(delta.delta_non_eng, table.unit),
        estimate(delta.delta, table.unit),
        " ".join(difference(value, table.unit) for value in delta.by_seed),
    ]


def brief_cells(row: SettingRow, table: DeltaTable) -> list[str]:
    """Return the texts of a narrow table row, in the order of `BRIEF_COLUMNS`: the interval of ∆ only."""
    start = delta_cells(row, table)[: len(POSITIONS) + 3]
    if row.delta is None:
        return [*start, "…", "…", "…", ""]
    found = (row.delta.delta_eng, row.delta.delta_non_eng, row.delta.delta)
    return [*start, *(difference(value.value, table.unit) for value in found), interval(row.delta.delta, table.unit)]


def cell_cells(row: CellRow) -> list[str]:
    """Return the texts of a row of the table of cells, in the order of `CELL_COLUMNS`."""
    score, baseline = row.score, row.baseline
    change = "" if score is None or baseline is None or row.setting == "baseline" else f"{score - baseline:+.3f}"
    return [
        row.preset,
        row.setting,
        row.mask_language or "",
        "" if row.seed is None else str(row.seed),
        row.task,
        row.language,
        "" if row.documents is None else str(row.documents),
        "…" if score is None else f"{score:.3f}",
        "…" if baseline is None else f"{baseline:.3f}",
        change,
    ]


def number(value: float, unit: str) -> str:
    """Return a score as text."""
    return f"{value:.{_decimals(unit)}f}"


def difference(value: float, unit: str) -> str:
    """Return a difference as text, with its sign."""
    return f"{value:+.{_decimals(unit)}f}"


def estimate(value: Estimate, unit: str) -> str:
    """Return an estimate with its interval as text."""
    return f"{difference(value.value, unit)} {interval(value, unit)}"


def interval(value: Estimate, unit: str) -> str:
    """Return the interval of an estimate as text."""
    return f"[{difference(value.low, unit)}, {difference(value.high, unit)}]"


def _decimals(unit: str) -> int:
    return 1 if unit == "points" else 3
