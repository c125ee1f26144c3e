"""Replace characters one by one, fast: tables for ``str.translate`` that fill themselves."""

from collections.abc import Callable


class CharacterTable(dict[int, str | None]):
    """A table for ``str.translate`` that asks a rule once for every character it meets.

    Args:
        rule: Returns what stands for a character; None takes it away.
    """

    def __init__(self, rule: Callable[[str], str | None]) -> None:
        super().__init__()
        self.rule = rule

    def __missing__(self, code: int) -> str | None:
        self[code] = self.rule(chr(code))
        return self[code]
