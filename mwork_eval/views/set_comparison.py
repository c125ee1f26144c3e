"""What neuron sets share, as JSON."""

from dataclasses import asdict
from typing import Any

from mwork_eval.files.json_values import dump
from mwork_eval.neurons.comparison import Comparisons, Overlap


def comparisons_as_json(found: Comparisons) -> str:
    """Return the counts as JSON, every layer among them."""
    content = {
        "format": "mwork-set-comparison",
        "version": 1,
        "first": found.first,
        "second": found.second,
        "sets": [
            {
                "name": name,
                "total": _overlap(comparison.total),
                "by_layer": [_overlap(overlap) for overlap in comparison.by_layer],
                "by_position": {position: _overlap(overlap) for position, overlap in comparison.by_position.items()},
            }
            for name, comparison in found.sets.items()
        ],
        "only_first": found.only_first,
        "only_second": found.only_second,
    }
    return dump(content, indent=1) + "\n"


def _overlap(overlap: Overlap) -> dict[str, Any]:
    return {**asdict(overlap), "jaccard": overlap.jaccard}
