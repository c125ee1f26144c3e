"""Repositories of neuron sets for a hub of the tests."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from helpers.hub_server import HubServer
from mwork_eval.hub.index import write_index
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet

NAME = "user/sets"


def bytes_of_set(neurons: NeuronSet) -> bytes:
    """Return the file of a set."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.safetensors"
        save_neuron_set(neurons, path)
        return path.read_bytes()


def repository_files(sets: Mapping[str, NeuronSet], **others: bytes) -> dict[str, bytes]:
    """Return the files of a repository of ours.

    Args:
        sets: By path below `neurons`, without ending.
        **others: Contents of other files by path.
    """
    files: dict[str, bytes | Path] = {f"neurons/{name}.safetensors": bytes_of_set(one) for name, one in sets.items()}
    files |= others
    index = write_index(files, base_model="tiny", fingerprint=None)
    return {"README.md": b"# Sets\n", "mwork.json": index, **{path: bytes(one) for path, one in files.items()}}  # type: ignore[arg-type]


def publish(hub: HubServer, sets: Mapping[str, NeuronSet], name: str = NAME, branch: str = "main") -> str:
    """Put sets into a repository of the hub; returns the commit."""
    return hub.repository(name).commit(repository_files(sets), branch)
