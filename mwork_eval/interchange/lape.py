"""Masks of LAPE (Tang et al. 2024, arXiv:2402.16438) and of what was built on it: rows of gate by language and layer.

`list[language][layer]` of int64 tensors, ascending. Counted there is act(gate) > 0, without a gate act(up) > 0; a row
of gate is our `up`, since act(0) = 0 switches the neuron off.
"""

from collections.abc import Mapping
from pathlib import Path

from mwork_eval.interchange.foreign_format import Asked, ForeignFormat, ForeignSets, Members
from mwork_eval.interchange.limits import checked_indices, damaged
from mwork_eval.interchange.target import Target
from mwork_eval.interchange.torch_file import read_torch, torch_bytes
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.structures import FEED_FORWARD

_CLAS = "en ar bo da de es fr hi it ja ko mt nl no pl pt ru sv tr zh sk el kk sw ka uk fa th id vi cs ro"
_MANIPULATION = "bo mt it es de ja ar zh af nl fr pt ru ko hi tr pl sv da no en"


def read(path: Path, asked: Asked) -> ForeignSets:
    """Read a mask.

    Raises:
        InputError: If the file is no such list, has another number of languages or layers, or an index is out of range.
    """
    value = read_torch(path)
    if not isinstance(value, list) or not value or not all(isinstance(of_one, list) for of_one in value):
        raise damaged(path, f"a {type(value).__name__}", "a list of languages, each a list of layers")
    languages = asked.languages_for(len(value), path)
    members = {
        language: layers_of(path, language, of_one, asked.target, "up")
        for language, of_one in zip(languages, value, strict=True)
    }
    return ForeignSets(members)


def write(sets: Mapping[str, NeuronSet], target: Target) -> bytes:
    """Return a mask with the feed-forward neurons of sets, in their order."""
    import torch

    lists = []
    for neurons in sets.values():
        by_layer = {layer: sorted(found) for layer, structure, found in neurons.switches() if structure == "up"}
        lists.append([torch.tensor(by_layer.get(layer, []), dtype=torch.int64) for layer in range(target.shape.layers)])
    return torch_bytes(lists)


def layers_of(path: Path, where: str, layers: object, target: Target, structure: str) -> Members:
    """Return the neurons of one structure from a list of layers.

    Args:
        path: The file.
        where: What the list is of, for messages.
        layers: Per layer, indices.
        target: The model.
        structure: The structure.

    Raises:
        InputError: If it is no list of as many layers as the model has, or an index is out of range.
    """
    if not isinstance(layers, list) or len(layers) != target.shape.layers:
        found = f"{len(layers)} layers of {where}" if isinstance(layers, list) else f"a {type(layers).__name__}"
        raise damaged(path, found, f"the {target.shape.layers} layers of {target.name}")
    read_of = {
        (layer, structure): checked_indices(
            path, f"{where}, layer {layer}, {structure}", indices, target.size(layer, structure)
        )
        for layer, indices in enumerate(layers)
    }
    return {place: indices for place, indices in read_of.items() if indices}


LAPE = ForeignFormat("lape", "masks of LAPE (X.neuron.pth) and NJUNLP", read, write, FEED_FORWARD)
CLAS = ForeignFormat(
    "clas-bench", "masks of CLaS-Bench, 32 languages", read, write, FEED_FORWARD, order=tuple(_CLAS.split())
)
MANIPULATION = ForeignFormat(
    "manipulation",
    "masks of Language-Neurons-Manipulation, 21 languages",
    read,
    write,
    FEED_FORWARD,
    order=tuple(_MANIPULATION.split()),
)
