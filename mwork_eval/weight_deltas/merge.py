"""Write a base with its delta as a complete checkpoint, and prove that it is what it should be."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from mwork_eval.errors import InputError
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.models.loading import LoadedModel
from mwork_eval.weight_deltas.delta import WeightDelta, applied, check_base


def merge(loaded: LoadedModel, delta: WeightDelta, out: Path, *, force: bool = False) -> int:
    """Write configuration, tokenizer and weights to a folder that transformers, lm-eval's `hf` and vLLM load.

    What was written is read again and compared with the base, entry by entry. The model is as before in the end.

    Args:
        loaded: The base.
        delta: Its delta.
        out: An empty folder, or one that is not there yet.
        force: Accept a delta of other weights of the same sizes.

    Returns:
        The number of entries that differ from the base.

    Raises:
        InputError: If the folder is not empty, the delta is of another base, or the written weights are not those of
            the base with exactly the delta's values changed.
    """
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out} is not empty", expected="a new folder for the checkpoint")
    layout = Layout.of(loaded.model)
    check_base(delta, fingerprint_of(loaded.model), loaded.name, force=force)
    with applied(layout, delta):
        loaded.model.save_pretrained(out, safe_serialization=True)
        loaded.tokenizer.save_pretrained(out)
    return verify(loaded.model, layout, delta, out)


def verify(model: Any, layout: Layout, delta: WeightDelta, folder: Path) -> int:
    """Load a checkpoint as anyone would, compare it with the base, and return how many entries differ.

    Raises:
        InputError: If an entry outside the delta differs, one inside does not have the delta's value, or none differs.
    """
    written = AutoModelForCausalLM.from_pretrained(folder, dtype=model.dtype).state_dict()
    base = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
    with applied(layout, delta):
        for name, tensor in model.state_dict().items():
            if name not in written or not torch.equal(written[name].cpu(), tensor.detach().cpu()):
                raise InputError(f"{folder} is not the base with the delta", found=f"other values in {name}")
    # Tied weights have two names and are one.
    storages = {tensor.data_ptr(): name for name, tensor in model.state_dict().items()}
    different = sum(int((written[name].cpu() != base[name]).sum()) for name in storages.values())
    if not 0 < different <= delta.parameters:
        raise InputError(
            f"{folder} does not differ from the base as it should",
            found=f"{different} entries",
            expected=f"1 to {delta.parameters}, those of the delta",
            hint="the delta may hold the base's own values",
        )
    return different
