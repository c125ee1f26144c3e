"""What deltas change, as values: gains, effects, and the columns and tables they stand in."""

from dataclasses import dataclass

from mwork_eval.languages.table import ENGLISH
from mwork_eval.statistics.resampling import Estimate


@dataclass(frozen=True)
class Gain:
    """What training one kind of neurons gained; negative is damage, also for bits per byte.

    Attributes:
        mean: The mean over seeds and languages, with its interval over documents.
        by_seed: The same of each seed.
    """

    mean: Estimate
    by_seed: tuple[float, ...]


@dataclass(frozen=True)
class Effect:
    """What training on a number of documents did.

    Attributes:
        documents: The number.
        specific: By the language's neurons; None if they were not trained on so many.
        random: By random neurons; likewise.
        difference: specific - random, paired over documents, with the interval that belongs to `p`; None without both.
        p: Two-sided p-value of the difference, over documents and draws of random neurons; None if it cannot be told.
        p_holm: The same, corrected for the number of p-values of the table.
        reason: Why there is no p-value though there is a difference; None if there is one.
    """

    documents: int
    specific: Gain | None
    random: Gain | None
    difference: Estimate | None = None
    p: float | None = None
    p_holm: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class ChangeColumn:
    """A language, several averaged, or languages against another, before and after training.

    Attributes:
        languages: The languages.
        against: A language whose change is subtracted, or None.
        base: The mean score of the languages before, scaled; without that of the other.
        documents: Number of documents scored, of all together.
        effects: Per number of documents trained on, ascending.
    """

    languages: tuple[str, ...]
    against: str | None
    base: float
    documents: int
    effects: tuple[Effect, ...]


@dataclass(frozen=True)
class ChangeTable:
    """What the deltas of one language (or of several trained together) change in one benchmark.

    Attributes:
        trained: The languages trained on.
        task: The benchmark.
        metric: Its main metric.
        unit: Unit of the numbers.
        higher_is_better: Whether a higher score is better.
        neurons: Number of neurons trained, in each delta.
        missing: Languages asked for that the benchmark lacks.
        columns: The trained languages, the pivot, the others, the mean of the others if there are several, and the
            trained languages against the pivot: what they gained that it did not.
        pivot: The language that the others are compared with.
    """

    trained: tuple[str, ...]
    task: str
    metric: str
    unit: str
    higher_is_better: bool
    neurons: int
    missing: tuple[str, ...]
    columns: tuple[ChangeColumn, ...]
    pivot: str = ENGLISH

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of documents trained on."""
        return tuple(effect.documents for effect in self.columns[0].effects)

    @property
    def others(self) -> ChangeColumn | None:
        """The mean of the other languages, or the only one; None if there is none."""
        found = [column for column in self.columns if not set(column.languages) & {self.pivot, *self.trained}]
        return found[-1] if found else None

    @property
    def of_pivot(self) -> ChangeColumn | None:
        """The pivot's own column; None where it was trained or not scored."""
        return next((column for column in self.columns[1:] if column.languages == (self.pivot,)), None)
