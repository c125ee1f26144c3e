"""`lape_selected_neurons.pt` of kinit-sk/language-neuron-detection: several results, each by language and layer.

A key `mlp_...` holds rows of gate (our `up`), `attn_q_proj_...` and so on rows of q, k or v; languages are tags such as
`deu_Latn`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.interchange.foreign_format import Asked, ForeignFormat, ForeignSets
from mwork_eval.interchange.lape import layers_of
from mwork_eval.interchange.limits import damaged
from mwork_eval.interchange.target import Target
from mwork_eval.interchange.torch_file import read_torch, torch_bytes
from mwork_eval.languages.table import base_of
from mwork_eval.languages.tags import canonical_tag, facts_of
from mwork_eval.neurons.neuron_set import NeuronSet, Place

_STRUCTURES = {"mlp_": "up", "attn_q_proj_": "q", "attn_k_proj_": "k", "attn_v_proj_": "v"}
_STATISTIC = "over_threshold_rate"
_INDICES = "selected_indices_by_language"
_EXPECTED = f"results by key, each with {_INDICES}"


def read(path: Path, asked: Asked) -> ForeignSets:
    """Read the results of one key, or of all of them together.

    Raises:
        InputError: If the file is something else, lacks the key or a language, or does not fit the model.
    """
    value = read_torch(path)
    results = value.get("results") if isinstance(value, dict) else None
    if not isinstance(results, dict) or not results:
        raise damaged(path, "no results", _EXPECTED)
    if not all(isinstance(key, str) and isinstance(one, dict) for key, one in results.items()):
        raise damaged(path, "results that are no dictionaries", _EXPECTED)
    if asked.key is not None and asked.key not in results:
        raise InputError(f"{path} has no results {asked.key!r}", found=" ".join(results), expected="one of these")
    members: dict[str, dict[Place, list[int]]] = {}
    for key in [asked.key] if asked.key is not None else list(results):
        structure = next((ours for start, ours in _STRUCTURES.items() if key.startswith(start)), None)
        if structure is None:
            raise damaged(path, f"results {key!r}", f"keys that begin with {' '.join(_STRUCTURES)}")
        by_language = results[key].get(_INDICES)
        if not isinstance(by_language, dict) or not by_language:
            raise damaged(path, f"{key} without {_INDICES}", _EXPECTED)
        for tag, ours in _wanted(path, by_language, asked.languages).items():
            of_language = members.setdefault(ours, {})
            for place, indices in layers_of(path, f"{key} of {tag}", by_language[tag], asked.target, structure).items():
                of_language[place] = list(dict.fromkeys([*of_language.get(place, ()), *indices]))
    return ForeignSets(members, says=_says(value, asked.key))


def write(sets: Mapping[str, NeuronSet], target: Target) -> bytes:
    """Return a file with one key for each structure that sets have neurons of."""
    import torch

    tags = {_foreign_tag(language): neurons for language, neurons in sets.items()}
    results = {}
    for start, structure in _STRUCTURES.items():
        width = max(target.size(layer, structure) for layer in range(target.shape.layers))
        mask = torch.zeros(len(tags), target.shape.layers, width, dtype=torch.bool)
        for number, neurons in enumerate(tags.values()):
            for layer, of_it, members in neurons.switches():
                if of_it == structure:
                    mask[number, layer, members] = True
        if mask.any():
            lists = [[torch.nonzero(layer)[:, 0].tolist() for layer in layers] for layers in mask]
            results[f"{start}{_STATISTIC}"] = {
                "selected_mask": mask,
                "counts_per_lang_layer": mask.sum(dim=2),
                _INDICES: dict(zip(tags, lists, strict=True)),
            }
    return torch_bytes({"method": "lape", "languages": list(tags), "params": {}, "results": results})


def _wanted(path: Path, tags: Iterable[Any], languages: tuple[str, ...]) -> dict[str, str]:
    """Return, by tag of the file, what the language is called here: as it was given, else its canonical tag."""
    known: dict[str, str] = {}
    for tag in tags:
        if not isinstance(tag, str) or (ours := canonical_tag(tag)) is None:
            raise damaged(path, f"the language {tag!r}", "tags such as deu_Latn")
        known[tag] = ours
    if not languages:
        return known
    wanted: dict[str, str] = {}
    for language in languages:
        found = [tag for tag, ours in known.items() if ours == language]
        found = found or [tag for tag, ours in known.items() if base_of(ours) == base_of(language)]
        if len(found) != 1:
            raise InputError(
                f"{path} has {'no neurons' if not found else 'several sets'} of {language}",
                found=" ".join(known),
                expected="some of these",
            )
        wanted[found[0]] = language
    return wanted


def _says(value: Mapping[str, Any], key: str | None) -> dict[str, Any]:
    params = value.get("params")
    said = {
        name: one
        for name, one in (params.items() if isinstance(params, dict) else ())
        if isinstance(name, str) and isinstance(one, str | int | float | bool)
    }
    method = value.get("method")
    return {
        **({"method": method} if isinstance(method, str) else {}),
        **({"params": said} if said else {}),
        **({} if key is None else {"key": key}),
    }


def _foreign_tag(language: str) -> str:
    facts = facts_of(language)
    return language if facts is None or facts.script is None else f"{facts.alpha3}_{facts.script}"


KINIT = ForeignFormat(
    "kinit",
    "lape_selected_neurons.pt of kinit's language-neuron-detection",
    read,
    write,
    ("q", "k", "v", "gate", "up", "down"),
)
