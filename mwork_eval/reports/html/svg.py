"""Elements of inline SVG, escaped; colours come from classes, so that themes and print can choose them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape


def element(name: str, *children: str, **attributes: object) -> Markup:
    """Return an SVG element.

    Args:
        name: Name of the element.
        *children: Its content; text is escaped, other elements are not.
        **attributes: Its attributes; numbers are rounded to a tenth, `class_` is `class`, other `_` become `-`.
    """
    texts = (f'{_name(key)}="{escape(_text(value))}"' for key, value in attributes.items())
    return Markup(f"<{' '.join([name, *texts])}>{''.join(map(escape, children))}</{name}>")


def drawing(label: str, width: float, height: float, parts: Iterable[str]) -> Markup:
    """Return a drawing of fixed size, in pixels, that screen readers call by its label."""
    return element(
        "svg", *parts, role="img", aria_label=label, width=width, height=height, viewBox=f"0 0 {width:g} {height:g}"
    )


def words(x: float, y: float, text: str, *, anchor: str = "start", class_: str = "") -> Markup:
    """Return a text whose baseline begins (or ends, or has its middle) at a point."""
    return element("text", text, x=x, y=y, text_anchor=anchor, **({"class_": class_} if class_ else {}))


@dataclass(frozen=True)
class Axis:
    """A linear scale from values to pixels.

    Attributes:
        low: Value at the start.
        high: Value at the end.
        start: Pixel of the lowest value.
        end: Pixel of the highest value.
    """

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Iterable[float], start: float, end: float) -> "Axis":
        """Return an axis over some values and zero, ending at round numbers."""
        low, high = min(0.0, *values, 0.0), max(0.0, *values, 0.0)
        step = _step(high - low)
        return cls(math.floor(low / step) * step, math.ceil(high / step) * step or step, start, end)

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """Round values along the axis, both ends among them."""
        step = _step(self.high - self.low)
        return [k * step for k in range(round(self.low / step), round(self.high / step) + 1)]


def _step(length: float) -> float:
    """Return 1, 2 or 5 times a power of ten that divides a length into two to five parts."""
    if length <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(length / 2))
    return next(factor * power for factor in (1, 2, 5, 10) if length / (factor * power) <= 5)


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _text(value: object) -> str:
    return f"{round(value, 1):g}" if isinstance(value, float) else str(value)
