"""The stages of the multilingual workflow, and the four positions a neuron can have in it."""

from dataclasses import dataclass

from mwork_eval.errors import InputError
from mwork_eval.neurons.structures import component_of

POSITIONS = ("under", "s-attn", "s-ffn", "gen")
"""Understanding layers, attention and feed-forward of the task-solving layers, generation layers."""


@dataclass(frozen=True)
class Stages:
    """Where understanding ends and generation begins.

    Attributes:
        layers: Number of layers of the model.
        understanding: Number of first layers that understand.
        generation: Number of last layers that generate.
    """

    layers: int
    understanding: int
    generation: int

    def __post_init__(self) -> None:
        if self.understanding < 0 or self.generation < 0 or self.understanding + self.generation > self.layers:
            raise InputError(
                "stage boundaries do not fit the model",
                found=f"{self.understanding} understanding and {self.generation} generation layers",
                expected=f"two numbers from 0 that add up to at most {self.layers}",
            )

    @classmethod
    def of(cls, layers: int, understanding: int | None = None, generation: int | None = None) -> "Stages":
        """Return the stages of a model, with defaults where a boundary is not given.

        The defaults are a quarter of the layers for understanding and an eighth for generation, which for the
        32 layers of the paper's models is 8 and 4. The paper tunes both on XQuAD zh (Appendix F).
        """
        return cls(
            layers,
            max(1, round(layers / 4)) if understanding is None else understanding,
            max(1, round(layers / 8)) if generation is None else generation,
        )

    def position(self, layer: int, structure: str) -> str:
        """Return the position of a neuron of ``structure`` in ``layer``."""
        if layer < self.understanding:
            return "under"
        if layer >= self.layers - self.generation:
            return "gen"
        return "s-" + component_of(structure)


def parse_positions(text: str) -> tuple[str, ...]:
    """Read positions joined by ``+``, such as ``under+gen``; ``all`` means the four of them.

    Raises:
        InputError: If a position is unknown.
    """
    if text.strip() == "all":
        return POSITIONS
    names = [part.strip() for part in text.split("+")]
    unknown = [name for name in names if name not in POSITIONS]
    if unknown:
        raise InputError(
            "unknown position",
            found=repr("+".join(unknown)),
            expected=f"all, or some of {'+'.join(POSITIONS)}",
        )
    return tuple(position for position in POSITIONS if position in names)
