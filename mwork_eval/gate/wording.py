"""What every output of the gate says in the same words: the headline, tables, reasons and the legend."""

from collections.abc import Sequence

from mwork_eval.gate.check import Check, OverlapResult, row_name
from mwork_eval.gate.limits import LEVEL as ALPHA
from mwork_eval.gate.limits import Control, Limit
from mwork_eval.gate.verdict import Evidence, Outcome, RowResult, TaskResult, comparisons_text
from mwork_eval.reports.wording import difference, interval, number, p_value
from mwork_eval.statistics.resampling import LEVEL, POWER

OVERLAP_COLUMNS = ("neuron sets", "Jaccard", "required", "verdict")
_NOTHING = "–"


def plain(text: str) -> str:
    """Return a text on one line, without control and direction characters: names come from models and data."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


def headline(check: Check) -> str:
    """Return the result in a line."""
    if check.problems:
        count = len(check.problems)
        result = f"could not compare: {count} problem{'s' if count > 1 else ''}"
    elif regressions := _count(check, Outcome.REGRESSION):
        result = f"{regressions} regression{'s' if regressions > 1 else ''}"
    else:
        result = "passed"
    unsure = _count(check, Outcome.UNSURE)
    more = f" ({unsure} over the limit, with {Outcome.UNSURE})" if unsure else ""
    return f"mwork check: {result}{more}"


def folders(check: Check) -> str:
    """Return which folders and models were compared."""
    models = [f" (model {plain(model)})" for model in check.models] or ["", ""]
    return f"NEW: {plain(check.new)}{models[-1]}. OLD: {plain(check.old)}{models[0]}."


def control(check: Check) -> str:
    """Return what the p-values are corrected for, and what therefore holds."""
    count = comparisons_text(check.comparisons)
    if check.control is Control.PER_TASK:
        return (
            f"Control: each of {count} by itself at {ALPHA:.0%}, not corrected for their number; with several, a false "
            "alarm in the run is likelier."
        )
    return (
        f"Control: family-wise at {ALPHA:.0%} over {count} (Holm): without any true change at most {ALPHA:.0%} of runs "
        "fail."
    )


def legend(check: Check) -> str:
    """Return how to read the tables."""
    rule = (
        "Strict: every drop over its limit fails."
        if check.strict
        else f"A drop fails if it is over its limit and p is below {ALPHA:g}."
    )
    return (
        "Change: NEW - OLD on the same documents, signed so that negative means damage, with its paired bootstrap "
        "interval over documents, of this comparison alone; for ∆ negative means that it fell. p: exact two-sided test "
        "of no change (for ∆: of the required one); documents of one cluster count as one. Can find: the true drop "
        f"(distance of ∆ below the required one) that fails in {POWER:.0%} of runs. {control(check)} {rule}"
    )


def tables(check: Check) -> list[tuple[Sequence[str], list[list[str]]]]:
    """Return the tables that have rows: column heads, and the texts of each row."""
    found: list[tuple[Sequence[str], list[list[str]]]] = [
        (_columns(check, "task", "", "allowed drop"), [_task_cells(result) for result in check.tasks]),
        (_columns(check, "row", "∆ ", "required ∆"), [_row_cells(result) for result in check.rows]),
        (OVERLAP_COLUMNS, [_overlap_cells(result) for result in check.overlaps]),
    ]
    return [(columns, rows) for columns, rows in found if rows]


def problems(check: Check) -> list[str]:
    """Return what could not be compared, a sentence each."""
    return [f"{plain(problem.subject)}: could not compare: {plain(problem.reason)}" for problem in check.problems]


def reasons(check: Check, outcome: Outcome) -> list[str]:
    """Return why comparisons ended with an outcome, a sentence each."""
    return [
        f"{plain(name)}: {plain(verdict.reason)}" for name, verdict in check.findings() if verdict.outcome is outcome
    ]


def _columns(check: Check, name: str, what: str, limit: str) -> Sequence[str]:
    p = "p" if check.control is Control.PER_TASK else "p (Holm)"
    numbers = ("documents", "unit", f"{what}OLD", f"{what}NEW", "change", f"{LEVEL:.0%}", p, "can find")
    return (name, *numbers, limit, "verdict")


def _count(check: Check, outcome: Outcome) -> int:
    return sum(verdict.outcome is outcome for _, verdict in check.findings())


def _task_cells(result: TaskResult) -> list[str]:
    change = result.change
    return [
        plain(result.name.full),
        str(change.documents),
        change.unit,
        number(change.old, change.unit),
        number(change.new, change.unit),
        difference(change.change.value, change.unit),
        interval(change.change, change.unit),
        *_evidence(result.evidence, change.unit),
        _allowed(result.limit, change.unit),
        result.verdict.outcome,
    ]


def _row_cells(result: RowResult) -> list[str]:
    delta = result.row.delta
    return [
        plain(row_name(result.row).removeprefix("∆ of ")),
        str(delta.documents),
        delta.unit,
        difference(delta.old, delta.unit),
        difference(delta.new, delta.unit),
        difference(delta.change.value, delta.unit),
        interval(delta.change, delta.unit),
        *_evidence(result.evidence, delta.unit),
        *_judged(result.minimum, result.verdict.outcome, delta.unit),
    ]


def _overlap_cells(result: OverlapResult) -> list[str]:
    return [plain(result.language), f"{result.overlap:.3f}", *_judged(result.minimum, result.verdict.outcome, "")]


def _evidence(evidence: Evidence | None, unit: str) -> list[str]:
    if evidence is None:
        return [_NOTHING, _NOTHING]
    detectable = evidence.detectable
    return [p_value(evidence.p_corrected), _NOTHING if detectable is None else number(detectable, unit)]


def _judged(minimum: float | None, outcome: Outcome, unit: str) -> list[str]:
    return [_NOTHING, _NOTHING] if minimum is None else [number(minimum, unit), outcome]


def _allowed(limit: Limit, unit: str) -> str:
    parts = [] if limit.max_drop is None else [number(limit.max_drop, unit)]
    parts += [] if limit.max_relative_drop is None else [f"{limit.max_relative_drop:.1%}"]
    return ", ".join(parts) or _NOTHING
