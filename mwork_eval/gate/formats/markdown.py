"""The check as Markdown, for a pull-request comment or a step summary."""

from collections.abc import Sequence

from mwork_eval.gate import wording
from mwork_eval.gate.check import Check
from mwork_eval.gate.verdict import Outcome

_SPECIAL = set("&<>\"'`|*[]\\~#!")


def as_markdown(check: Check) -> str:
    """Return headline, reasons, tables and legend; every name is text and nothing else."""
    parts = [f"## {wording.headline(check)}", _escape(wording.folders(check))]
    reasons = [
        *wording.problems(check),
        *wording.reasons(check, Outcome.REGRESSION),
        *wording.reasons(check, Outcome.UNSURE),
    ]
    parts += [_list(reasons)] if reasons else []
    parts += [_table(columns, rows) for columns, rows in wording.tables(check)]
    parts += [_list([wording.plain(note) for note in check.notes])] if check.notes else []
    return "\n\n".join([*parts, _escape(wording.legend(check))]) + "\n"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {_escape(line)}" for line in lines)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *([_escape(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _escape(text: str) -> str:
    """Write what could be markup as numeric references, which Markdown and HTML show and never interpret."""
    return "".join(f"&#{ord(c)};" if c in _SPECIAL else c for c in text)
