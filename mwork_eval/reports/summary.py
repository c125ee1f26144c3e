"""The findings of a table in plain words: what was done, what happened, and how sure that is."""

from collections.abc import Sequence

from mwork_eval.languages.pivot import Pivot
from mwork_eval.languages.table import find_language
from mwork_eval.neurons.stages import POSITIONS
from mwork_eval.reports.intervention_wording import done, touches_neurons
from mwork_eval.reports.wording import difference, interval, number, p_value
from mwork_eval.results.comparison import SIGNIFICANT
from mwork_eval.results.deltas import Delta
from mwork_eval.results.tables import DeltaTable, SettingRow
from mwork_eval.statistics.resampling import LEVEL, Estimate

_PLACES = {
    POSITIONS: "all layers",
    ("s-attn", "s-ffn"): "the middle layers (task solving)",
    ("under",): "the first layers (understanding)",
    ("s-attn",): "the attention of the middle layers (task solving)",
    ("s-ffn",): "the feed-forward of the middle layers (task solving)",
    ("gen",): "the last layers (generation)",
}


def finding(table: DeltaTable) -> str:
    """Return what a table says, in sentences, about its language-specific row with the highest ∆."""
    computed = [(row, row.delta) for row in table.rows if not row.random and row.delta is not None]
    if not computed:
        return f"{table.task} ({table.preset}): no language-specific setting is computed yet."
    row, delta = max(computed, key=lambda pair: pair[1].delta.value)
    which = f", the row with the highest ∆ of {len(computed)}" if len(computed) > 1 else ""
    return " ".join(
        [
            f"{table.task} ({table.preset}): with {_treatment(row, table)} "
            f"({row.name}{which}), {_changes(delta, table)}.",
            _difference(delta.delta, table),
            _certainty(row, delta, table),
        ]
    )


def _treatment(row: SettingRow, table: DeltaTable) -> str:
    if not touches_neurons(row.intervention):
        return "the outputs of layers moved and no neuron changed"
    return f"{_counts(table)} {done(row.intervention)} in {_where(row.positions)}"


def _where(positions: tuple[str, ...]) -> str:
    """Name the places; two positions that have a name together are not named apart."""
    if positions in _PLACES:
        return _PLACES[positions]
    together = ("s-attn", "s-ffn")
    both = set(together) <= set(positions)
    places = [_PLACES[together]] if both else []
    places += [_PLACES[position,] for position in positions if not (both and position in together)]
    return _join(places)


def _counts(table: DeltaTable) -> str:
    fewest, most = min(table.counts.values()), max(table.counts.values())
    count = f"the {fewest}" if fewest == most else f"{fewest} to {most}"
    return f"{count} language-specific neurons of each language"


def _changes(delta: Delta, table: DeltaTable) -> str:
    others = _join([find_language(language).name for language in table.languages])
    average = " on average" if len(table.languages) > 1 else ""
    pivot, non_pivot = _change(delta.delta_eng, table), _change(delta.delta_non_eng, table)
    return f"{Pivot(table.pivot).name} {pivot}, and {others} {non_pivot}{average}"


def _join(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _change(change: Estimate, table: DeltaTable) -> str:
    size = number(abs(change.value), table.unit)
    if not float(size):
        return f"stayed the same {interval(change, table.unit)}"
    return f"got {'worse' if change.value < 0 else 'better'} by {size} {table.unit} {interval(change, table.unit)}"


def _difference(delta: Estimate, table: DeltaTable) -> str:
    """Say who lost more, with the size of ∆."""
    text = f"∆ = {difference(delta.value, table.unit)} {table.unit} {interval(delta, table.unit)}"
    if not float(number(delta.value, table.unit)):
        return f"Both fared alike: {text}."
    return f"{Pivot(table.pivot).name} fared {'better' if delta.value > 0 else 'worse'} than they did: {text}."


def _certainty(row: SettingRow, delta: Delta, table: DeltaTable) -> str:
    comparison = row.comparison
    if comparison is None or comparison.p is None or comparison.difference is None:
        reason = comparison.reason if comparison else "it was not tested"
        sure = "" if delta.delta.reason is None else f" There is no interval either: {delta.delta.reason}."
        return f"How much of this random neurons would do cannot be told: {reason}.{sure}"
    against = f"as many random neurons ({comparison.control}; p = {p_value(comparison.p_holm)}, Holm-corrected)"
    against = against.replace("p = <", "p < ")
    if comparison.p_holm is not None and comparison.p_holm < SIGNIFICANT:
        more = "higher" if comparison.difference > 0 else "lower"
        return f"∆ is significantly {more} than with {against}."
    if not row.undetectable:
        return f"∆ is not significantly unlike that with {against}."
    if table.detectable is None:
        why = "too few draws, or documents that all changed alike"
        return f"Whether this is more than with {against} cannot be told: {why}."
    smallest = number(table.detectable, table.unit)
    return (
        f"This cannot be told from {against}: these documents and {comparison.draws} draws can tell a difference of "
        f"about {smallest} {table.unit} at best."
    )


def certainty_legend() -> str:
    """Return what the brackets in the sentences mean."""
    return (
        f"Brackets: {LEVEL:.0%} interval over documents, for the masks drawn. Worse and better count the same way for "
        "every metric."
    )
