"""Dose curves read from a results folder: what each number of neurons does."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mwork_eval.languages.table import ENGLISH
from mwork_eval.results.dose import DosePoint, dose_points
from mwork_eval.results.scale import Scale
from mwork_eval.results.table_cells import check_alike, masked_scores, read_tables
from mwork_eval.results.tables import Results


@dataclass(frozen=True)
class Dose:
    """A language-specific row of a table with several numbers of neurons.

    Attributes:
        preset: Name of the preset.
        task: The benchmark.
        metric: Main metric.
        unit: Unit of the changes.
        setting: Name of the row.
        control: Name of its random control; None if the table has none.
        languages: Mask languages.
        documents: Number of documents per language.
        points: For each number, ascending, what it does on average over languages and in each.
        pivot: The language that the others are compared with.
        intervention: What the row does to neurons; `zero` deactivates them.
    """

    preset: str
    task: str
    metric: str
    unit: str
    setting: str
    control: str | None
    languages: tuple[str, ...]
    documents: Mapping[str, int]
    points: tuple[DosePoint, ...]
    pivot: str = ENGLISH
    intervention: str = "zero"

    def curve(self, language: str | None) -> list[DosePoint]:
        """Return the points of a language, or of the mean over all."""
        return [point for point in self.points if point.language == language]

    @property
    def curves(self) -> dict[str | None, list[DosePoint]]:
        """The points of the mean over languages, if there are several, and of each language."""
        return {language: self.curve(language) for language in dict.fromkeys(point.language for point in self.points)}


def read_doses(results: Results) -> Iterator[Dose]:
    """Yield the dose curves of a folder, with the numbers of neurons that are computed; none without `--counts`.

    Args:
        results: What was read of the folder.

    Raises:
        InputError: If a masked score has other documents than its baseline.
    """
    scores = results.scores
    for table in read_tables(results.manifest, scores, "dose"):
        baseline, pivot = table.baseline, table.pivot
        for setting, control in table.controls.items():
            points: list[DosePoint] = []
            for count in sorted({cell.count for cell in table.cells if cell.count is not None}):
                masked, random = (
                    masked_scores([cell for cell in table.of_row(row) if cell.count == count], scores, pivot)
                    if row
                    else {}
                    for row in (setting, control)
                )
                check_alike(f"{table.preset.name} on {table.task} with {count} neurons", masked, random)
                if masked:
                    points += dose_points(baseline, masked, random, count, pivot)
            if points:
                scale = Scale.of(baseline[pivot])
                yield Dose(
                    preset=table.preset.name,
                    task=table.task,
                    metric=baseline[pivot].metric,
                    unit=scale.unit,
                    setting=setting,
                    control=control,
                    languages=tuple(dict.fromkeys(p.language for p in points if p.language is not None)),
                    documents={language: len(score.documents) for language, score in baseline.items()},
                    points=tuple(points),
                    pivot=pivot,
                    intervention=table.intervention_of(setting),
                )
