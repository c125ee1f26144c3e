"""Plans of matrices whose cells are named by their number, and of which nothing is computed."""

from collections.abc import Mapping, Sequence
from typing import Any

from helpers.neuron_sets import STAGES
from mwork_eval.matrix.cell_plan import TaskSource
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.plan import Cell
from mwork_eval.matrix.planning import MatrixPlan


def planned(
    cells: Sequence[Cell], masks: Any, options: MatrixOptions, *, tasks: Mapping[str, Any] | None = None, name: str = ""
) -> MatrixPlan:
    """Plan the cells of one preset; `name` stands before their numbers."""
    (preset,) = options.presets
    return MatrixPlan(
        cells=cells,
        identities=[f"{name}{number}" for number in range(len(cells))],
        source=TaskSource((), None, None),
        tasks=tasks or {},
        stages=STAGES,
        masks={preset.name: masks},
        families=options.families(preset),
        presets=[preset.name] * len(cells),
    )
