"""What a lens found, in words and cells of tables."""

from mwork_eval.analysis.shares import Curves, crossings
from mwork_eval.statistics.resampling import Estimate


def title_of(curves: Curves) -> str:
    """Return the name of a set of curves."""
    return curves.language + ("" if curves.masked is None else f", {curves.masked} deactivated")


def describe_crossings(curves: Curves) -> str:
    """Say between which layers English and the query's language change places."""
    found = crossings(curves.values("english"), curves.values("query"))
    places = ", ".join(f"{layer:.1f}" for layer in found)
    return f"English and {curves.language} cross at layer {places}" if found else "no crossing"


def lens_cells(curves: Curves) -> tuple[list[str], list[list[str]]]:
    """Return the columns and rows of a table: a row per layer, shares in percent with 95 % intervals."""
    names = [curves.language if name == "query" else name for name in curves.classes]
    rows = [[str(layer), *map(_percent, shares)] for layer, shares in enumerate(curves.shares)]
    return ["layer", *names], rows


def _percent(share: Estimate) -> str:
    if share.low is None or share.high is None:
        return f"{100 * share.value:.1f}"
    return f"{100 * share.value:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"
