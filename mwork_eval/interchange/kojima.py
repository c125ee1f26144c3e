"""`expertise_limited_*.csv` of Kojima et al. 2024 (arXiv:2404.02431): outputs of modules, a unit a row, with its AP.

`layer` is the name of a module, with `:0` behind it for its first output. Outputs of q, k, v, gate and up are neurons,
those of o and down are channels of the residual stream. Rows are ordered by how far the average precision is from one
half, since the units that tell a language by being silent count as much as those that tell it by being active.
"""

import math
from collections import Counter
from pathlib import Path

from mwork_eval.errors import InputError
from mwork_eval.interchange.csv_rows import csv_rows, whole
from mwork_eval.interchange.foreign_format import Asked, ForeignFormat, ForeignSets
from mwork_eval.interchange.limits import damaged
from mwork_eval.interchange.target import Target
from mwork_eval.languages.tags import canonical_tag
from mwork_eval.neurons.neuron_set import Place

_NEEDED = ("ap", "layer", "unit")
_RESIDUAL = "outputs of o and down, which are channels of the residual stream"


def read(path: Path, asked: Asked) -> ForeignSets:
    """Read the units of one language.

    Raises:
        InputError: If the file is something else, of another language, lists all units, or does not fit the model.
    """
    (language,) = asked.languages_for(1, path)
    units: list[tuple[float, str, int]] = []
    for row in csv_rows(path, _NEEDED):
        concept = canonical_tag(row.get("concept") or language)
        if concept not in (None, language):
            raise InputError(f"{path} has neurons of another language", found=concept, expected=language)
        units.append((_precision(path, row["ap"]), row["layer"].removesuffix(":0"), whole(path, "unit", row["unit"])))
    members: dict[Place, dict[int, None]] = {}
    left_out: Counter[str] = Counter()
    where = _neurons_by_unit(asked.target)
    for _, module, unit in sorted(units, key=lambda one: -abs(one[0] - 0.5)):
        if module not in asked.target.modules:
            raise InputError(
                f"{path} does not fit the model", found=f"module {module!r}", expected=f"one of {asked.target.name}"
            )
        if module not in where:
            left_out[_RESIDUAL] += 1
            continue
        if unit not in where[module]:
            raise InputError(
                f"{path} does not fit the model",
                found=f"unit {unit} of {module}",
                expected=f"one of its {len(where[module])}",
            )
        place, index = where[module][unit]
        members.setdefault(place, {})[index] = None
    if units and len(units) >= sum(map(len, where.values())):
        raise InputError(
            f"{path} lists every unit, and which of them are meant is not said",
            found=f"{len(units)} rows",
            expected="expertise_limited_N_top.csv, _bottom.csv or _both.csv",
        )
    return ForeignSets({language: {place: list(found) for place, found in members.items()}}, dict(left_out))


def _precision(path: Path, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise damaged(path, f"ap {text!r}", "an average precision from 0 to 1")
    return number


def _neurons_by_unit(target: Target) -> dict[str, dict[int, tuple[Place, int]]]:
    """Return, by module and output channel, whose neuron that is; gate and up are one switch."""
    return {
        module: {
            channel: ((layer, "up" if structure == "gate" else structure), index)
            for (layer, structure), channels in found
            for index, channel in enumerate(channels.tolist())
        }
        for module, found in target.outputs.items()
    }


KOJIMA = ForeignFormat(
    "kojima", "expertise_limited_*.csv of Kojima et al., one language a file", read, one_language=True
)
