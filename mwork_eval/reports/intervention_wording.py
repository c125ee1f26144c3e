"""What was done to neurons, in words: deactivated, unless a setting says otherwise."""

from collections.abc import Iterable

from mwork_eval.languages.table import find_language

ZERO = "zero"


def done(intervention: str) -> str:
    """Return what was done to neurons, as `deactivated`; the text itself where it is not known here.

    Args:
        intervention: As a setting writes it, such as `scale:0.5`.
    """
    kind, _, value = intervention.partition(":")
    language, *options = value.split(":")
    if kind == ZERO:
        return "deactivated"
    if kind == "scale":
        return f"scaled by {value}"
    if kind == "mean":
        return "set to their mean activation"
    if kind == "towards":
        statistic = "median" if "statistic=median" in options else "mean"
        return f"set to their {statistic} activation in {find_language(language).name}"
    return f"changed by {intervention}"


def done_by_all(interventions: Iterable[str]) -> str:
    """Return what was done by several settings: what each did where that is the same, else `changed`."""
    distinct = set(interventions)
    return done(distinct.pop()) if len(distinct) == 1 else "changed"


def touches_neurons(intervention: str) -> bool:
    """Return whether the neurons of the set are changed, and not what layers put out."""
    return intervention.partition(":")[0] != "residual"


def marks(interventions: Iterable[str]) -> str:
    """Return what the signs of a table of positions mean."""
    if set(interventions) <= {ZERO}:
        return "✗ deactivated, ✓ left alone."
    return (
        "✗ deactivated, or what the row's name says after ·, ✓ left alone; residual changes outputs of layers instead."
    )
