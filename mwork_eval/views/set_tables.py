"""Where the neurons of sets sit and what sets share, as JSON."""

from collections.abc import Mapping
from typing import Any

from mwork_eval.files.json_values import dump
from mwork_eval.neurons.comparison import Overlap
from mwork_eval.neurons.stages import Stages
from mwork_eval.results.set_counts import COMPONENTS, SetCounts

Matrix = Mapping[str, Mapping[str, Overlap]]
"""`[first][second]`."""


def profile_as_json(counts: SetCounts, stages: Stages) -> str:
    """Return the numbers per layer, by component and of every structure, as JSON."""
    content = {
        "format": "mwork-profile",
        "version": 1,
        "stages": {"understanding": stages.understanding, "generation": stages.generation},
        "sets": {
            language: {
                **{component: counts.by_component(language, component) for component in COMPONENTS},
                "by_structure": {
                    structure: [layer.get(structure, 0) for layer in counts.counts[language]]
                    for structure in counts.structures
                },
            }
            for language in counts.languages
        },
        **({"lacking": list(counts.lacking)} if counts.lacking else {}),
    }
    return dump(content, indent=1) + "\n"


def overlaps_as_json(matrices: Mapping[str, Matrix]) -> str:
    """Return the shares and Jaccard as JSON, with the counts behind them."""
    content = {
        "format": "mwork-overlap",
        "version": 1,
        "parts": {
            part: {
                first: {second: _numbers(overlap) for second, overlap in row.items()} for first, row in matrix.items()
            }
            for part, matrix in matrices.items()
        },
    }
    return dump(content, indent=1) + "\n"


def _numbers(overlap: Overlap) -> dict[str, Any]:
    first = overlap.only_first + overlap.both
    return {"first": first, "both": overlap.both, "share": overlap.share, "jaccard": overlap.jaccard}
