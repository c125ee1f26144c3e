"""The check as Markdown, for a pull-request comment or a step summary."""

from collections.abc import Sequence

from mwork_eval.gate import wording
from mwork_eval.gate.check import Check
from mwork_eval.gate.verdict import Outcome
from mwork_eval.reports.markdown_text import escape, table


def as_markdown(check: Check) -> str:
    """Return headline, reasons, tables and legend; every name is text and nothing else."""
    parts = [f"## {wording.headline(check)}", _escape(wording.folders(check))]
    reasons = [
        *wording.problems(check),
        *wording.reasons(check, Outcome.REGRESSION),
        *wording.reasons(check, Outcome.UNSURE),
    ]
    parts += [_list(reasons)] if reasons else []
    parts += [table(columns, rows, everywhere=True) for columns, rows in wording.tables(check)]
    parts += [_list([wording.plain(note) for note in check.notes])] if check.notes else []
    return "\n\n".join([*parts, _escape(wording.legend(check))]) + "\n"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {_escape(line)}" for line in lines)


def _escape(text: str) -> str:
    return escape(text, everywhere=True)
