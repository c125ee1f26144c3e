"""Squares read from a results folder: each row's masks on the documents of every language."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mwork_eval.results.cross import ControlSpread, Crossed, Effects, control_spread, cross_effects
from mwork_eval.results.scale import Scale
from mwork_eval.results.table_cells import Scores, TableCells, read_tables
from mwork_eval.results.tables import Results
from mwork_eval.results.task_score import TaskScore


@dataclass(frozen=True)
class Square:
    """A language-specific row of a table, tried on the documents of every language.

    Attributes:
        preset: Name of the preset.
        task: The benchmark.
        metric: Main metric.
        unit: Unit of the changes.
        setting: Name of the row.
        control: Name of its random control; None if the table has none.
        masks: Mask languages.
        languages: Languages of the documents, the pivot first.
        counts: Neurons changed per mask language.
        documents: Number of documents per language.
        effects: What the masks do.
        random: What the random controls do, on average over their draws; None while they are missing.
        spread: How far single random controls differ; None likewise.
        intervention: What the row does to neurons; `zero` deactivates them.
    """

    preset: str
    task: str
    metric: str
    unit: str
    setting: str
    control: str | None
    masks: tuple[str, ...]
    languages: tuple[str, ...]
    counts: Mapping[str, int]
    documents: Mapping[str, int]
    effects: Effects
    random: Effects | None
    spread: ControlSpread | None
    intervention: str = "zero"


def read_squares(results: Results) -> Iterator[Square]:
    """Yield the squares of a folder whose language-specific cells are all stored; none without `--cross`.

    Args:
        results: What was read of the folder.

    Raises:
        InputError: If a masked score has other documents than its baseline.
    """
    scores = results.scores
    for table in read_tables(results.manifest, scores, "cells", "cross"):
        for setting, control in table.controls.items():
            masked = _crossed(table, setting, scores)
            random = _crossed(table, control, scores) if control else None
            if masked:
                yield _square(table, setting, control, masked, random)


def _crossed(table: TableCells, setting: str, scores: Scores) -> Crossed | None:
    """Gather the scores under the masks of a row; None while one is missing."""
    found: dict[str, dict[str, list[TaskScore]]] = defaultdict(lambda: defaultdict(list))
    for cell in table.of_row(setting):
        score = scores[cell.identity]
        if score is None or cell.mask_language is None:
            return None
        found[cell.mask_language][cell.language].append(score)
    whole = all(table.baseline.keys() <= of_mask.keys() for of_mask in found.values())
    return found if whole else None


def _square(table: TableCells, setting: str, control: str | None, masked: Crossed, random: Crossed | None) -> Square:
    baseline = table.baseline
    first = next(iter(baseline.values()))
    scale = Scale.of(first)
    return Square(
        preset=table.preset.name,
        task=table.task,
        metric=first.metric,
        unit=scale.unit,
        setting=setting,
        control=control,
        masks=tuple(masked),
        languages=tuple(baseline),
        counts={language: table.preset.counts[language] for language in masked},
        documents={language: len(score.documents) for language, score in baseline.items()},
        effects=cross_effects(baseline, masked, scale),
        random=cross_effects(baseline, random, scale) if random else None,
        spread=control_spread(baseline, random, scale) if random else None,
        intervention=table.intervention_of(setting),
    )
