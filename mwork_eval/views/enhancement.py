"""What fine-tuned neurons changed, in tables and words: as Markdown, as JSON."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mwork_eval.enhancement.tables import ChangeColumn, ChangeTable, Effect, Gain
from mwork_eval.files.json_values import dump
from mwork_eval.files.seal import sealed
from mwork_eval.languages.pivot import Pivot
from mwork_eval.reports import markdown_text
from mwork_eval.reports.asking import told_in_words
from mwork_eval.reports.markdown_text import escape, paragraph
from mwork_eval.reports.wording import difference, estimate, number, p_value
from mwork_eval.results.comparison import SIGNIFICANT
from mwork_eval.statistics.resampling import LEVEL

FORMAT = "mwork-improvement"
VERSION = 1
_LEGEND = (
    "Changes against the base; positive is better, also for bits per byte. {example} - {tag}: what {example} gained "
    "and {name} did not. random: as many random neurons of the same layers and structures, trained alike; the mean "
    "over their seeds. Brackets: {level} intervals over documents, by clusters "
    "of those that belong together; that of the difference, and its p, over documents and draws of random neurons "
    "(the language's neurons as one more draw), p Holm-corrected for all p of the table. Too few to tell: so few "
    "clusters of documents, or so few that moved, or a single draw, that none would hold. Documents that training saw "
    "are not scored."
)
_KINDS = ("specific", "random")
_NOTHING: Mapping[str, Any] = {}


def legend(tables: Sequence[ChangeTable]) -> str:
    """Return what the columns of tables mean, which have one pivot."""
    pivot = Pivot(tables[0].pivot) if tables else Pivot()
    example = "zh" if pivot.tag != "zh" else "en"
    return _LEGEND.format(example=example, tag=pivot.tag, name=pivot.name, level=f"{LEVEL:.0%}")


def title(table: ChangeTable) -> str:
    """Return the heading of a table."""
    return f"{table.task} after training {table.neurons} neurons on {' and '.join(table.trained)}"


def notes(table: ChangeTable) -> str:
    """Return what must stand beside a table: metric, documents scored, what is missing."""
    single = [column for column in table.columns if len(column.languages) == 1 and column.against is None]
    scored = ", ".join(f"{heading(column)} {column.documents}" for column in single)
    direction = "" if table.higher_is_better else ", lower is better"
    text = f"{table.metric} in {table.unit}{direction}; documents scored: {scored}."
    text = f"{text} {table.task} has no {', '.join(table.missing)}." if table.missing else text
    without = defaultdict(list)
    for column in table.columns:
        for effect in column.effects:
            if effect.reason is not None:
                without[effect.reason].append(heading(column))
    reasons = [f"No p for {', '.join(dict.fromkeys(names))}: {reason}." for reason, names in without.items()]
    return " ".join([text, *reasons])


def heading(column: ChangeColumn) -> str:
    """Return the head of a column."""
    name = column.languages[0] if len(column.languages) == 1 else f"mean of {', '.join(column.languages)}"
    return f"{name} - {column.against}" if column.against else name


def paper_cells(table: ChangeTable) -> tuple[list[str], list[list[str]]]:
    """Return columns and rows as in the paper's Table 6: a column per language, with what each seed changed."""
    rows = [["base", "", *(_base(column, table.unit) for column in table.columns)]]
    for place, size in enumerate(table.sizes):
        effects = [column.effects[place] for column in table.columns]
        for kind in _KINDS:
            gains: list[Gain | None] = [getattr(effect, kind) for effect in effects]
            if any(gains):
                rows.append([str(size), kind, *(_gain(gain, table.unit) + _seeds(gain, table.unit) for gain in gains)])
        if any(effect.difference for effect in effects):
            differences = (f"{_difference(effect, table.unit)} p {p_value(effect.p_holm)}" for effect in effects)
            rows.append([str(size), "difference", *differences])
    return ["documents", "neurons", *map(heading, table.columns)], rows


def narrow_cells(table: ChangeTable) -> tuple[list[str], list[list[str]]]:
    """Return columns and rows for a terminal: a row per language and number of documents."""
    rows = [
        [
            heading(column),
            _base(column, table.unit),
            str(effect.documents),
            _gain(effect.specific, table.unit),
            _gain(effect.random, table.unit),
            _difference(effect, table.unit),
            p_value(effect.p_holm),
        ]
        for column in table.columns
        for effect in column.effects
    ]
    return ["", "base", "documents", *_KINDS, "difference", "p"], rows


def _base(column: ChangeColumn, unit: str) -> str:
    return "" if column.against else number(column.base, unit)


def _gain(gain: Gain | None, unit: str) -> str:
    return "…" if gain is None else estimate(gain.mean, unit)


def _seeds(gain: Gain | None, unit: str) -> str:
    if gain is None or len(gain.by_seed) < 2:
        return ""
    return f"; seeds {', '.join(difference(value, unit) for value in gain.by_seed)}"


def _difference(effect: Effect, unit: str) -> str:
    return "…" if effect.difference is None else estimate(effect.difference, unit)


def finding(table: ChangeTable) -> str:
    """Say what the most documents did to the language, to the pivot, and to the one against the other."""
    own, unit = table.columns[0], table.unit
    if own.effects[-1].specific is None:
        return f"{table.task}: no delta of the language's neurons is scored yet."
    sentences = [
        f"{table.task}, {table.neurons} neurons, {table.sizes[-1]} documents of {' and '.join(table.trained)}:",
        _compared(own, unit),
    ]
    if table.of_pivot is not None:
        against = next(column for column in table.columns if column.against)
        sentences += [_compared(table.of_pivot, unit), _compared(against, unit)]
    return " ".join(sentences)


def _compared(column: ChangeColumn, unit: str) -> str:
    """Say by how much a column changed, and whether random neurons did as much."""
    effect, name = column.effects[-1], heading(column)
    assert effect.specific is not None
    if effect.random is None or effect.difference is None:
        return f"{name} {estimate(effect.specific.mean, unit)}."
    low, high = (difference(end(effect.random.by_seed), unit) for end in (min, max))
    mean = difference(effect.random.mean.value, unit)
    return (
        f"{name} {estimate(effect.specific.mean, unit)}, with random neurons {mean} (seeds {low} to {high}); "
        f"{_verdict(effect)} (p {p_value(effect.p_holm)})."
    )


def _verdict(effect: Effect) -> str:
    assert effect.specific is not None
    assert effect.random is not None
    assert effect.difference is not None
    if effect.p_holm is None or effect.p_holm >= SIGNIFICANT:
        return "the difference is not told from chance"
    if effect.difference.value < 0:
        return "random neurons gain more"
    outside = effect.specific.mean.value > max(effect.random.by_seed)
    return "the language's neurons gain more" + (", also than every single control" if outside else "")


def enhancement_as_markdown(tables: Sequence[ChangeTable], about: Mapping[str, Any] = _NOTHING) -> str:
    """Return everything as Markdown, with what each seed changed.

    Args:
        tables: The tables.
        about: What was scored, and how it was asked; JSON values.
    """
    parts = ["# What fine-tuned neurons changed", *([paragraph(asked)] if (asked := told_in_words(about)) else [])]
    for table in tables:
        parts += [f"## {escape(title(table))}", markdown_text.table(*paper_cells(table))]
        parts += [paragraph(notes(table)), paragraph(finding(table))]
    return "\n\n".join([*parts, paragraph(legend(tables))]) + "\n"


def enhancement_as_json(tables: Sequence[ChangeTable], about: Mapping[str, Any]) -> str:
    """Return all numbers, unrounded.

    Args:
        tables: The tables.
        about: What was scored: model, tasks, options; JSON values.
    """
    content = {"format": FORMAT, "version": VERSION, **about, "tables": list(map(_table, tables))}
    return sealed(dump(content, indent=1) + "\n")


def _table(table: ChangeTable) -> dict[str, Any]:
    """Return a table as JSON values; what was scored says the pivot."""
    values = asdict(table)
    del values["pivot"]
    return values
