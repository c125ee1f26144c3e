"""A document that was scored: what it is known by, and what it says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ScoredDocument:
    """A document of a task.

    Attributes:
        document: lm-eval's hash of the document.
        prompt: Of its prompt.
        target: Of its right answer.
        content: The document itself; None if the samples were kept without it, or it was not asked for.
    """

    document: str
    prompt: str
    target: str
    content: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, sample: Mapping[str, Any], *, with_content: bool) -> "ScoredDocument":
        """Read one of lm-eval's samples.

        Raises:
            KeyError: If it has no hashes.
        """
        document, prompt, target = (str(sample[f"{part}_hash"]) for part in ("doc", "prompt", "target"))
        return cls(document, prompt, target, sample.get("doc") if with_content else None)
