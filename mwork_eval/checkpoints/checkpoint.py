"""A checkpoint: the files a model is loaded from, read without loading it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mwork_eval.checkpoints.fingerprint import fingerprint_of_stored
from mwork_eval.checkpoints.folder import FileState, find_folder, read_tensors, states_of, weight_files
from mwork_eval.checkpoints.origins import Origins
from mwork_eval.checkpoints.stored_tensor import StoredTensor
from mwork_eval.errors import InputError
from mwork_eval.models.inspection import inspect_model
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.shape import ModelShape


@dataclass(frozen=True)
class Checkpoint:
    """The weights of a model as files, and the model that transformers makes of them, without weights.

    Attributes:
        name: The name the user gave.
        folder: Where the files are.
        files: Those of the weights.
        states: What these were like when they were read.
        stored: The tensors in them by name.
        layout: The model on the meta device.
    """

    name: str
    folder: Path
    files: tuple[Path, ...]
    states: tuple[FileState, ...]
    stored: dict[str, StoredTensor]
    layout: Layout

    @classmethod
    def of(cls, name: str, revision: str | None = None, *, trust_remote_code: bool = False) -> "Checkpoint":
        """Find a checkpoint and read what is in it, but no weights.

        Args:
            name: `gemma3-270m`, a local folder, or a hub id.
            revision: Branch, tag or commit on the hub.
            trust_remote_code: Run the code that the model brings, if it brings some.

        Raises:
            InputError: If there is none, it is quantised already, is not in the format of safetensors, or its
                architecture is not understood.
        """
        found = inspect_model(name, revision, trust_remote_code=trust_remote_code, real_buffers=True)
        if found.quantised is not None:
            raise InputError(
                f"the checkpoint of {name} is quantised already",
                found=found.quantised,
                expected="plain weights, in which rows can be zeroed",
                hint="take the checkpoint it was made from and quantise afterwards, or mask activations with mwork-hf",
            )
        folder = find_folder(name, revision)
        if (named := getattr(found.layout.model.config, "transformers_weights", None)) is not None:
            raise InputError(
                f"the configuration of {name} names other files of weights",
                found=f"transformers_weights {named}",
                expected="the usual ones, which every engine loads",
                hint="load the model with transformers and save it anew",
            )
        files = weight_files(folder)
        return cls(name, folder, files, states_of(files), read_tensors(files), found.layout)

    @property
    def shape(self) -> ModelShape:
        """Neuron counts."""
        return self.layout.shape

    @cached_property
    def origins(self) -> Origins:
        """Where the model's parameters are in the files."""
        return Origins(self.layout.model, self.stored)

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of the weights: that of the loaded model, read off the files.

        Raises:
            InputError: If the files lack a parameter.
        """
        return fingerprint_of_stored(self.layout.model, self.origins, self.stored)
