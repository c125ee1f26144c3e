"""Say what a model is, and prove on the loaded model that it is read as it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mwork_eval.application.arguments import dtype_name, flag_of
from mwork_eval.application.mask_check import MaskCheck, check_masks
from mwork_eval.application.object_arguments import check_is_model
from mwork_eval.application.progress import Progress, ProgressChoice, shown
from mwork_eval.application.sample_text import tokens_to_try
from mwork_eval.detection.agreement import Verification
from mwork_eval.detection.verification import layers_to_verify
from mwork_eval.detection.verification import verify as verify_layout
from mwork_eval.errors import InputError
from mwork_eval.interventions.running import alone_with
from mwork_eval.models.architectures import is_covered
from mwork_eval.models.description import LayerPart, describe_layers
from mwork_eval.models.inspection import Inspection, bytes_of, inspect_loaded, inspect_model
from mwork_eval.models.loading import load_model, name_of
from mwork_eval.models.modes import evaluation_mode
from mwork_eval.neurons.shape import ModelShape


@dataclass(frozen=True, repr=False)
class ModelInspection:
    """What a model is.

    Attributes:
        name: Its name.
        family: Name of its architecture.
        shape: Its neuron counts: `layers`, and `sizes` by layer and structure.
        parts: What was found in the layers: `what` it is in words, and in which `layers`.
        fused: Structures that share a matrix with another one, such as `q+k+v`.
        parameters: Number of parameters, tied ones once.
        dtype: The dtype of its weights, or that its configuration names.
        quantised: How its weights are quantised, or None.
        loaded: Whether its weights were looked at, and not its configuration alone.
        covered: Whether the project's tests cover the architecture. Others are verified before they are scored.
        verification: What zeroing neurons showed, or None if that was not asked for.
        masks: What masks by weights and by activations showed, or None.
    """

    name: str
    family: str
    shape: ModelShape
    parts: tuple[LayerPart, ...]
    fused: tuple[str, ...]
    parameters: int
    dtype: str
    quantised: str | None
    loaded: bool
    covered: bool
    verification: Verification | None = None
    masks: MaskCheck | None = None

    def weight_bytes(self, dtype: str) -> int:
        """Return the memory of the weights in a dtype, those of float32 for one that is not known."""
        return bytes_of(self.parameters, dtype)

    @property
    def agrees(self) -> bool | None:
        """Whether what was read was proven; None if that was not asked for."""
        if self.verification is None or self.masks is None:
            return None
        return self.verification.agrees and self.masks.agrees

    def check(self) -> None:
        """Check that what was read is so, as far as that was asked for.

        Raises:
            InputError: If not; names the layer and the structure that are farthest off.
        """
        if self.verification is not None:
            self.verification.check(self.name)
        if self.masks is not None:
            self.masks.check(self.name)

    def __repr__(self) -> str:
        counts = f"{self.family}, {self.shape.layers} layers, {self.shape.switches:,} neurons"
        said = {None: "", True: "; read as it is", False: "; not read as it is"}[self.agrees]
        return f"<ModelInspection of {self.name}: {counts}{said}>"


def inspect(
    model: Any,
    tokenizer: Any = None,
    *,
    verify: bool = False,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    progress: ProgressChoice = None,
) -> ModelInspection:
    """Say what layers, structures and neurons a model has; with ``verify`` prove it on its weights.

    Of a model given by its name, the configuration alone is read, and with ``verify`` it is loaded. To verify, some
    neurons of every structure in some layers are zeroed in the weights, one by one; what that changes must be what
    their scores say. A model in memory is as before afterwards, bit by bit.

    Args:
        model: A causal language model of transformers in memory, or the name of one.
        tokenizer: Its tokenizer; that of its name if not given. Without one, random tokens are the text.
        verify: Whether to verify what was read.
        device: Where a model is loaded to; the next ones too are as of `load_model`.
        dtype: What it is loaded as.
        revision: Which of the hub's it is.
        trust_remote_code: Run the code that the model brings, if it brings some.
        progress: Where progress goes: bars if not given, nothing with False, or a `Progress`.

    Returns:
        What was found. If it was verified and is not so, the result says it; `check` makes an error of it.

    Raises:
        InputError: If there is no such model, its architecture is not understood, it brings code of its own that is
            not to be run, or its weights are to be verified and are packed or offloaded.

    Examples:
        >>> import mwork_eval as mw
        >>> mw.inspect("models/tiny-llama")
        <ModelInspection of models/tiny-llama: llama, 4 layers, 320 neurons>
        >>> mw.inspect("models/tiny-llama", verify=True, device="cpu", progress=False)
        <ModelInspection of models/tiny-llama: llama, 4 layers, 320 neurons; read as it is>
    """
    verify = flag_of("verify", verify)
    trusted = flag_of("trust_remote_code", trust_remote_code)
    say = shown(progress)
    if isinstance(model, str | Path):
        name = str(model)
        if not verify:
            return _described(inspect_model(name, revision, trust_remote_code=trusted))
        loaded = load_model(
            name,
            device=None if device is None else str(device),
            dtype=dtype_name(dtype),
            revision=revision,
            trust_remote_code=trusted,
            needs_tokenizer=False,
        )
        return _verified(inspect_loaded(name, loaded.model), tokenizer or loaded.tokenizer, say)
    check_is_model(model)
    loading = {"device": device, "dtype": dtype, "revision": revision}
    if given := [name for name, value in loading.items() if value is not None]:
        raise InputError(
            "a model in memory stays as it is", found=" ".join(given), expected="these for a model given by its name"
        )
    found = inspect_loaded(name_of(model), model)
    if not verify:
        return _described(found)
    with alone_with(found.layout.model), evaluation_mode(found.layout.model):
        return _verified(found, tokenizer, say)


def _described(
    found: Inspection, verification: Verification | None = None, masks: MaskCheck | None = None
) -> ModelInspection:
    layout = found.layout
    return ModelInspection(
        found.name,
        layout.family,
        layout.shape,
        tuple(describe_layers(layout)),
        tuple(found.fused),
        found.parameters,
        found.dtype,
        found.quantised,
        layout.in_memory,
        is_covered(layout.model_type),
        verification,
        masks,
    )


def _verified(found: Inspection, tokenizer: Any, progress: Progress) -> ModelInspection:
    layout = found.layout
    ids, layers = tokens_to_try(layout, tokenizer), layers_to_verify(layout)
    with progress.bar("verify", len(layers) + 1) as advance:
        verification = verify_layout(layout, ids, layers=layers, advance=lambda label, n: advance(label, n))
        masks = check_masks(layout, ids, layers)
        advance("masks", 1)
    return _described(found, verification, masks)
