"""Numbers of options: finite, and small enough for what computes with them."""

from math import isfinite
from typing import Any

import click

from mwork_eval.errors import shortened

_LARGEST = 2**31 - 1
LARGEST_SEED = 2**63 - 1


class Count(click.IntRange):
    """A whole number in a range; without an upper end in it, at most what 31 bits hold.

    Args:
        low: The least.
        high: The greatest.
        largest: The greatest where the range names none.
    """

    def __init__(self, low: int | None = None, high: int | None = None, largest: int = _LARGEST) -> None:
        super().__init__(low, high)
        self._largest = largest

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a number."""
        number = super().convert(value, param, ctx)
        if abs(number) > self._largest:
            self.fail(f"{shortened(number, 40)} is too large.", param, ctx)
        return number

    def _describe_range(self) -> str:
        # Click writes a range without ends as "x<=None".
        return "" if self.min is None and self.max is None else super()._describe_range()


class Seed(Count):
    """A seed: any whole number of 63 bits.

    Args:
        low: The least.
    """

    def __init__(self, low: int | None = None) -> None:
        super().__init__(low, None, LARGEST_SEED)


class DocumentLimit(Count):
    """A number of documents from 1, or one by benchmark, such as `xlsum=500,bpb=64`."""

    def __init__(self) -> None:
        super().__init__(1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a number, or several by name."""
        if not isinstance(value, str) or "=" not in value:
            return value if isinstance(value, dict) else super().convert(value, param, ctx)
        found: dict[str, int] = {}
        for part in value.split(","):
            name, equals, number = (text.strip() for text in part.partition("="))
            if not (name and equals) or name in found:
                self.fail(f"{shortened(value, 60)!r} is not a number, nor names with one each.", param, ctx)
            found[name] = super().convert(number, param, ctx)
        return found


class Real(click.FloatRange):
    """A finite number in a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a number."""
        number = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number

    def _describe_range(self) -> str:
        return "" if self.min is None and self.max is None else super()._describe_range()


def parse_real(text: str) -> float | None:
    """Return a finite number; None if it is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def parse_whole(text: str, largest: int = _LARGEST) -> int | None:
    """Return a number of digits alone; None if it is none, or too large."""
    digits = text.strip()
    # Python reads no more than 4300 digits, by an error that says something else.
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= len(str(LARGEST_SEED))):
        return None
    number = int(digits)
    return number if number <= largest else None
