"""The exception type for input that cannot be used, and how what was found stands in a message."""

_LONGEST = 240
"""Characters of a value in a message; what is longer is cut in the middle."""
_LONGEST_MESSAGE = 2000


def shortened(value: object, longest: int = _LONGEST) -> str:
    """Return a value as one line of a message: control characters as escapes, and not too long."""
    text = str(value)
    shown = text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    half = longest // 2 - 1
    return shown if len(shown) <= longest else f"{shown[:half]} … {shown[-half:]}"


class InputError(Exception):
    """Bad input: one line that says what is wrong, what was found, what was expected and what to do.

    The command line prints the line and exits with code 2; library callers can catch it. Arguments and functions are
    quoted as Python has them, `limit`, `limit=8` or `detect(out=FOLDER)`; the command line says its own words.

    Args:
        what: What is wrong, without a final full stop.
        found: The value met.
        expected: What would have been right.
        hint: The next step for the user.
    """

    exit_code = 2

    def __init__(self, what: str, *, found: object = None, expected: object = None, hint: str | None = None) -> None:
        parts = [what]
        if found is not None:
            parts.append(f"found {shortened(found)}")
        if expected is not None:
            parts.append(f"expected {expected}")
        if hint is not None:
            parts.append(hint)
        super().__init__(shortened("; ".join(parts), _LONGEST_MESSAGE))


class NotReachedError(InputError):
    """A model or data that cannot be had here and now: another machine may reach it."""
