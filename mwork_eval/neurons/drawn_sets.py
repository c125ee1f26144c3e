"""Sets of random halves of the detection documents: kept in a folder beside the sets of all documents."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from mwork_eval.errors import InputError
from mwork_eval.hub.download import pinned_to
from mwork_eval.neurons.files import load_neuron_set, save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import SUFFIX, find_folder

FOLDER = "draws"
"""Folder inside a folder of sets that holds a folder per draw, from 1."""
_ORIGIN = ("fingerprint", "method", "corpus", "selection", "subtracted")
"""What the set of a half says of itself as the set of all documents does."""


def save_drawn_sets(draws: Iterable[Mapping[str, NeuronSet]], folder: Path) -> Path:
    """Write the sets of each draw beside the sets of all documents; returns where they are.

    Args:
        draws: Per draw, the sets by language.
        folder: The folder of the sets of all documents.
    """
    for number, sets in enumerate(draws, 1):
        for language, neurons in sets.items():
            save_neuron_set(neurons, folder / FOLDER / str(number) / f"{language}{SUFFIX}")
    return folder / FOLDER


def find_drawn_sets(reference: str, sets: Mapping[str, NeuronSet], draws: int) -> tuple[dict[str, NeuronSet], ...]:
    """Load the sets of the first draws.

    Args:
        reference: The folder of the sets of all documents: local, shipped or of the hub.
        sets: Those sets by language.
        draws: How many draws.

    Returns:
        Per draw, the sets of the same languages.

    Raises:
        InputError: If there are fewer draws, or they are of other documents or another selection than the sets.
    """
    here = pinned_to(reference, (neurons.about.get("hub") for neurons in sets.values()))
    folder = find_folder(here, beside=FOLDER) / FOLDER
    hint = f"make both with `detect(set_draws={draws}, out=FOLDER)`"
    found = []
    for number in range(1, draws + 1):
        paths = {language: folder / str(number) / f"{language}{SUFFIX}" for language in sets}
        if missing := [language for language, path in paths.items() if not path.is_file()]:
            raise InputError(
                f"{reference} lacks sets of random halves of the documents",
                found=f"no {', '.join(missing)} in {folder / str(number)}",
                expected=f"{draws} draws",
                hint=hint,
            )
        found.append({language: load_neuron_set(path) for language, path in paths.items()})
        for language, neurons in found[-1].items():
            whole = sets[language].about
            if other := [name for name in _ORIGIN if neurons.about.get(name) != whole.get(name)]:
                raise InputError(
                    f"{paths[language]} is no draw of the set {language} of {reference}",
                    found=f"another {', '.join(other)}",
                    expected="the same documents and selection",
                    hint=hint,
                )
    return tuple(found)
