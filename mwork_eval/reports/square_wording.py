"""What every report format says of a square: heading, rows and the sentences beside it."""

from collections.abc import Callable
from dataclasses import dataclass

from mwork_eval.reports.intervention_wording import done
from mwork_eval.reports.wording import difference, estimate, spread_range
from mwork_eval.results.squares import Square
from mwork_eval.statistics.resampling import LEVEL, Estimate

SPECIFICITY = "specificity"


@dataclass(frozen=True)
class SquareRow:
    """A row of a square as text.

    Attributes:
        name: Whose neurons are changed.
        cells: A text per column of `columns`, without the first.
        own: Which of them is the mask's own language; None for rows of all masks.
    """

    name: str
    cells: list[str]
    own: int | None = None


def title(square: Square) -> str:
    """Return the heading of a square."""
    return f"{square.preset} on {square.task}: every mask on every language, {square.setting}"


def columns(square: Square) -> list[str]:
    """Return the heads of the columns."""
    return ["mask", *square.languages, SPECIFICITY]


def rows(square: Square, *, intervals: bool) -> list[SquareRow]:
    """Return a row per mask language, the mean of the specificities, and what random controls do.

    Args:
        square: The square.
        intervals: Whether to write each change's interval, as specificities always have theirs.
    """

    def text(value: Estimate) -> str:
        return estimate(value, square.unit) if intervals else difference(value.value, square.unit)

    effects = square.effects
    found = [
        SquareRow(
            mask,
            [*map(text, of_mask.values()), estimate(effects.specificity[mask], square.unit)],
            square.languages.index(mask),
        )
        for mask, of_mask in effects.changes.items()
    ]
    nothing = [""] * len(square.languages)
    found.append(SquareRow("mean", [*nothing, estimate(effects.mean_specificity, square.unit)]))
    if square.spread is not None:
        spreads = [*(square.spread.changes[language] for language in square.languages), square.spread.specificity]
        found += [
            SquareRow("random, mean", [difference(spread.mean, square.unit) for spread in spreads]),
            SquareRow("random, range", [spread_range(spread, square.unit) for spread in spreads]),
        ]
    return found


def notes(square: Square) -> str:
    """Return what must stand beside a square: its finding, what the numbers are, counts and documents."""
    counts = ", ".join(f"{language} {count}" for language, count in square.counts.items())
    documents = ", ".join(f"{language} {count}" for language, count in square.documents.items())
    return " ".join(
        [finding(square), legend(square), f"Neurons {done(square.intervention)}: {counts}; documents: {documents}."]
    )


def finding(square: Square) -> str:
    """Say how much more a language suffers from its own mask than the others do."""
    mean, unit = square.effects.mean_specificity, square.unit
    text = f"{square.task} ({square.preset}, {square.setting}): on average a mask damages its own language"
    if float(difference(mean.value, unit)) == 0:
        text += f" as much as the others: {estimate(mean, unit)} {unit}"
    else:
        text += f" {'more' if mean.value > 0 else 'less'} than the others: specificity {estimate(mean, unit)} {unit}"
    if square.spread is None:
        return f"{text}."
    low, high = (difference(end, unit) for end in (square.spread.specificity.low, square.spread.specificity.high))
    return f"{text}; of single random controls ({square.control}) {low} to {high}."


def legend(square: Square) -> str:
    """Say what the numbers are."""
    text = (
        f"{square.metric}, change in {square.unit}, masked - unmasked, negative for damage; rows: language whose "
        f"neurons are {done(square.intervention)}; columns: language of the documents. Specificity: damage to the "
        f"mask's own language - mean damage to the others. Intervals: {LEVEL:.0%} over documents."
    )
    if square.spread is None:
        return text
    draws = f"{square.spread.draws} draw{'s' if square.spread.draws > 1 else ''}"
    return f"{text} Random: the controls of all mask languages, {draws} each: their mean, lowest and highest."


def emphasised(row: SquareRow, emphasis: Callable[[str], str]) -> list[str]:
    """Return the texts of a row with the mask's own language emphasised."""
    return [row.name, *(emphasis(cell) if number == row.own else cell for number, cell in enumerate(row.cells))]
