"""Load a model once for a whole matrix."""

from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.lm.model import MworkHF
from mwork_eval.models.loading import find_device


def load_for_matrix(model: str, device: str | None, dtype: str | None, batch_size: int, **extra: Any) -> MworkHF:
    """Load a model by name, unmasked.

    Args:
        model: `gemma3-270m`, a local folder, or a hub id.
        device: Such as `cuda:0`; the first accelerator or the CPU if not given.
        dtype: As `MworkHF` takes it.
        batch_size: Requests at a time where lm-eval's own way is taken.
        **extra: Further arguments of `MworkHF`; None counts as not given.

    Raises:
        InputError: If it cannot be loaded, or is to be spread over accelerators that are not there.
    """
    given = {key: value for key, value in extra.items() if value is not None}
    if "device_map" in given:
        if find_device(device).type == "cpu":
            raise InputError("`device_map` spreads a model over accelerators", found="none here")
        given["parallelize"] = True  # without it, `hf` ignores a device map
    return MworkHF(model, device=str(find_device(device)), dtype=dtype, batch_size=batch_size, **given)
