"""The check as GitHub's workflow commands, which become annotations."""

from mwork_eval.gate import wording
from mwork_eval.gate.check import Check
from mwork_eval.gate.verdict import Outcome


def annotations(check: Check) -> list[str]:
    """Return an error for every regression and everything that was not compared, and a warning for every doubt."""
    errors = [*wording.problems(check), *wording.reasons(check, Outcome.REGRESSION)]
    warnings = wording.reasons(check, Outcome.UNSURE)
    return [_command("error", text) for text in errors] + [_command("warning", text) for text in warnings]


def _command(kind: str, text: str) -> str:
    return f"::{kind} title=mwork check::{_escape(text)}"


def _escape(text: str) -> str:
    """Escape what would end the command or begin another; the per cent sign first."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
