"""How many neurons a model has, by layer and structure: all that set algebra needs to know of a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, field_validator

from mwork_eval.files.json_values import FileValue, value_as
from mwork_eval.neurons.structures import FEED_FORWARD, STRUCTURES


@dataclass(frozen=True)
class ModelShape:
    """Neuron counts of a model.

    Attributes:
        family: Name of the model family.
        sizes: Per layer, the number of neurons of each structure.
        experts: Per layer, the number of experts whose neurons gate, up and down count together, 0 for a dense
            layer; empty for a model without experts. Neuron index e·n + k is neuron k of the n of expert e.
        shared: Per layer, the number of neurons of gate, up and down in shared experts, which come after those of
            the routed experts; empty for a model without shared experts.
    """

    family: str
    sizes: tuple[Mapping[str, int], ...]
    experts: tuple[int, ...] = ()
    shared: tuple[int, ...] = ()

    @property
    def layers(self) -> int:
        """Number of layers."""
        return len(self.sizes)

    @cached_property
    def switches(self) -> int:
        """Number of neurons in q, k, v and the feed-forward, each feed-forward switch counted once.

        This is the denominator of every percentage the project prints.
        """
        counted = [s for s in STRUCTURES if s not in FEED_FORWARD and s != "o"] + ["up"]
        return sum(layer.get(structure, 0) for layer in self.sizes for structure in counted)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value; equal layers are written once, with their count."""
        runs: list[dict[str, Any]] = []
        for number, layer in enumerate(self.sizes):
            run: dict[str, Any] = {"sizes": dict(layer)}
            if self.experts:
                run["experts"] = self.experts[number]
            if self.shared:
                run["shared"] = self.shared[number]
            if runs and runs[-1].items() >= run.items():
                runs[-1]["layers"] += 1
            else:
                runs.append({"layers": 1, **run})
        return {"family": self.family, "runs": runs}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ModelShape":
        """Read what `to_json` wrote.

        Raises:
            InputError: If a number is no positive integer, or beyond any model's, or a structure is unknown.
        """
        return value_as(ShapeValue, value, "a model shape").shape

    def __str__(self) -> str:
        first = self.sizes[0] if self.sizes else {}
        inner = " ".join(f"{name} {first[name]}" for name in STRUCTURES if name in first)
        if self.experts:
            inner += f", up to {max(self.experts)} experts"
        if self.shared:
            inner += f", {max(self.shared)} neurons shared"
        return f"{self.family}, {self.layers} layers ({inner})"


_MOST_LAYERS = 10_000
_Count = Annotated[int, Field(ge=1, le=_MOST_LAYERS)]
_Size = Annotated[int, Field(ge=1, lt=2**31)]
"""Neurons are kept as 32-bit indices."""


class _LayerRun(FileValue):
    """Layers of one form."""

    layers: _Count
    sizes: dict[str, _Size]
    experts: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    shared: Annotated[int, Field(ge=0, lt=2**31)] | None = None

    @field_validator("sizes")
    @classmethod
    def _of_structures(cls, value: dict[str, int]) -> dict[str, int]:
        if unknown := value.keys() - set(STRUCTURES):
            raise ValueError(f"{' '.join(sorted(unknown))} is none of {' '.join(STRUCTURES)}")
        return value


class ShapeValue(FileValue):
    """A model's shape in a file."""

    family: str
    runs: tuple[_LayerRun, ...]

    @field_validator("runs")
    @classmethod
    def _of_a_model(cls, value: tuple[_LayerRun, ...]) -> tuple[_LayerRun, ...]:
        if sum(run.layers for run in value) > _MOST_LAYERS:
            raise ValueError(f"more than {_MOST_LAYERS:,} layers")
        if len({run.experts is None for run in value}) > 1 or len({run.shared is None for run in value}) > 1:
            raise ValueError("experts of some layers only")
        return value

    @property
    def shape(self) -> ModelShape:
        """The shape."""
        layers = tuple(run.sizes for run in self.runs for _ in range(run.layers))
        experts = tuple(run.experts for run in self.runs if run.experts is not None for _ in range(run.layers))
        shared = tuple(run.shared for run in self.runs if run.shared is not None for _ in range(run.layers))
        return ModelShape(self.family, layers, experts, shared)
