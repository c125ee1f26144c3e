"""What sets know of activations, for interventions that put a language's in place of others."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mwork_eval.errors import InputError
from mwork_eval.neurons.neuron_set import Place

if TYPE_CHECKING:
    from mwork_eval.detection.score_table import ScoreTable
    from mwork_eval.files.tensor_file import Array


def activations_of(tables: "Sequence[ScoreTable]") -> "dict[str, Mapping[Place, Array]]":
    """Return the typical activations of every neuron in each language.

    Args:
        tables: Finished scores, with a record of activations.

    Returns:
        Under `mean.LANGUAGE`, per (layer, structure) the mean over tokens, float32 `[neurons]`, and per (layer,
        "residual") the mean output of the layer `[d_model]`; under `median.LANGUAGE`, if responses were recorded, the
        median over documents of a document's mean.

    Raises:
        InputError: If a table has no record of activations.
    """
    found: dict[str, Mapping[Place, Array]] = {}
    for table in tables:
        language, recorded = table.about["language"], table.about.get("recorded", ())
        if "activations" not in recorded:
            raise InputError(
                "sets can only know of activations that were recorded",
                found=f"scores of {language} without them",
                expected="activations",
                hint="detect again with `record=activations`",
            )
        found[f"mean.{language}"] = table.activation_mean
        if "responses" in recorded:
            found[f"median.{language}"] = {
                place: np.median(values, 0).astype(np.float32) for place, values in table.responses.items()
            }
    return found
