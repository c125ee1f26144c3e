"""The neuron sets that a results folder was made with: kept in it, and found again by the digest it recorded."""

from collections.abc import Mapping
from pathlib import Path

from mwork_eval.neurons.files import load_neuron_set, save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import SUFFIX
from mwork_eval.resources import neuron_sets_folder

FOLDER = "neurons"
"""Folder inside a results folder that holds its sets."""


def record_sets(folder: Path, sets: Mapping[str, NeuronSet]) -> None:
    """Keep sets in a results folder; a set that is there already, such as the one just detected, is left alone."""
    for language, neurons in sets.items():
        path = folder / FOLDER / f"{language}{SUFFIX}"
        if not path.exists():
            save_neuron_set(neurons, path)


def record_preset_sets(folder: Path, preset: str, sets: Mapping[str, NeuronSet]) -> None:
    """Keep the sets of one preset in a results folder of their own, in the place of those of an earlier command."""
    for language, neurons in sets.items():
        save_neuron_set(neurons, folder / FOLDER / preset / f"{language}{SUFFIX}")


def find_recorded_set(folder: Path, language: str, digest: str, preset: str | None = None) -> NeuronSet | None:
    """Look for a set in the results folder, then among the shipped ones.

    Args:
        folder: The results folder.
        language: Language of the set.
        digest: Digest of the set.
        preset: The preset whose own set it is, or None.

    Raises:
        InputError: If a set's file is damaged.
    """
    name = f"{language}{SUFFIX}"
    own = folder / FOLDER / (name if preset is None else f"{preset}/{name}")
    for path in (own, *sorted(neuron_sets_folder().glob(f"*/{name}"))):
        if path.is_file() and (neurons := load_neuron_set(path)).digest == digest:
            return neurons
    return None
