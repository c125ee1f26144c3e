"""What a lens found, in words and cells of tables."""

from mwork_eval.analysis.shares import Curves
from mwork_eval.languages.pivot import Pivot
from mwork_eval.statistics.resampling import Estimate


def title_of(curves: Curves) -> str:
    """Return the name of a set of curves."""
    return curves.language + ("" if curves.masked is None else f", {curves.masked} deactivated")


def class_name(curves: Curves, name: str) -> str:
    """Return what a class is called where it is shown: a pivot other than English by its tag."""
    return curves.pivot if name == "pivot" else name


def describe_crossings(curves: Curves) -> str:
    """Say between which layers the pivot and the query's language change places."""
    found = curves.crossings()
    places = ", ".join(f"{layer:.1f}" for layer in found)
    return f"{Pivot(curves.pivot).name} and {curves.language} cross at layer {places}" if found else "no crossing"


def lens_cells(curves: Curves) -> tuple[list[str], list[list[str]]]:
    """Return the columns and rows of a table: a row per layer, shares in percent with 95 % intervals."""
    names = [{"query": curves.language}.get(name, class_name(curves, name)) for name in curves.classes]
    rows = [[str(layer), *map(_percent, shares)] for layer, shares in enumerate(curves.shares)]
    return ["layer", *names], rows


def _percent(share: Estimate) -> str:
    if share.low is None or share.high is None:
        return f"{100 * share.value:.1f}"
    return f"{100 * share.value:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"
