"""Text sets of DAMO-NLP-SG/multilingual_analysis: five lines, each a dictionary from layers to sets of indices.

The lines are up, down, q, k, v. k and v are counted among *query* heads: index i belongs to head i // d and channel
i % d, and several query heads share a row under grouped queries: row (i // d // group)·d + i % d.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from mwork_eval.errors import InputError
from mwork_eval.interchange.foreign_format import Asked, ForeignFormat, ForeignSets
from mwork_eval.interchange.limits import checked_indices, damaged, read_text
from mwork_eval.interchange.target import Target
from mwork_eval.neurons.neuron_set import NeuronSet, Place

_LINES = ("up", "down", "q", "k", "v")
_STRUCTURES = ("gate", "up", "down", "q", "k", "v")
_LAYER = re.compile(r"\s*(\d{1,5})\s*:\s*(?:\{([^{}]*)\}|set\(\)|\[([^\[\]]*)\])\s*(,|$)")
_INDICES = re.compile(r"\s*(?:np\.u?int\d{1,2}\((\d{1,10})\)|(\d{1,10}))\s*(,|$)")
_EXPECTED = "five lines such as {0: {1, 2}, 1: set()}: up, down, q, k, v"


def read(path: Path, asked: Asked) -> ForeignSets:
    """Read a text set; no Python is evaluated.

    Raises:
        InputError: If the file is something else, too large, or does not fit the model.
    """
    lines = [line for line in read_text(path).splitlines() if line.strip()]
    if len(lines) != len(_LINES):
        raise damaged(path, f"{len(lines)} lines", _EXPECTED)
    (language,) = asked.languages_for(1, path)
    members: dict[Place, list[int]] = {}
    for structure, line in zip(_LINES, lines, strict=True):
        for layer, indices in _dictionary(path, structure, line).items():
            if not 0 <= layer < asked.target.shape.layers:
                raise InputError(
                    f"{path} does not fit the model",
                    found=f"layer {layer} of {structure}",
                    expected=f"0 to {asked.target.shape.layers - 1}",
                )
            if not indices:
                continue
            place, rows = _rows(path, asked.target, layer, structure, indices)
            members[place] = list(dict.fromkeys([*members.get(place, ()), *rows]))
    return ForeignSets({language: members})


def write(sets: Mapping[str, NeuronSet], target: Target) -> bytes:
    """Return the five lines of one set; a row of k or v is named for every query head that shares it.

    Raises:
        InputError: If how wide heads are is not known and matters.
    """
    (neurons,) = sets.values()
    found = {(layer, structure): members for layer, structure, members in neurons.switches()}
    lines = []
    for structure in _LINES:
        layers = []
        for layer in range(target.shape.layers):
            members = found.get((layer, "up" if structure == "down" else structure), [])
            if structure in ("k", "v") and members:
                group, width = target.query_group(layer, structure)
                members = [
                    (row // width * group + head) * width + row % width for row in members for head in range(group)
                ]
            text = ", ".join(map(str, sorted(members)))
            layers.append(f"{layer}: {{{text}}}" if members else f"{layer}: set()")
        lines.append("{" + ", ".join(layers) + "}")
    return ("\n".join(lines) + "\n").encode()


def _rows(path: Path, target: Target, layer: int, structure: str, indices: list[int]) -> tuple[Place, list[int]]:
    """Return whose neurons the indices of a line are; down is the same switch as up."""
    where = f"layer {layer}, {structure}"
    if structure not in ("k", "v"):
        ours = "up" if structure == "down" else structure
        return (layer, ours), checked_indices(path, where, indices, target.size(layer, ours))
    group, width = target.query_group(layer, structure)
    among_heads = checked_indices(path, f"{where} among query heads", indices, target.size(layer, structure) * group)
    rows = [index // width // group * width + index % width for index in among_heads]
    return (layer, structure), list(dict.fromkeys(rows))


def _dictionary(path: Path, structure: str, line: str) -> dict[int, list[int]]:
    text = line.strip()
    if not (text.startswith("{") and text.endswith("}")):
        raise damaged(path, f"a line of {structure} that is no dictionary", _EXPECTED)
    text, at, found = text[1:-1].rstrip(), 0, dict[int, list[int]]()
    while at < len(text):
        match = _LAYER.match(text, at)
        if match is None or int(match[1]) in found:
            raise damaged(path, f"{structure}: {text[at : at + 40]!r}", _EXPECTED)
        found[int(match[1])] = _numbers(path, structure, match[2] or match[3] or "")
        at = match.end()
    return found


def _numbers(path: Path, structure: str, text: str) -> list[int]:
    text, at, numbers = text.rstrip(), 0, list[int]()
    while at < len(text):
        match = _INDICES.match(text, at)
        if match is None:
            raise damaged(path, f"{structure}: {text[at : at + 40]!r}", "integers")
        numbers.append(int(match[1] or match[2]))
        at = match.end()
    return numbers


DAMO = ForeignFormat(
    "damo",
    "text sets of DAMO's multilingual_analysis, one language a file",
    read,
    write,
    _STRUCTURES,
    one_language=True,
)
