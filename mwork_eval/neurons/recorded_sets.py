"""Find the neuron sets that a results folder was made with, by the digest it recorded."""

from pathlib import Path

from mwork_eval.neurons.files import load_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import SUFFIX
from mwork_eval.resources import neuron_sets_folder

FOLDER = "neurons"
"""Folder inside a results folder that `mwork run` writes its sets to."""


def find_recorded_set(folder: Path, language: str, digest: str) -> NeuronSet | None:
    """Look for a set in the results folder, then among the shipped ones.

    Args:
        folder: The results folder.
        language: Language of the set.
        digest: Digest of the set.

    Raises:
        InputError: If a set's file is damaged.
    """
    name = f"{language}{SUFFIX}"
    for path in (folder / FOLDER / name, *sorted(neuron_sets_folder().glob(f"*/{name}"))):
        if path.is_file() and (neurons := load_neuron_set(path)).digest == digest:
            return neurons
    return None
