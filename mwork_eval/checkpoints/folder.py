"""The files of a checkpoint: its weights, and what else belongs to the model."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME

from mwork_eval.checkpoints.stored_tensor import StoredTensor, stored_tensors
from mwork_eval.errors import InputError
from mwork_eval.models.loading import model_not_loadable, resolve_name

_BESIDE = ("*.json", "*.jinja", "*.txt", "*.model", "*.py", "*.tiktoken", "LICENSE*", "NOTICE*", "USE_POLICY*")
"""What belongs to a model beside its weights: configuration, tokenizer, templates, code and terms."""
_NOT_BESIDE = ("*.index.json", "params.json", "consolidated*", "mwork*")
"""What goes with weights in another form, such as the layout of Mistral's own tools; and what we say of a folder."""


_ADAPTER = "adapter_config.json"
_TEMPLATES = "additional_chat_templates"
"""Where tokenizers keep templates beside the one that is taken unless another is named."""
FileState = tuple[int, int, int]
"""By which a file is known to be as it was: its inode, its size in bytes, and when it was written in nanoseconds."""


def find_folder(name: str, revision: str | None = None) -> Path:
    """Return the folder with a model's checkpoint; of a hub id what is missing of it is fetched.

    Args:
        name: `gemma3-270m`, a local folder, or a hub id.
        revision: Branch, tag or commit on the hub.

    Raises:
        InputError: If there is none.
    """
    path = Path(resolve_name(name))
    if path.is_dir():
        return path
    try:
        wanted = [*_BESIDE, "*.safetensors"]
        snapshot_download(name, revision=revision, allow_patterns=f"{_TEMPLATES}/*.jinja")
        ignored = ["*/*", "consolidated*"]
        return Path(snapshot_download(name, revision=revision, allow_patterns=wanted, ignore_patterns=ignored))
    except (OSError, ValueError) as error:
        raise model_not_loadable(name, error) from error


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the files that transformers loads the weights from.

    Raises:
        InputError: If there are none in the format of safetensors, one is missing, or an adapter comes on top of them.
    """
    if (folder / _ADAPTER).exists():
        raise InputError(
            f"transformers loads an adapter on top of the weights in {folder}",
            found=_ADAPTER,
            expected="a checkpoint that is the whole model",
            hint="merge the adapter with peft and save the model, or mask it with mwork-hf",
        )
    if (single := folder / SAFE_WEIGHTS_NAME).is_file():
        return (single,)
    index = folder / SAFE_WEIGHTS_INDEX_NAME
    if not index.is_file():
        others = sorted(one.name for one in folder.iterdir() if one.suffix in (".bin", ".pt", ".pth", ".gguf"))
        raise InputError(
            f"no weights in {folder} in the format of safetensors",
            found=" ".join(others[:3]) or "no weights",
            expected=f"{SAFE_WEIGHTS_NAME} or {SAFE_WEIGHTS_INDEX_NAME}",
            hint="load the model with transformers and save it anew" if others else None,
        )
    try:
        names = sorted(set(_mapping(json.loads(index.read_text("utf-8"))["weight_map"]).values()))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{index} is damaged", found=error, expected="a map of tensors to files") from error
    files = tuple(folder / str(name) for name in names)
    for file in files:
        if file.parent != folder or not file.is_file():
            raise InputError(f"a file of the weights is missing in {folder}", found=file.name)
    return files


def read_tensors(files: tuple[Path, ...]) -> dict[str, StoredTensor]:
    """Return the tensors of a checkpoint by name; no weights are read.

    Raises:
        InputError: If a file is damaged, or two have a tensor of one name.
    """
    found: dict[str, StoredTensor] = {}
    for file in files:
        for one in stored_tensors(file):
            if one.name in found:
                raise InputError(
                    f"two files have the tensor {one.name}", found=f"{found[one.name].file.name}, {file.name}"
                )
            found[one.name] = one
    return found


def states_of(files: tuple[Path, ...]) -> tuple[FileState, ...]:
    """Return what files are like now."""
    found = (file.stat() for file in files)
    return tuple((one.st_ino, one.st_size, one.st_mtime_ns) for one in found)


def files_beside(folder: Path) -> list[Path]:
    """Return what else belongs to the model: configuration, tokenizer, templates, code and terms; no model card.

    The index of several files of weights is among them; one beside a single file is of other weights.
    """
    index = None if (folder / SAFE_WEIGHTS_NAME).is_file() else SAFE_WEIGHTS_INDEX_NAME
    return [
        *sorted(
            one
            for one in folder.iterdir()
            if one.is_file()
            and any(one.match(pattern) for pattern in _BESIDE)
            and (one.name == index or not any(one.match(pattern) for pattern in _NOT_BESIDE))
        ),
        *sorted((folder / _TEMPLATES).glob("*.jinja")),
    ]


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"a {type(value).__name__}")
    return value
