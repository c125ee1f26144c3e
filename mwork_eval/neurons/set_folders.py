"""Folders of neuron sets: local ones, shipped ones, and those of repositories on the hub."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mwork_eval.errors import InputError
from mwork_eval.hub.download import folder_in, no_folder
from mwork_eval.hub.reference import HubReference, is_hub
from mwork_eval.hub.repository import HubRepository
from mwork_eval.neurons.files import load_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.resources import neuron_sets_folder

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class SetFolder:
    """A folder of neuron sets, of which none is loaded yet.

    Attributes:
        shown: What it is called in messages.
        names: The sets in it.
        load: Loads a set by its name; of the hub, it is fetched.
        reference: Returns what `find_neurons` reads a name, or an expression of names, by; on the hub it is pinned to
            a commit.
    """

    shown: str
    names: tuple[str, ...]
    load: Callable[[str], NeuronSet]
    reference: Callable[[str], str]

    def find(self, name: str, expected: str) -> NeuronSet:
        """Load a set.

        Args:
            name: Its name.
            expected: What would have been right, for the error.

        Raises:
            InputError: If there is none of that name; lists those there are.
        """
        if name not in self.names:
            found = " ".join(self.names) or "no set"
            raise InputError(f"no neuron set {name!r} in {self.shown}", found=found, expected=expected)
        return self.load(name)

    def load_all(self) -> dict[str, NeuronSet]:
        """Load all sets, by name.

        Raises:
            InputError: If one cannot be had or is damaged.
        """
        return {name: self.load(name) for name in self.names}


def find_set_folder(reference: str) -> SetFolder:
    """Find a folder of sets: one of the hub, a local one, else a shipped one of that name.

    Raises:
        InputError: If there is none; names those there are.
        NotReachedError: If it is on the hub, and there is no way to it.
    """
    if is_hub(reference):
        return _on_hub(HubReference.parse(reference))
    folder = find_local_folder(reference)
    names = tuple(sorted(path.stem for path in folder.glob(f"*{SUFFIX}")))
    return SetFolder(
        str(folder),
        names,
        lambda name: load_neuron_set(folder / f"{name}{SUFFIX}"),
        lambda name: str(folder / (f"{name}{SUFFIX}" if name in names else name)),
    )


def find_local_folder(reference: str) -> Path:
    """Return a folder of neuron sets: a local one, else a shipped one of that name.

    Raises:
        InputError: If there is none; names the shipped ones.
    """
    shipped = neuron_sets_folder()
    for folder in (Path(reference).expanduser(), shipped / reference):
        if folder.is_dir() and any(folder.glob(f"*{SUFFIX}")):
            return folder
    raise InputError(
        f"no folder of neuron sets {reference!r}",
        found="no such folder, or no set in it",
        expected=f"a local folder, or one of {' '.join(sorted(f.name for f in shipped.iterdir() if f.is_dir()))}",
        hint="make one with `detect(out=FOLDER)`",
    )


def _on_hub(asked: HubReference) -> SetFolder:
    repository = HubRepository.at(asked)
    folder = folder_in(repository, asked.rest)
    if folder is None:
        raise no_folder(repository, asked)
    paths = repository.sets_in(folder)

    def reference(name: str) -> str:
        return str(asked.pinned(repository.commit, f"{asked.rest}/{name}" if asked.rest else name))

    def load(name: str) -> NeuronSet:
        return load_neuron_set(repository.fetch(paths[name])).described(hub=reference(name))

    return SetFolder(str(asked), tuple(paths), load, reference)
