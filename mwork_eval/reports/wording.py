"""What every report format says in the same words: column heads, numbers and notes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from mwork_eval.hub.reference import repositories_of
from mwork_eval.languages.pivot import Pivot
from mwork_eval.neurons.stages import POSITIONS
from mwork_eval.neurons.tuned_stages import tuning_documents
from mwork_eval.reports.asking import asked_in_words
from mwork_eval.reports.intervention_wording import done_by_all
from mwork_eval.results.engine import engine_in_words
from mwork_eval.results.manifest import Manifest, PresetEntry
from mwork_eval.results.tables import CellRow, DeltaTable, Results, SettingRow
from mwork_eval.statistics.resampling import LEVEL, POWER, Estimate
from mwork_eval.statistics.spread import Spread

CELL_COLUMNS = ("preset", "setting", "mask", "seed", "task", "language", "documents", "score", "baseline", "difference")


def delta_columns(pivot: Pivot) -> tuple[str, ...]:
    """Return the heads of a table's columns, as `delta_cells` fills them."""
    return (*_first_columns(pivot), "control", "p", "p (Holm)", "∆ of draws")


def brief_columns(pivot: Pivot) -> tuple[str, ...]:
    """Return the heads of a narrow table's columns, as `brief_cells` fills them."""
    return (*_first_columns(pivot), f"{LEVEL:.0%} of ∆", "p or draws")


def _first_columns(pivot: Pivot) -> tuple[str, ...]:
    return ("setting", *POSITIONS, pivot.score, pivot.others, pivot.delta, pivot.delta_others, "∆")


def title(table: DeltaTable) -> str:
    """Return the heading of a table."""
    origin = "" if table.number is None else f" (Table {table.number} of the paper)"
    return f"{table.preset}{origin} on {table.task}"


def notes(table: DeltaTable) -> str:
    """Return what must stand beside a table: metric, counts, documents, languages, and what they can tell."""
    counts = ", ".join(f"{language} {count}" for language, count in table.counts.items())
    documents = ", ".join(
        f"{language} {count}{_clusters(table, language)}" for language, count in table.documents.items()
    )
    baseline = ", ".join(f"{language} {number(score, table.unit)}" for language, score in table.baseline.items())
    direction = "" if table.higher_is_better else ", lower is better"
    parts = [
        f"{table.metric} in {table.unit}{direction}",
        f"baseline: {baseline}",
        f"neurons {done_by_all(row.intervention for row in table.rows)} in every row: {counts}",
        f"documents: {documents}",
    ]
    if unknown := [language for language, clusters in table.clusters.items() if clusters is None]:
        parts.append(
            f"which documents of {', '.join(unknown)} belong together is not recorded: each is taken by itself"
        )
    if table.missing:
        parts.append(f"{table.task} has no {', '.join(table.missing)}; averages are over {', '.join(table.languages)}")
    parts += _cut(table)
    return " ".join(["; ".join(parts) + ".", *_few(table), *_tests(table), *_power(table)])


def _clusters(table: DeltaTable, language: str) -> str:
    """Say how many clusters the documents of a language form, unless each is one."""
    clusters = table.clusters[language]
    return "" if clusters in (None, table.documents[language]) else f" in {clusters} clusters"


def _cut(table: DeltaTable) -> list[str]:
    """Say of how many prompts the model did not see the beginning."""
    return [
        f"{count} of {table.documents[language]} prompts of {table.task_of(language)} lost their beginning"
        for language, count in table.truncated.items()
    ]


def _tests(table: DeltaTable) -> list[str]:
    """Say which control each row was tested against, and why a row was not."""
    tested, untested = defaultdict(list), defaultdict(list)
    for row in table.rows:
        if row.delta is None or row.comparison is None:
            continue
        if row.comparison.reason is None:
            tested[row.comparison.control].append(row.name)
        else:
            untested[row.comparison.reason].append(row.name)
    against = "; ".join(f"{', '.join(names)} against {control}" for control, names in tested.items())
    without = [f"No p for {', '.join(names)}: {reason}." for reason, names in untested.items()]
    return [f"p: {against}.", *without] if against else without


def _few(table: DeltaTable) -> list[str]:
    """Say why intervals of ∆ are missing."""
    rows = defaultdict(list)
    for row in table.rows:
        if row.delta is not None and row.delta.delta.reason is not None:
            rows[row.delta.delta.reason].append(row.name)
    return [f"Too few to tell ∆ of {', '.join(names)}: {reason}." for reason, names in rows.items()]


def _power(table: DeltaTable) -> list[str]:
    """Say how small a difference from the control the tests of the table find."""
    comparisons = [row.comparison for row in table.rows if row.delta is not None and row.comparison is not None]
    if not comparisons:
        return []
    with_draws = {found.draws for found in comparisons if found.p is not None and found.draws is not None}
    if table.detectable is None:
        return [
            "How small a difference from random neurons these rows can tell cannot be said; at least 5 draws may tell."
        ]
    fewest, most = min(table.documents.values()), max(table.documents.values())
    documents = f"{fewest} document{'s' if fewest > 1 else ''}" if fewest == most else f"{fewest} to {most} documents"
    draws = f"{min(with_draws)} draws" if len(with_draws) == 1 else f"{min(with_draws)} to {max(with_draws)} draws"
    smallest = number(table.detectable, table.unit)
    return [
        f"{documents} per language and {draws} of random neurons can tell a ∆ that differs from the control's by about "
        f"{smallest} {table.unit} ({POWER:.0%} power of the corrected p, worst row); use a larger --limit or more "
        "draws for less."
    ]


def summary(results: Results) -> str:
    """Return a line about the model and the sets."""
    manifest = results.manifest
    stages = manifest.stages
    sets = ", ".join(
        f"{language} {entry.total} ({100 * entry.total / entry.of:.2f} %)" for language, entry in manifest.sets.items()
    ) or _own_sets(manifest.presets)
    tuned = tuning_documents(entry.about for entry in manifest.sets.values())
    places = repositories_of(entry.about.get("hub") for entry in manifest.sets.values())
    left_out = "".join(
        f" (chosen on {tuned_on.documents} documents of {task}, which are left out)" for task, tuned_on in tuned.items()
    )
    return (
        f"Model {manifest.model}, {stages.layers} layers: {stages.understanding} understanding, "
        f"{stages.generation} generation{left_out}. Language-specific neurons: {sets}"
        f"{', of ' if places else ''}{', '.join(places)}; gate, up and down count once."
        + _shared_hits(manifest.presets)
        + "".join(f" {line[0].upper()}{line[1:]}." for line in manifest.lacking)
        + _asked(manifest)
    )


def command(results: Results) -> str:
    """Return the command that computes what is missing."""
    return f"mwork {'compare-detectors' if any(one.sets for one in results.manifest.presets) else 'ablate'}"


def _own_sets(presets: Iterable[PresetEntry]) -> str:
    """Say how many neurons each preset deactivates that has sets of its own."""
    by_number: dict[str, list[str]] = defaultdict(list)
    for preset in presets:
        if preset.sets:
            by_number[", ".join(f"{language} {own.total}" for language, own in preset.sets.items())].append(preset.name)
    return "; ".join(f"{sets} by {', '.join(names)}" for sets, names in by_number.items())


def _asked(manifest: Manifest) -> str:
    said = asked_in_words(manifest.prompting, manifest.model_args)
    engine = f" Engine: {engine_in_words(manifest.engine)}." if manifest.engine else ""
    return engine + (f" {said}" if said else "")


def _shared_hits(presets: Iterable[PresetEntry]) -> str:
    """Say how many of the random controls' neurons are the language's own, though not specific to it."""
    hits = [
        (preset.counts[language], count)
        for preset in presets
        for language, by_setting in preset.shared_hits.items()
        for of_seeds in by_setting.values()
        for count in of_seeds
    ]
    known = [(drawn, count) for drawn, count in hits if count is not None]
    drawn, shared = sum(drawn for drawn, _ in known), sum(count for _, count in known)
    found = f" Of {drawn} random neurons {shared} are the language's own, shared with others." if known else ""
    return found + (" Some sets do not say which neurons they share." if len(known) < len(hits) else "")


def delta_cells(row: SettingRow, table: DeltaTable) -> list[str]:
    """Return the texts of a table row, in the order of `delta_columns`."""
    if row.delta is None:
        return [*_start(row, table), *["…"] * 3, "", "", "", ""]
    delta, comparison = row.delta, row.comparison
    return [
        *_start(row, table),
        estimate(delta.delta_eng, table.unit),
        estimate(delta.delta_non_eng, table.unit),
        f"{_delta(delta.delta, row, table)} {interval(delta.delta, table.unit)}",
        "" if comparison is None else comparison.control or "none",
        "" if comparison is None else p_value(comparison.p),
        "" if comparison is None else p_value(comparison.p_holm),
        draws(delta.by_seed, table.unit),
    ]


def brief_cells(row: SettingRow, table: DeltaTable) -> list[str]:
    """Return the texts of a narrow table row, in the order of `brief_columns`: the interval of ∆ only."""
    if row.delta is None:
        return [*_start(row, table), "…", "…", "…", "", ""]
    delta = row.delta
    return [
        *_start(row, table),
        difference(delta.delta_eng.value, table.unit),
        difference(delta.delta_non_eng.value, table.unit),
        _delta(delta.delta, row, table),
        interval(delta.delta, table.unit),
        draws(delta.by_seed, table.unit) if row.comparison is None else p_value(row.comparison.p_holm),
    ]


def cell_cells(row: CellRow) -> list[str]:
    """Return the texts of a row of the table of cells, in the order of `CELL_COLUMNS`."""
    score, baseline = row.score, row.baseline
    change = "" if score is None or baseline is None or row.setting == "baseline" else f"{score - baseline:+.3f}"
    count = "" if row.neurons is None else f", {row.neurons} neurons"
    draw = "" if row.draw is None else f", set draw {row.draw}"
    return [
        row.preset,
        f"{row.setting}{count}{draw}",
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
    """Return a difference as text, with its sign; zero has a plus, however it was rounded."""
    decimals = _decimals(unit)
    return f"{round(value, decimals) + 0.0:+.{decimals}f}"


def spread_range(spread: Spread, unit: str) -> str:
    """Return the lowest and the highest of some numbers as text."""
    return f"{difference(spread.low, unit)}..{difference(spread.high, unit)}"


def estimate(value: Estimate, unit: str) -> str:
    """Return an estimate with its interval as text."""
    return f"{difference(value.value, unit)} {interval(value, unit)}"


def interval(value: Estimate, unit: str) -> str:
    """Return the interval of an estimate as text."""
    if value.low is None or value.high is None:
        return "[too few to tell]"
    return f"[{difference(value.low, unit)}, {difference(value.high, unit)}]"


def draws(deltas: Sequence[float], unit: str) -> str:
    """Return the spread over draws as text: the lowest, the highest and their number; nothing without several."""
    if not deltas:
        return ""
    return f"{difference(min(deltas), unit)}..{difference(max(deltas), unit)} ({len(deltas)})"


def p_value(value: float | None) -> str:
    """Return a p-value as text; without one, a dash."""
    if value is None:
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _start(row: SettingRow, table: DeltaTable) -> list[str]:
    """Return name, positions and scores: the first columns of a row."""
    marks = ["✗" if position in row.positions else "✓" for position in POSITIONS]
    scores = ["…", "…"] if row.delta is None else [number(s, table.unit) for s in (row.delta.eng, row.delta.non_eng)]
    return [row.name, *marks, *scores]


def _delta(value: Estimate, row: SettingRow, table: DeltaTable) -> str:
    return difference(value.value, table.unit) + ("?" if row.undetectable else "")


def _decimals(unit: str) -> int:
    return 1 if unit == "points" else 3
