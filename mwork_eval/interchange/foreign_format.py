"""What a foreign format is: how a file of it is read and written, and what it can say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.interchange.target import Target
from mwork_eval.neurons.neuron_set import NeuronSet, Place
from mwork_eval.neurons.structures import STRUCTURES

Members = Mapping[Place, Sequence[int]]
"""Per (layer, structure), indices of neurons."""


@dataclass(frozen=True)
class Asked:
    """What a file is to be read as.

    Attributes:
        target: The model.
        languages: The languages in the order of the file; where the file names its own, those that are wanted.
            Empty if none were given.
        key: Which results of a file with several; None for all of them together.
    """

    target: Target
    languages: tuple[str, ...] = ()
    key: str | None = None

    def languages_for(self, count: int, path: Path) -> tuple[str, ...]:
        """Return the languages of a file that does not name them.

        Raises:
            InputError: If none were given, or the file has another number.
        """
        if len(self.languages) != count:
            given = f"{len(self.languages)} ({','.join(self.languages)})" if self.languages else "none"
            raise InputError(
                f"{path} has neurons of {count} language{'s' if count != 1 else ''} and does not name them",
                found=f"{given} given",
                expected="the languages in the order of the file",
                hint="give them with `languages`",
            )
        return self.languages


@dataclass(frozen=True)
class ForeignSets:
    """What a file holds.

    Attributes:
        members: By language, the neurons, as ordered as the file has them.
        left_out: What is no neuron of ours, in words, and how many.
        says: What the file says of how it was made, JSON values.
    """

    members: Mapping[str, Members]
    left_out: Mapping[str, int] = field(default_factory=dict)
    says: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ForeignFormat:
    """A format of another tool.

    Attributes:
        name: What commands call it.
        title: What it is, for lists.
        read: Reads a file.
        write: Returns the bytes of a file with sets by language; None if the format is only read.
        structures: What a file can hold.
        one_language: Whether a file has the neurons of one language.
        order: The languages of its files, where the tool's script has a fixed order.
    """

    name: str
    title: str
    read: Callable[[Path, Asked], ForeignSets]
    write: Callable[[Mapping[str, NeuronSet], Target], bytes] | None = None
    structures: tuple[str, ...] = STRUCTURES
    one_language: bool = False
    order: tuple[str, ...] = ()
