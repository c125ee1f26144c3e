"""The heat map of a square on the page."""

from markupsafe import Markup

from mwork_eval.reports.html.svg import drawing, element, words
from mwork_eval.reports.square_wording import SPECIFICITY
from mwork_eval.reports.wording import difference, estimate, spread_range
from mwork_eval.results.squares import Square
from mwork_eval.statistics.spread import Spread

_LEFT, _TOP = 74, 40
_WIDTH, _HEIGHT = 74, 38
_STRONGEST = 0.6
"""Opacity of the largest change; numbers stay readable on it in both themes."""


def square_map(square: Square) -> Markup:
    """Draw every mask on every language with values; own languages are framed, random controls are the last row.

    Red is damage and blue is gain, the stronger the further from zero. The last column is the specificity.
    """
    changes, unit = square.effects.changes, square.unit
    most = max(abs(change.value) for of_mask in changes.values() for change in of_mask.values()) or 1.0
    parts = [words(_LEFT, 12, "language of the documents"), words(0, _TOP - 8, "mask")]
    heads = [*square.languages, SPECIFICITY]
    parts += [words(_middle(x), _TOP - 8, head, anchor="middle", class_="strong") for x, head in enumerate(heads)]
    for y, (mask, of_mask) in enumerate(changes.items()):
        top = _TOP + y * _HEIGHT
        parts.append(words(0, top + _HEIGHT / 2 + 4, mask, class_="strong"))
        for x, (language, change) in enumerate(of_mask.items()):
            what = f"{mask} masked, {language} documents: {estimate(change, unit)} {unit}"
            frame = "frame" if mask == language else ""
            parts.append(_cell(x, top, change.value, most, [difference(change.value, unit)], what, frame))
        specific = square.effects.specificity[mask]
        what = f"{SPECIFICITY} of {mask}: {estimate(specific, unit)} {unit}"
        parts.append(_cell(len(of_mask), top, 0, most, [difference(specific.value, unit)], what))
    if square.spread is not None:
        top = _TOP + len(changes) * _HEIGHT + 8
        parts.append(words(0, top + _HEIGHT / 2 + 4, "random", class_="strong"))
        for x, (language, spread) in enumerate(square.spread.changes.items()):
            parts.append(_random_cell(x, top, spread, most, f"random controls, {language} documents", unit))
        parts.append(_random_cell(len(square.languages), top, square.spread.specificity, 0, SPECIFICITY, unit))
    height = _TOP + (len(changes) + (square.spread is not None)) * _HEIGHT + 10
    label = f"{square.setting} on {square.task}: change in {unit} of every language under every mask"
    return drawing(label, _LEFT + len(heads) * _WIDTH, height, parts)


def _random_cell(x: int, top: float, spread: Spread, most: float, what: str, unit: str) -> Markup:
    lines = [difference(spread.mean, unit), spread_range(spread, unit)]
    return _cell(x, top, spread.mean if most else 0, most, lines, f"{what}: {' '.join(lines)} {unit}")


def _cell(x: int, top: float, value: float, most: float, lines: list[str], what: str, frame: str = "") -> Markup:
    """Draw a coloured cell with one line of text, or two."""
    share = min(1.0, abs(value) / most) if most else 0.0
    middle = top + _HEIGHT / 2 + (4 if len(lines) == 1 else -2)
    kind = "damage" if value < 0 else "gain"
    return element(
        "g",
        element("title", what),
        element(
            "rect",
            x=_LEFT + x * _WIDTH + 1,
            y=top + 1,
            width=_WIDTH - 3,
            height=_HEIGHT - 3,
            class_=f"{kind} {frame}".strip(),
            fill_opacity=f"{_STRONGEST * share:.2f}",
        ),
        *(
            words(_middle(x), middle + 13 * number, line, anchor="middle", class_="small" if number else "")
            for number, line in enumerate(lines)
        ),
    )


def _middle(x: int) -> float:
    return _LEFT + (x + 0.5) * _WIDTH - 0.5
