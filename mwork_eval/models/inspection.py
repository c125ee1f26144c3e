"""What a model is and whether it is supported, from its configuration alone: no weights are loaded."""

from dataclasses import dataclass
from typing import Any

import torch
from accelerate import init_empty_weights
from torch.overrides import TorchFunctionMode
from transformers import AutoConfig, AutoModelForCausalLM

from mwork_eval.errors import InputError
from mwork_eval.models.layout import Layout
from mwork_eval.models.loading import model_not_loadable, resolve_name

_LARGE = 2**16
"""Most values of a buffer that a block needs to run, such as the corrections of its experts' scores."""
_MAKERS = frozenset({torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn})
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Inspection:
    """A model without its weights.

    Attributes:
        name: The name the user gave.
        layout: Its layout on the meta device.
        parameters: Number of parameters, tied ones once.
        dtype: The dtype that the configuration names, float32 if none.
        quantised: How the checkpoint is quantised, or None.
    """

    name: str
    layout: Layout
    parameters: int
    dtype: str
    quantised: str | None

    def weight_bytes(self, dtype: str) -> int:
        """Return the memory of the weights in a dtype, those of float32 for one that is not known."""
        return bytes_of(self.parameters, dtype)

    @property
    def fused(self) -> list[str]:
        """Structures that share a matrix with another one, such as `q+k+v`."""
        modules: dict[tuple[int, int, bool], list[str]] = {}
        for (layer, structure), (block, *_) in self.layout.blocks.items():
            key = (layer, id(block.module), structure == "down" if block.experts else False)
            modules.setdefault(key, []).append(structure)
        return list(dict.fromkeys("+".join(names) for names in modules.values() if len(names) > 1))


def bytes_of(parameters: int, dtype: str) -> int:
    """Return the memory of so many parameters in a dtype, that of float32 for one that is not known."""
    return parameters * _BYTES.get(dtype, 4)


def inspect_model(
    name: str, revision: str | None = None, *, trust_remote_code: bool = False, real_buffers: bool = False
) -> Inspection:
    """Read a model's configuration and build it without weights.

    Args:
        name: `gemma3-270m`, a local folder, or a hub id.
        revision: Branch, tag or commit on the hub.
        trust_remote_code: Run the code that the model brings, if it brings some.
        real_buffers: Whether buffers are in memory, save large ones: for blocks that are to run. It takes longer.

    Raises:
        InputError: If there is no such model, its architecture is not understood, or it brings code of its own that is
            not to be run.
    """
    extra: dict[str, Any] = {"trust_remote_code": trust_remote_code} | ({"revision": revision} if revision else {})
    try:
        config: Any = AutoConfig.from_pretrained(resolve_name(name), **extra)
    except (OSError, ValueError) as error:
        raise model_not_loadable(name, error) from error
    quantisation = getattr(config, "quantization_config", None)
    model = _on_meta(name, config, trust_remote_code=trust_remote_code, real_buffers=real_buffers)
    layout = Layout.of(model)
    dtype = str(getattr(config, "dtype", None) or getattr(layout.decoder.config, "dtype", None) or "float32")
    return Inspection(
        name,
        layout,
        sum(parameter.numel() for parameter in model.parameters()),
        dtype.removeprefix("torch."),
        None if quantisation is None else _quantisation_name(quantisation),
    )


def inspect_loaded(name: str, model: Any) -> Inspection:
    """Return what a model in memory is.

    Args:
        name: What it is called.
        model: The model, also wrapped by peft or torch.compile.

    Raises:
        InputError: If its architecture is not understood.
    """
    layout = Layout.of(model)
    quantisation = getattr(layout.model.config, "quantization_config", None)
    return Inspection(
        name,
        layout,
        sum(parameter.numel() for parameter in layout.model.parameters()),
        str(getattr(layout.model, "dtype", "float32")).removeprefix("torch."),
        None if quantisation is None else _quantisation_name(quantisation),
    )


class _LargeOnMeta(TorchFunctionMode):
    """Makes large tensors on the meta device.

    `init_empty_weights` makes every parameter in memory before it leaves it empty, and the experts of a layer can be
    one parameter that no memory holds.
    """

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if function in _MAKERS and "device" not in given and "out" not in given:
            tried = function(*args, **given, device="meta")
            if tried.numel() > _LARGE:
                return tried
        return function(*args, **given)


def _on_meta(name: str, config: Any, *, trust_remote_code: bool, real_buffers: bool) -> Any:
    try:
        if not real_buffers:
            with torch.device("meta"):
                return AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code)
        with init_empty_weights(include_buffers=False), _LargeOnMeta():
            model: Any = AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code)
        model.tie_weights()  # each of a tied pair became a parameter of its own
        return model
    except ValueError as error:
        if "trust_remote_code" in str(error):
            raise model_not_loadable(name, error) from error
        raise InputError(
            f"model {name} is no causal language model",
            found=getattr(config, "model_type", "no model_type"),
            expected="a model that AutoModelForCausalLM knows",
        ) from error


def _quantisation_name(quantisation: Any) -> str:
    values = quantisation if isinstance(quantisation, dict) else vars(quantisation)
    return str(values.get("quant_method", "quantised"))
