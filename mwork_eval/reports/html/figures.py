"""The figures of the report: changes per language, heat maps, layers and overlap."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from mwork_eval.languages.pivot import Pivot
from mwork_eval.neurons.stages import Stages
from mwork_eval.reports.html.svg import Axis, drawing, element, words
from mwork_eval.reports.wording import difference, estimate
from mwork_eval.results.language_intervals import LanguageEffect
from mwork_eval.results.set_counts import SetCounts
from mwork_eval.statistics.resampling import Estimate

_WIDTH = 340  # fits a phone without scrolling
_BAR = 10
_HEAT_CELL = 18
_LINE_HEIGHT = 190


def change_bars(changes: Mapping[str, Sequence[LanguageEffect]], unit: str, pivot: Pivot) -> dict[str, Markup]:
    """Draw a panel per setting with two bars per language: its own change, and that of the pivot under its mask.

    Args:
        changes: Per setting, the change of each language.
        unit: Unit of the changes.
        pivot: The pivot.
    """
    estimates = [e for of_setting in changes.values() for change in of_setting for e in (change.own, change.english)]
    values = [value for e in estimates for value in (e.value, e.low, e.high) if value is not None]
    axis = Axis.over(values, 34, _WIDTH - 52)
    return {setting: _panel(setting, of_setting, axis, unit, pivot.name) for setting, of_setting in changes.items()}


def _panel(setting: str, changes: Sequence[LanguageEffect], axis: Axis, unit: str, pivot: str) -> Markup:
    group = 2 * _BAR + 15
    bottom = 6 + group * len(changes)
    parts = [_tick(axis, value, bottom) for value in axis.ticks]
    for number, change in enumerate(changes):
        top = 6 + group * number
        parts.append(words(0, top + _BAR + 5, change.language, class_="strong"))
        parts.append(_bar(axis, top, change.own, "own", f"{change.language} under its own mask", unit))
        masked = f"{pivot}, {change.language} masked"
        parts.append(_bar(axis, top + _BAR + 3, change.english, "english", masked, unit))
    parts.append(element("line", x1=axis(0), x2=axis(0), y1=2, y2=bottom, class_="zero"))
    return drawing(f"{setting}: change per mask language in {unit}", _WIDTH, bottom + 18, parts)


def _tick(axis: Axis, value: float, bottom: float) -> Markup:
    line = element("line", x1=axis(value), x2=axis(value), y1=2, y2=bottom, class_="grid")
    return line + words(axis(value), bottom + 14, f"{value:.3g}", anchor="middle")


def _bar(axis: Axis, top: float, change: Estimate, class_: str, what: str, unit: str) -> Markup:
    left, right = sorted((axis(0), axis(change.value)))
    middle = top + _BAR / 2
    parts = [
        element("title", f"{what}: {estimate(change, unit)} {unit}"),
        element("rect", x=left, y=top, width=right - left, height=_BAR, class_=class_),
        words(_WIDTH, top + _BAR - 1, difference(change.value, unit), anchor="end"),
    ]
    if change.low is not None and change.high is not None:
        low, high = axis(change.low), axis(change.high)
        path = f"M{low:.1f} {middle}H{high:.1f}M{low:.1f} {middle - 3}v6M{high:.1f} {middle - 3}v6"
        parts.append(element("path", d=path, class_="whisker"))
    return element("g", *parts)


def heat_maps(counts: SetCounts) -> dict[str, Markup]:
    """Draw, per language, a map of layers and structures: the share of neurons that are in the set.

    All maps have the same scale; `heat_scale` says which.
    """
    most = heat_scale(counts)
    return {language: _heat_map(language, counts, most) for language in counts.languages}


def heat_scale(counts: SetCounts) -> float:
    """Return the highest share, in percent, of any layer and structure in any set: the full colour."""
    return max((share or 0.0 for of in counts.languages for row in counts.shares(of) for share in row), default=0.0)


def _heat_map(language: str, counts: SetCounts, most: float) -> Markup:
    parts = []
    for row, structure in enumerate(counts.structures):
        parts.append(words(0, row * _HEAT_CELL + 13, structure))
        for layer, of_layer in enumerate(counts.counts[language]):
            count, size = of_layer.get(structure, 0), counts.sizes[layer].get(structure, 0)
            if not size:
                continue  # the layer has no such structure: another mixer, say
            share = 100 * count / size
            parts.append(
                element(
                    "rect",
                    element("title", f"layer {layer} {structure}: {count} of {size} neurons ({share:.2f} %)"),
                    x=30 + layer * _HEAT_CELL,
                    y=row * _HEAT_CELL,
                    width=_HEAT_CELL - 1,
                    height=_HEAT_CELL - 1,
                    class_="heat",
                    fill_opacity=f"{share / most if most else 0:.2f}",
                )
            )
    height, layers = len(counts.structures) * _HEAT_CELL, len(counts.sizes)
    step = 1 if layers <= 12 else 5
    parts += [
        words(30 + (layer + 0.5) * _HEAT_CELL, height + 13, str(layer), anchor="middle")
        for layer in range(0, layers, step)
    ]
    return drawing(
        f"{language}: share of neurons in the set by layer and structure", 32 + layers * _HEAT_CELL, height + 18, parts
    )


def layer_lines(counts: SetCounts, component: str, name: str, stages: Stages) -> Markup:
    """Draw the number of neurons per layer of one component, a line per language (Figure 3 of the paper).

    Args:
        counts: The counts.
        component: `attn` or `ffn`.
        name: What to call it.
        stages: Where understanding ends and generation begins; drawn as vertical lines.
    """
    lines = {language: counts.by_component(language, component) for language in counts.languages}
    bottom = _LINE_HEIGHT - 20
    y = Axis.over([float(count) for line in lines.values() for count in line], bottom, 8)
    x = Axis(0, max(1, stages.layers - 1), 34, _WIDTH - 10)
    parts = [_level(y, value) for value in y.ticks if value == int(value)]
    parts += [
        element("line", x1=x(border - 0.5), x2=x(border - 0.5), y1=8, y2=bottom, class_="border")
        for border in (stages.understanding, stages.layers - stages.generation)
        if 0 < border < stages.layers
    ]
    step = max(1, stages.layers // 8)
    parts += [words(x(layer), bottom + 15, str(layer), anchor="middle") for layer in range(0, stages.layers, step)]
    for number, (language, line) in enumerate(lines.items()):
        points = " ".join(f"{x(layer):.1f},{y(line[layer]):.1f}" for layer in counts.layers_with(component))
        parts.append(element("polyline", element("title", language), points=points, class_=f"line line{number % 10}"))
    return drawing(f"{name}: neurons per layer, a line per language", _WIDTH, _LINE_HEIGHT, parts)


def _level(axis: Axis, value: float) -> Markup:
    line = element("line", x1=34, x2=_WIDTH - 10, y1=axis(value), y2=axis(value), class_="grid")
    return line + words(30, axis(value) + 4, f"{value:g}", anchor="end")


def overlap_matrix(counts: SetCounts) -> Markup:
    """Draw the Jaccard index of every two sets, in percent (Appendix C of the paper)."""
    languages = counts.languages
    cell = min(44.0, (_WIDTH - 34) / max(1, len(languages)))
    parts = []
    for row, first in enumerate(languages):
        parts.append(words(0, 20 + (row + 0.5) * cell + 4, first, class_="strong"))
        parts.append(words(30 + (row + 0.5) * cell, 13, first, anchor="middle", class_="strong"))
        for column, second in enumerate(languages):
            value = counts.overlap[first][second]
            left, top = 30 + column * cell, 20 + row * cell
            parts += [
                element(
                    "rect",
                    element("title", f"{first} and {second}: {100 * value:.1f} %"),
                    x=left,
                    y=top,
                    width=cell - 1,
                    height=cell - 1,
                    class_="heat",
                    fill_opacity=f"{0.5 * value:.2f}",  # numbers stay readable on it
                ),
                words(left + cell / 2, top + cell / 2 + 4, f"{100 * value:.0f}", anchor="middle"),
            ]
    size = len(languages) * cell
    return drawing("overlap of the sets of every two languages in percent", 32 + size, 22 + size, parts)
