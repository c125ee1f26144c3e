"""How many neurons a model has, by layer and structure: all that set algebra needs to know of a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.neurons.structures import FEED_FORWARD, STRUCTURES


@dataclass(frozen=True)
class ModelShape:
    """Neuron counts of a model.

    Attributes:
        family: Name of the model family.
        sizes: Per layer, the number of neurons of each structure.
        experts: Per layer, the number of experts whose neurons gate, up and down count together, 0 for a dense
            layer; empty for a model without experts. Neuron index e·n + k is neuron k of the n of expert e.
    """

    family: str
    sizes: tuple[Mapping[str, int], ...]
    experts: tuple[int, ...] = ()

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
            if runs and runs[-1].items() >= run.items():
                runs[-1]["layers"] += 1
            else:
                runs.append({"layers": 1, **run})
        return {"family": self.family, "runs": runs}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ModelShape":
        """Read what `to_json` wrote.

        Raises:
            InputError: If a size is no positive integer or a structure is unknown.
        """
        layers: list[Mapping[str, int]] = []
        experts: list[int] = []
        for run in value["runs"]:
            sizes = dict(run["sizes"])
            if set(sizes) - set(STRUCTURES) or not all(isinstance(n, int) and n > 0 for n in sizes.values()):
                raise InputError("damaged model shape", found=sizes, expected=f"positive sizes of {STRUCTURES}")
            layers.extend([sizes] * run["layers"])
            experts.extend([run["experts"]] * run["layers"] if "experts" in run else [])
        return cls(value["family"], tuple(layers), tuple(experts))

    def __str__(self) -> str:
        first = self.sizes[0] if self.sizes else {}
        inner = " ".join(f"{name} {first[name]}" for name in STRUCTURES if name in first)
        if self.experts:
            inner += f", up to {max(self.experts)} experts"
        return f"{self.family}, {self.layers} layers ({inner})"
