"""What a check found: comparisons with their verdicts, and what could not be compared."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mwork_eval.errors import InputError
from mwork_eval.gate.comparison import ScoreChange
from mwork_eval.gate.control import Control, Evidence
from mwork_eval.gate.delta_comparison import RowChange
from mwork_eval.gate.limits import Limit
from mwork_eval.gate.snapshot import TaskName
from mwork_eval.gate.verdict import Outcome, Verdict


@dataclass(frozen=True)
class TaskResult:
    """A task that was compared."""

    name: TaskName
    metric: str
    change: ScoreChange
    limit: Limit
    evidence: Evidence
    verdict: Verdict


@dataclass(frozen=True)
class RowResult:
    """A table row whose ∆ was compared; it is judged, with evidence, only if a smallest ∆ is required."""

    row: RowChange
    minimum: float | None
    evidence: Evidence | None
    verdict: Verdict


@dataclass(frozen=True)
class OverlapResult:
    """The overlap of a language's neuron sets; it is judged only if a smallest one is required."""

    language: str
    overlap: float
    minimum: float | None
    verdict: Verdict


@dataclass(frozen=True)
class Problem:
    """Something that could not be compared, and why."""

    subject: str
    reason: str


@dataclass
class Check:
    """What a check found.

    Attributes:
        old: The folder OLD.
        new: The folder NEW.
        strict: Whether exceeding a limit is enough to fail.
        control: What the level of the tests holds for.
        comparisons: Number of comparisons that can fail by their documents.
        models: Names of the models of OLD and NEW; empty if a folder could not be read.
        tasks: The tasks compared.
        rows: The table rows whose ∆ was compared.
        overlaps: The neuron sets compared.
        problems: What could not be compared.
        notes: What a reader should know and nothing depends on.
    """

    old: str
    new: str
    strict: bool
    control: Control = Control.FAMILY_WISE
    comparisons: int = 0
    models: tuple[str, ...] = ()
    tasks: list[TaskResult] = field(default_factory=list)
    rows: list[RowResult] = field(default_factory=list)
    overlaps: list[OverlapResult] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def findings(self) -> Iterator[tuple[str, Verdict]]:
        """Yield what was compared, and the verdict."""
        yield from ((result.name.full, result.verdict) for result in self.tasks)
        yield from ((row_name(result.row), result.verdict) for result in self.rows)
        yield from ((overlap_name(result.language), result.verdict) for result in self.overlaps)

    @property
    def exit_code(self) -> int:
        """0 if all is well, 1 after a regression, 2 if something could not be compared."""
        if self.problems:
            return InputError.exit_code
        return int(any(verdict.outcome is Outcome.REGRESSION for _, verdict in self.findings()))


def row_name(row: RowChange) -> str:
    """Return the name of a table row."""
    return f"∆ of {row.setting}, {row.preset} on {row.task}"


def overlap_name(language: str) -> str:
    """Return the name of the overlap of a language's sets."""
    return f"neuron sets of {language}"
