"""The whole check: compare what two folders have in common, judge it, and name what cannot be compared."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mwork_eval.benchmarks.task_family import TaskName
from mwork_eval.errors import InputError
from mwork_eval.gate.comparison import compare_scores, pair_documents, reordered, same_documents
from mwork_eval.gate.delta_comparison import RowChange, TableComparison, check_pivots
from mwork_eval.gate.limits import Control, Limits
from mwork_eval.gate.reading import read_snapshot
from mwork_eval.gate.snapshot import Scored, Snapshot
from mwork_eval.gate.verdict import (
    Outcome,
    RowComparison,
    RowResult,
    TaskComparison,
    TaskResult,
    Verdict,
    judge,
    judge_overlap,
)
from mwork_eval.languages.pivot import Pivot
from mwork_eval.neurons.comparison import compare_neurons
from mwork_eval.results.model_asking import ENGINE


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


def check_folders(
    old: Path,
    new: Path,
    limits: Limits,
    strict: bool,
    control: Control = Control.FAMILY_WISE,
    *,
    any_engine: bool = False,
) -> Check:
    """Compare two results folders and judge.

    Args:
        old: The folder to compare with.
        new: The folder that is judged.
        limits: What is allowed and required.
        strict: Whether exceeding a limit is enough to fail, whatever the tests say; tasks that only NEW has are then a
            problem, too.
        control: What the level of the tests holds for: all comparisons of the run, or each by itself.
        any_engine: Whether answers of different engines may be compared.

    Raises:
        InputError: If a limit is about a task or language that neither folder has.
    """
    check = Check(str(old), str(new), strict, control)
    try:
        before, after = (read_snapshot(folder, limits.cluster_of) for folder in (old, new))
    except InputError as error:
        check.problems.append(Problem("results", str(error)))
        return check
    check.models = (before.model, after.model)
    asked = [dict(side.asking) for side in (before, after)]
    engines = [side.pop(ENGINE, "transformers") for side in asked]
    if asked[0] != asked[1]:
        check.problems.append(Problem("results", _otherwise_asked(*asked)))
        return check
    if engines[0] != engines[1]:
        if not any_engine:
            check.problems.append(Problem("results", _other_engine(*engines)))
            return check
        check.notes.append(f"OLD was computed by {engines[0]}, NEW by {engines[1]}.")
    limits.check_names([*before.tasks(), *after.tasks()])
    tasks = _compare_tasks(before, after, limits, check)
    rows = _compare_tables(before, after, limits, check)
    judged = judge(tasks, rows, strict, control)
    check.tasks, check.rows, check.comparisons = judged.tasks, judged.rows, judged.comparisons
    _compare_sets(before, after, limits, check)
    return check


def _otherwise_asked(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """Say which arguments of the models differ."""
    changed = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
    found, expected = (", ".join(f"{n}={side[n]}" if n in side else f"no {n}" for n in changed) for side in (new, old))
    return str(InputError("other `model_args`", found=found, expected=expected, hint="score both in the same way"))


def _other_engine(old: str, new: str) -> str:
    hint = "score both with one engine, or allow others: any_engine=True, --any-engine"
    return str(InputError("another engine", found=new, expected=old, hint=hint))


def _compare_tasks(old: Snapshot, new: Snapshot, limits: Limits, check: Check) -> list[TaskComparison]:
    before, after = old.tasks(), new.tasks()
    compared = []
    if not before:
        check.problems.append(Problem("results", "OLD has no task"))
    for name, scored in before.items():
        try:
            if name not in after:
                raise InputError("NEW lacks this task")
            compared.append(_compare_task(name, scored, after[name], before, limits))
        except InputError as error:
            check.problems.append(Problem(name.full, str(error)))
    for name in [name for name in after if name not in before]:
        text = "only NEW has this task; it was not compared"
        if check.strict:
            check.problems.append(Problem(name.full, text))
        else:
            check.notes.append(f"{name.full}: {text}.")
    return compared


def _compare_task(
    name: TaskName,
    old: Scored | None,
    new: Scored | None,
    tasks: Mapping[TaskName, Scored | None],
    limits: Limits,
) -> TaskComparison:
    if old is None:
        raise InputError("OLD has not computed this task")
    if new is None:
        raise InputError("NEW has not computed this task")
    others = {other.full: scored for other, scored in tasks.items() if scored is not None and other != name}
    try:
        order = pair_documents(old, new)
    except InputError as error:
        if mixed := same_documents(new, others):
            raise InputError(f"NEW has the documents of {mixed} here; languages or tasks are swapped") from error
        raise
    change = compare_scores(old.score, reordered(new.score, order))
    return TaskComparison(name, old.score.metric, change, limits.of_task(name, change.unit))


def _compare_tables(old: Snapshot, new: Snapshot, limits: Limits, check: Check) -> list[RowComparison]:
    required = set(limits.delta)
    compared: list[RowComparison] = []
    if old.tables() and new.tables():
        try:
            check_pivots(old, new)
        except InputError as error:
            check.problems.append(Problem("∆ of all tables", str(error)))
            return compared
    for preset, task in dict.fromkeys([*old.tables(), *new.tables()]):
        try:
            table = TableComparison(old, new, preset, task)
        except InputError as error:
            check.notes.append(f"∆ of {preset} on {task} was not compared: {error}.")
            continue
        for setting in table.settings:
            try:
                row = table.row(setting)
            except InputError as error:
                check.notes.append(f"∆ of {setting}, {preset} on {task} was not compared: {error}.")
                continue
            minimum = limits.of_row(setting, task, row.delta.unit)
            if minimum is not None:
                required -= {setting, f"{setting} on {task}"}
            compared.append(RowComparison(row, minimum))
        counts = old.counts.get(preset, {}), new.counts.get(preset, {})
        if counts[0] != counts[1]:
            texts = (", ".join(f"{language} {count}" for language, count in side.items()) for side in counts)
            check.notes.append(f"{preset} deactivates other numbers of neurons: {' in OLD, '.join(texts)} in NEW.")
    if compared and not (pivot := Pivot(old.pivot)).is_english:
        check.notes.append(f"∆ compares {pivot.name} ({pivot.delta}) with the other languages ({pivot.delta_others}).")
    check.problems += [Problem(f"∆ of {name}", "required, and not compared") for name in sorted(required)]
    return compared


def _compare_sets(old: Snapshot, new: Snapshot, limits: Limits, check: Check) -> None:
    for language in dict.fromkeys([*old.sets, *new.sets, *limits.overlap]):
        minimum = limits.overlap.get(language)
        missing = [name for name, side in (("OLD", old), ("NEW", new)) if language not in side.sets]
        try:
            if missing:
                raise InputError(f"the file of the set is not in the folder {' and '.join(missing)}")
            overlap = compare_neurons(old.sets[language], new.sets[language]).jaccard or 0.0
        except InputError as error:
            if minimum is not None:
                check.problems.append(Problem(overlap_name(language), str(error)))
            elif not missing:
                check.notes.append(f"{overlap_name(language)} were not compared: {error}.")
            continue
        check.overlaps.append(OverlapResult(language, overlap, minimum, judge_overlap(overlap, minimum)))
