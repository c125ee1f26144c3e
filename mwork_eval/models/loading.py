"""Load a model and its tokenizer by name: the default model, a local folder, or a hub id."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from mwork_eval.errors import InputError, NotReachedError
from mwork_eval.models import default_model
from mwork_eval.models.layout import base_of

log = logging.getLogger(__name__)

_NO_TOKENIZER = "instantiate the backend tokenizer"
"""What transformers says of a folder in which none of a tokenizer's files is."""


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to run.

    Attributes:
        name: The name the user gave; goes into files.
        model: The model, in evaluation mode.
        tokenizer: Its tokenizer, or None if it has none and none was needed.
    """

    name: str
    model: Any
    tokenizer: Any


def resolve_name(name: str) -> str:
    """Return what transformers can load: the folder of the default model, else the name itself."""
    return str(default_model.ensure()) if name == default_model.NAME else name


def name_of(model: Any) -> str:
    """Return what a model is called in files and reports: what was given to load it by.

    Wrappers of peft and torch.compile are looked through. The default model has its name, not the folder it was
    converted into, and a model that was made from a configuration that of its class.
    """
    base = base_of(model)
    name = str(getattr(base, "name_or_path", "") or type(base).__name__)
    return default_model.NAME if name == str(default_model.folder_of_conversion()) else name


def default_dtype(device: torch.device | str) -> torch.dtype | str:
    """Return the dtype for a device: `auto`, but float32 on a CPU that only emulates bfloat16.

    There bfloat16 prefill was measured about seven times slower than float32.
    """
    if torch.device(device).type != "cpu" or has_native_bfloat16():
        return "auto"
    return torch.float32


def has_native_bfloat16() -> bool:
    """Say whether this CPU multiplies bfloat16 matrices in hardware (AVX512-BF16 or AMX)."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, check, lambda: False)() for check in checks)


def check_dtype(name: str | None) -> str | None:
    """Return the name of a dtype if there is such a floating-point dtype.

    Raises:
        InputError: If there is not.
    """
    known = getattr(torch, name or "", None)
    if name not in (None, "auto") and not (isinstance(known, torch.dtype) and known.is_floating_point):
        raise InputError("unknown dtype", found=name, expected="float32, bfloat16, float16 or auto")
    return name


def find_device(asked: str | None = None, *, fall_back: bool = False) -> torch.device:
    """Return the device to use: the one asked for, else the first accelerator, else the CPU.

    Args:
        asked: Such as `cuda:0` or `cpu`.
        fall_back: Return the CPU instead of an error where the machine has no such device. lm-eval needs it: its
            command asks for `cuda:0` unless told otherwise.

    Raises:
        InputError: If there is no such device.
    """
    here = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if asked is None:
        return here or torch.device("cpu")
    try:
        device = torch.device(asked)
    except RuntimeError:
        raise InputError("unknown device", found=asked, expected="cpu, cuda, cuda:0, mps, ...") from None
    if device.type != "cpu" and (here is None or here.type != device.type):
        if fall_back:
            return torch.device("cpu")
        raise InputError("this machine has no such device", found=asked, expected=str(here or "cpu"))
    return device


def load_model(
    name: str,
    *,
    device: str | None = None,
    dtype: str | None = None,
    device_map: str | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    needs_tokenizer: bool = True,
) -> LoadedModel:
    """Load a causal language model for detection.

    Args:
        name: `gemma3-270m`, a local folder, or a hub id.
        device: Where to put it; the first accelerator or the CPU if not given.
        dtype: `float32`, `bfloat16`, `float16` or `auto`; see `default_dtype`.
        device_map: As in transformers, for a model spread over devices; replaces ``device``.
        revision: Branch, tag or commit on the hub.
        trust_remote_code: Run the code that the model brings, if it brings some.
        needs_tokenizer: Whether it is of no use without its tokenizer.

    Raises:
        InputError: If the model cannot be found or read, has no tokenizer and needs one, or brings code of its own
            that is not to be run.
    """
    target = find_device(device)
    chosen = default_dtype(target) if check_dtype(dtype) is None else dtype
    path = resolve_name(name)
    # Said either way: transformers asks on the terminal where it is not.
    extra: dict[str, Any] = {"trust_remote_code": trust_remote_code} | ({"revision": revision} if revision else {})
    tokenizer: Any = None
    try:
        if needs_tokenizer:
            # A folder that holds no model lacks more than a tokenizer.
            AutoConfig.from_pretrained(path, **extra)
            tokenizer = load_tokenizer(name, revision, trust_remote_code=trust_remote_code)
        model: Any = AutoModelForCausalLM.from_pretrained(path, dtype=chosen, device_map=device_map, **extra)
    except (ImportError, OSError, ValueError) as error:
        # Packages that a quantisation needs may not be there.
        raise model_not_loadable(name, error) from error
    if device_map is None:
        model.to(target)
    if not needs_tokenizer:
        with suppress(InputError):
            tokenizer = load_tokenizer(name, revision, trust_remote_code=trust_remote_code)
    return LoadedModel(name, model.eval(), tokenizer)


def load_tokenizer(name: str, revision: str | None = None, **options: Any) -> Any:
    """Load the tokenizer of a model.

    Args:
        name: As in `load_model`.
        revision: Branch, tag or commit on the hub.
        **options: Further arguments of `AutoTokenizer.from_pretrained`.

    Raises:
        InputError: If it cannot be found or read.
    """
    extra = {"trust_remote_code": False} | options | ({"revision": revision} if revision else {})
    try:
        return AutoTokenizer.from_pretrained(resolve_name(name), **extra)
    except (OSError, ValueError) as error:
        raise model_not_loadable(name, error) from error


def model_not_loadable(name: str, error: Exception) -> InputError:
    """Turn an error of transformers into one line that says what to do."""
    if "trust_remote_code" in str(error):
        return InputError(
            f"model {name} brings code of its own, which is not run unless you say so",
            hint="read that code; if you trust it, give `trust_remote_code=True`",
        )
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    reason = " ".join(lines) if lines[0].endswith(":") else lines[0]
    if Path(name).exists():
        if _NO_TOKENIZER in reason:
            return InputError(f"no tokenizer in {name}", expected="tokenizer.json, as save_pretrained writes it")
        return InputError(f"model {name} cannot be loaded", found=reason, expected="a folder that transformers reads")
    return NotReachedError(
        f"model {name} cannot be loaded",
        found=reason,
        expected=f"{default_model.NAME}, a local folder, or a hub id",
        hint="without network, use a local folder",
    )
