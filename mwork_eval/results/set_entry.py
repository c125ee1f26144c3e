"""What a manifest says of a neuron set."""

from typing import Any

from pydantic import field_validator

from mwork_eval.files.json_values import FileValue
from mwork_eval.neurons.tuned_stages import tuning_documents


class SetEntry(FileValue):
    """A neuron set: digest, number of neurons in all and by position, neurons of the model, and its description."""

    digest: str
    total: int
    by_position: dict[str, int]
    of: int
    about: dict[str, Any]

    @field_validator("of")
    @classmethod
    def _some(cls, value: int) -> int:
        if value < 1:
            raise ValueError("a model without neurons")
        return value

    @field_validator("about")
    @classmethod
    def _tells_its_tuning(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            tuning_documents([value])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no account of the documents that stages were chosen on ({error})") from error
        return value
