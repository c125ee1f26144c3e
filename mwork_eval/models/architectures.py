"""The architectures that the project's tests cover, and what is special of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mwork_eval.files.yaml_values import read_yaml

_FILE = Path(__file__).with_name("architectures.yaml")


@dataclass(frozen=True)
class Architecture:
    """A row of `architectures.yaml`.

    Attributes:
        special: What a layer has beyond grouped queries, rotary positions and a gated feed-forward.
        missing: What is not reached of it, and why; empty where all is.
    """

    special: str = ""
    missing: str = ""


@cache
def known_architectures() -> Mapping[str, Architecture]:
    """Return the architectures that tests cover, by the `model_type` of the text decoder's configuration."""
    rows = read_yaml(_FILE, "architectures by model type").value
    return {str(model_type): Architecture(**row) for model_type, row in rows.items()}


def is_covered(model_type: str) -> bool:
    """Say whether tests prove all of an architecture: layout, scores and masks."""
    found = known_architectures().get(model_type)
    return found is not None and not found.missing
