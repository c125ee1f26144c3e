"""The words for parts of a layer: structures, components, and which of them a neuron set holds."""

from mwork_eval.errors import InputError

ATTENTION = ("q", "k", "v", "o")
FEED_FORWARD = ("gate", "up", "down")
STRUCTURES = ATTENTION + FEED_FORWARD
"""The weight matrices of a layer. A neuron is a row of q, k, v, gate, up or a column of o, down."""

COLUMN_STRUCTURES = frozenset({"o", "down"})
"""Structures whose neurons are input columns; the others' are output rows."""

DEFAULT_STRUCTURES = ("q", "k", "v", "up")
"""What a neuron set holds unless asked otherwise: q, k, v and the feed-forward switches, as in the paper.

Row k of gate, row k of up and column k of down are one switch (each makes h[:, k] = 0), so `up` stands for
the three. Without grouped queries, o repeats v.
"""


def component_of(structure: str) -> str:
    """Return ``attn`` or ``ffn``, the component a structure belongs to."""
    return "attn" if structure in ATTENTION else "ffn"


def parse_structures(text: str) -> tuple[str, ...]:
    """Split a comma-separated list of structures.

    Raises:
        InputError: If a name is unknown or the list is empty.
    """
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [name for name in names if name not in STRUCTURES]
    if unknown or not names:
        raise InputError(
            "unknown structure",
            found=",".join(unknown) or "nothing",
            expected=f"some of {','.join(STRUCTURES)}",
        )
    return names
