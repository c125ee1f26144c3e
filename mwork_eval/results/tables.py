"""A results folder read back as tables: rows of deltas per preset and benchmark, and a row per cell."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.languages.table import ENGLISH
from mwork_eval.results.comparison import SIGNIFICANT, Comparison, compare_settings, find_control
from mwork_eval.results.deltas import Delta, DeltaCalculator, Masked
from mwork_eval.results.scale import Scale
from mwork_eval.results.store import PARTS, CellStore, load_manifest
from mwork_eval.results.task_score import TaskScore

_TRUNCATED = "truncated,none"
"""Among a score's metrics, the number of its prompts that were cut at the left."""


@dataclass(frozen=True)
class SettingRow:
    """One row of a paper-style table.

    Attributes:
        name: Name of the setting.
        random: Whether it is a random control.
        positions: The positions deactivated.
        delta: What it does; None while cells are missing.
        comparison: A language-specific setting against its random control; None for a random one.
        undetectable: Whether the setting is language-specific and its ∆ neither significantly unlike its control's
            nor further from it than the test can tell; without a p-value, whether its interval holds 0 or is missing.
    """

    name: str
    random: bool
    positions: tuple[str, ...]
    delta: Delta | None
    comparison: Comparison | None
    undetectable: bool


@dataclass(frozen=True)
class DeltaTable:
    """A paper-style table: one preset on one benchmark.

    Attributes:
        preset: Name of the preset.
        number: Number of the table in the paper, or None if it is not the paper's.
        task: The benchmark.
        metric: Main metric.
        higher_is_better: Whether a higher score is better.
        unit: Unit of the differences.
        languages: Mask languages averaged over.
        missing: Languages asked for that the benchmark lacks.
        counts: Neurons deactivated per mask language, the same in every row.
        baseline: Score without a mask per language.
        documents: Number of documents per language.
        clusters: Number of clusters of the documents of each language, the same in parallel ones; None if not known.
        detectable: The smallest true difference of ∆ from the random control's that the corrected p-value of any row
            finds in 80 % of cases; None if that cannot be told.
        rows: The settings.
        truncated: By language, how many prompts lost their beginning because the model takes no more; only those
            that have any.
    """

    preset: str
    number: int | None
    task: str
    metric: str
    higher_is_better: bool
    unit: str
    languages: tuple[str, ...]
    missing: tuple[str, ...]
    counts: Mapping[str, int]
    baseline: Mapping[str, float]
    documents: Mapping[str, int]
    clusters: Mapping[str, int | None]
    detectable: float | None
    rows: tuple[SettingRow, ...]
    truncated: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class CellRow:
    """One score: `score` and `baseline` are None while they are missing.

    `neurons` is None except under `--counts`, and `draw` except under `--set-draws`.
    """

    preset: str
    setting: str
    mask_language: str | None
    seed: int | None
    neurons: int | None
    draw: int | None
    task: str
    language: str
    documents: int | None
    score: float | None
    baseline: float | None


@dataclass(frozen=True)
class Results:
    """Everything a report shows of one results folder.

    Attributes:
        folder: The folder.
        manifest: What its matrix consists of.
        tables: A paper-style table per preset and benchmark.
        cells: A row per score.
        scores: By cell identity, the stored score; None for a cell that is planned and not computed.
    """

    folder: Path
    manifest: Mapping[str, Any]
    tables: tuple[DeltaTable, ...]
    cells: tuple[CellRow, ...]
    scores: Mapping[str, TaskScore | None]

    @property
    def unfinished(self) -> int:
        """Number of cells that are planned and not computed; rows can share one."""
        return sum(score is None for score in self.scores.values())

    def cells_of(self, table: DeltaTable, part: str = "cells") -> list[Mapping[str, Any]]:
        """Return the manifest's entries of the cells of a table, or of another part about its preset and benchmark."""
        every = self.manifest.get(part, ())
        return [entry for entry in every if (entry["preset"], entry["task"]) == (table.preset, table.task)]


def read_results(folder: Path) -> Results:
    """Read a results folder.

    Raises:
        InputError: If it holds no results or a file is damaged.
    """
    manifest = load_manifest(folder)
    store = CellStore(folder)
    every = [entry for part in PARTS for entry in manifest.get(part, ())]
    scores = {entry["identity"]: store.load(entry["identity"]) for entry in every}
    if not any(scores.values()):
        raise InputError(f"{folder} holds no finished cell", hint="run `mwork ablate` again to go on")
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for entry in manifest["cells"]:
        groups[entry["preset"], entry["task"]].append(entry)
    presets = {preset["name"]: preset for preset in manifest["presets"]}
    families = {family["name"]: family for family in manifest["tasks"]}
    tables = [
        table
        for (preset, task), entries in groups.items()
        if (table := _table(presets[preset], families[task], entries, scores)) is not None
    ]
    return Results(folder, manifest, tuple(tables), tuple(_cell_rows(every, scores)), scores)


def _table(
    preset: Mapping[str, Any],
    family: Mapping[str, Any],
    entries: Sequence[Mapping[str, Any]],
    scores: Mapping[str, TaskScore | None],
) -> DeltaTable | None:
    """Build one table, or None while a baseline is missing."""
    baseline = {entry["language"]: scores[entry["identity"]] for entry in entries if entry["setting"] is None}
    if any(score is None for score in baseline.values()):
        return None
    known = {language: score for language, score in baseline.items() if score is not None}
    calculator = DeltaCalculator(known)
    masked = {
        setting["name"]: masked_scores([entry for entry in entries if entry["setting"] == setting["name"]], scores)
        for setting in preset["settings"]
    }
    rows, detectable = _rows(preset["settings"], known, masked, calculator)
    languages = tuple(language for language in known if language != ENGLISH)
    return DeltaTable(
        preset=preset["name"],
        number=preset["table"],
        task=family["name"],
        metric=calculator.metric,
        higher_is_better=calculator.scale.higher_is_better,
        unit=calculator.scale.unit,
        languages=languages,
        missing=tuple(family["missing"]),
        counts={language: preset["counts"][language] for language in languages},
        baseline=calculator.baseline,
        documents={language: len(score.documents) for language, score in known.items()},
        clusters={language: len(set(score.clusters)) or None for language, score in known.items()},
        detectable=detectable,
        rows=tuple(rows),
        truncated=_truncated(known),
    )


def _truncated(baseline: Mapping[str, TaskScore]) -> dict[str, int]:
    """Return the number of prompts cut, by language; a mask changes none."""
    counts = {code: int(score.metrics.get(_TRUNCATED, 0)) for code, score in baseline.items()}
    return {code: count for code, count in counts.items() if count}


def _rows(
    settings: Sequence[Mapping[str, Any]],
    known: Mapping[str, TaskScore],
    masked: Mapping[str, Masked],
    calculator: DeltaCalculator,
) -> tuple[list[SettingRow], float | None]:
    """Return the rows of a table, and the smallest difference from the control that its tests find."""
    positions = {setting["name"]: tuple(setting["positions"]) for setting in settings}
    random = {positions[setting["name"]]: setting["name"] for setting in settings if setting["random"]}
    controls = {
        setting["name"]: find_control(positions[setting["name"]], random)
        for setting in settings
        if not setting["random"]
    }
    comparisons = compare_settings(controls, known, masked, calculator.scale)
    deltas = {name: calculator.delta(scores) if scores else None for name, scores in masked.items()}
    smallest = [found.detectable for found in comparisons.values() if found.p is not None]
    # Without any spread the documents are too few or too alike to say anything.
    detectable = None if not smallest or None in smallest else max(value for value in smallest if value is not None)
    rows = [
        SettingRow(
            name=setting["name"],
            random=setting["random"],
            positions=positions[setting["name"]],
            delta=deltas[setting["name"]],
            comparison=comparisons.get(setting["name"]),
            undetectable=_undetectable(deltas[setting["name"]], comparisons.get(setting["name"]), detectable),
        )
        for setting in settings
    ]
    return rows, detectable


def _undetectable(delta: Delta | None, comparison: Comparison | None, detectable: float | None) -> bool:
    if delta is None or comparison is None:
        return False
    if comparison.p_holm is None or comparison.difference is None:
        return delta.delta.low is None or delta.delta.high is None or delta.delta.low <= 0 <= delta.delta.high
    return comparison.p_holm >= SIGNIFICANT and (detectable is None or abs(comparison.difference) < detectable)


def masked_scores(entries: Sequence[Mapping[str, Any]], scores: Mapping[str, TaskScore | None]) -> Masked:
    """Pair each mask's score on its own language with that on English; nothing while one is missing.

    Args:
        entries: The manifest's entries of the cells of one setting.
        scores: By identity, the stored scores.
    """
    found: dict[tuple[str, int | None], dict[str, TaskScore]] = defaultdict(dict)
    for entry in entries:
        score = scores[entry["identity"]]
        if score is None:
            return {}
        found[entry["mask_language"], entry["seed"]][entry["language"]] = score
    masked: dict[str, list[tuple[TaskScore, TaskScore]]] = defaultdict(list)
    for (language, _), pair in found.items():
        masked[language].append((pair[language], pair[ENGLISH]))
    return masked


def _cell_rows(entries: Sequence[Mapping[str, Any]], scores: Mapping[str, TaskScore | None]) -> list[CellRow]:
    baseline = {
        (entry["task"], entry["language"]): scores[entry["identity"]] for entry in entries if entry["setting"] is None
    }
    rows = []
    for entry in entries:
        score, first = scores[entry["identity"]], baseline[entry["task"], entry["language"]]
        rows.append(
            CellRow(
                preset=entry["preset"],
                setting=entry["setting"] or "baseline",
                mask_language=entry["mask_language"],
                seed=entry["seed"],
                neurons=entry.get("count"),
                draw=entry.get("draw"),
                task=entry["task"],
                language=entry["language"],
                documents=None if score is None else len(score.documents),
                score=_scaled(score, first),
                baseline=_scaled(first, first),
            )
        )
    return rows


def _scaled(score: TaskScore | None, baseline: TaskScore | None) -> float | None:
    return None if score is None else Scale.of(baseline or score).factor * score.score
