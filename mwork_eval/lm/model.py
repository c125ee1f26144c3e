"""`mwork-hf`: lm-eval's `hf` model with neurons deactivated at load."""

import logging
from functools import cached_property
from typing import Any

from mwork_eval.interventions.intervention import Intervention
from mwork_eval.interventions.running import fingerprint_without
from mwork_eval.lm.fast import FastHF
from mwork_eval.lm.mask_arguments import MaskArguments, own_delta
from mwork_eval.lm.masked import Masked
from mwork_eval.lm.model_identity import digest_of_answers, identity_with_delta, told_of_loading
from mwork_eval.models import default_model
from mwork_eval.models.layout import Layout, base_of
from mwork_eval.models.loading import check_dtype, default_dtype, find_device, model_not_loadable, resolve_name
from mwork_eval.models.slice_editor import SliceEditor
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.processes import join_processes
from mwork_eval.sizes import parse_size
from mwork_eval.weight_deltas.delta import WeightDelta, apply_delta, check_base

log = logging.getLogger(__name__)


class MworkHF(Masked, FastHF):
    """lm-eval's `hf` with every argument it has, and a mask.

    The weights (and biases) of the masked neurons are set to zero when the model is loaded and stay zero for
    the life of the object, unless `unmask` is called. Where weights cannot be written (4-bit, 8-bit, offloaded)
    the neurons' activations are zeroed instead. Without ``neurons`` the scores are those of `hf`, except where it
    begins a text twice or cannot go on (docs/decisions/0007-one-beginning.md).

    Attributes:
        in_memory: Whether the model was given as an object, which keeps its adapters.
        loaded_with: What it was loaded with that may change answers and cannot be seen on it.
    """

    def __init__(
        self,
        pretrained: Any = default_model.NAME,
        *,
        neurons: str | None = None,
        positions: str = "all",
        understanding_layers: int | None = None,
        generation_layers: int | None = None,
        random_control: int | None = None,
        controls: str = "any",
        count: int | None = None,
        intervention: str = "zero",
        force: bool = False,
        fast: bool = True,
        memory: int | str | None = None,
        delta: str | None = None,
        double_bos: bool = False,
        device: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        """Load a model and deactivate neurons in it.

        Args:
            pretrained: `gemma3-270m`, a local folder, a hub id, or a loaded model.
            neurons: The set to deactivate, as `find_neurons` reads it; nothing is deactivated without.
            positions: Positions joined by `+` (`under+s-attn+s-ffn+gen`), or `all`.
            understanding_layers: Number of first layers that understand; if not given, what the set stores, else a
                quarter of all.
            generation_layers: Number of last layers that generate; likewise, else an eighth of all.
            random_control: A seed; deactivates as many random neurons of the same layers and structures instead.
            controls: What these are drawn from: `any` neurons outside the set, or only those `foreign` to the language.
            count: Deactivate only this many, those with the highest scores.
            intervention: What is done to them instead of deactivating: `scale:FACTOR`, `mean`, `towards:LANGUAGE` or
                `residual:LANGUAGE`, as the how-to on interventions explains.
            force: Accept a set whose fingerprint is of other weights of the same sizes.
            fast: Whether to compute faster than `hf` where the scores stay the same.
            memory: What a batch may then hold beside the weights, in bytes or as `512MiB`; by default 128 MiB on a
                CPU, 640 MiB for generation in float32, a quarter of the free memory of an accelerator.
            delta: A delta of `mwork enhance` (a `.safetensors` file), put into the weights before anything is
                deactivated; anything else is `hf`'s argument of this name.
            double_bos: Score whole texts (bits per byte, perplexities) as `hf` does where the tokenizer begins texts
                with BOS itself: after a second BOS that counts as text. Only to compare with numbers of `hf`.
            device: As in `hf`; the first accelerator or the CPU if not given.
            dtype: As in `hf`; float32 instead of `auto` on a CPU that only emulates bfloat16.
            **kwargs: Every other argument of `hf`.

        Raises:
            InputError: If the model or the set cannot be loaded or do not fit each other.
        """
        arguments = MaskArguments(
            neurons, positions, understanding_layers, generation_layers, random_control, controls, count, intervention
        )
        wanted = arguments.found()
        check_dtype(dtype if isinstance(dtype, str) else None)
        self.model_name = pretrained if isinstance(pretrained, str) else getattr(pretrained, "name_or_path", "model")
        in_memory = not isinstance(pretrained, str)
        ours = own_delta(delta)
        if delta is not None and ours is None:
            kwargs["delta"] = delta
        loaded_with = {} if in_memory else told_of_loading(kwargs)
        if isinstance(pretrained, str):
            pretrained = resolve_name(pretrained)
            device = str(find_device(device, fall_back=True))
            if dtype is None:
                dtype = default_dtype(device)
                if dtype != "auto":
                    log.warning("dtype is float32: this CPU only emulates bfloat16; set dtype to change it")
            kwargs |= {"device": device, "dtype": dtype}
            join_processes()
        try:
            super().__init__(pretrained, **kwargs)
        except (OSError, ValueError) as error:
            raise model_not_loadable(self.model_name, error) from error
        accelerator = getattr(self, "accelerator", None)
        if accelerator is not None:
            # `hf` takes the number within the machine, and shares documents only where it sees several GPUs.
            self._rank, self._world_size = accelerator.process_index, accelerator.num_processes
        self.double_bos = double_bos
        self.in_memory, self.loaded_with = in_memory, loaded_with
        self.fast, self.memory = fast, parse_size(str(memory), "memory") if memory is not None else None
        self._model: Any
        self._undo_mask = SliceEditor()
        self._layout: Layout | None = None
        self._fingerprint: str | None = None
        self._before_delta = SliceEditor()
        if ours is not None:
            self.put_delta(ours, force=force)
        if wanted is not None:
            named = self.model_name
            some, description = arguments.chosen(wanted, self.layout.shape, self.fingerprint, named, force=force)
            self.mask(arguments.done_to(some), description)

    @property
    def layout(self) -> Layout:
        """The model's layers and structures.

        An adapter that `peft=` names is merged first, so that a mask reaches it too. One on a model that was in memory
        already stays as it is: there the neurons beneath it are masked in their activations.

        Raises:
            InputError: If the family is not supported.
        """
        if self._layout is None:
            if not self.in_memory and hasattr(self._model, "merge_and_unload"):
                log.warning("the PEFT adapter is merged into the weights so that masked neurons lose it too")
                self._model = self._model.merge_and_unload()
            self._layout = Layout.of(self.model)
        return self._layout

    @property
    def shape(self) -> ModelShape:
        """Neuron counts.

        Raises:
            InputError: If the family is not supported.
        """
        return self.layout.shape

    @property
    def dtype(self) -> str:
        """Type of the weights, as torch writes it."""
        return str(self.model.dtype)

    @property
    def engine(self) -> dict[str, Any]:
        """What computes the answers: nothing but transformers, of which results say nothing."""
        return {}

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the unmasked weights, without a delta, so that the base's neuron sets fit.

        Raises:
            InputError: If weights are offloaded.
        """
        if self._fingerprint is None:
            # The name by which detection knows a model in memory, which is that of its layers with their adapters.
            self._fingerprint = fingerprint_without(base_of(self.model) if self.in_memory else self.model)
        return self._fingerprint

    @property
    def identity(self) -> str:
        """Digest of what determines an answer besides the mask and the request: weights, dtype, tokenizer, options.

        Raises:
            InputError: If weights are offloaded.
        """
        base = self._base_identity
        return base if self.delta is None else identity_with_delta(base, self.delta.digest)

    @cached_property
    def _base_identity(self) -> str:
        return digest_of_answers(self, self.fingerprint, self._rotary())

    def put_delta(self, delta: WeightDelta | None, *, force: bool = False) -> None:
        """Put a delta into the weights, or take it out again, bit by bit; a mask is taken back first.

        Args:
            delta: The delta, or None for the base.
            force: Accept a delta of other weights of the same sizes.

        Raises:
            InputError: If the delta does not belong to this model.
        """
        self.unmask()
        self._before_delta.close()
        self.delta = None
        self.forget()
        if delta is not None:
            check_base(delta, self.fingerprint, self.model_name, force=force)
            self._before_delta, self.delta = apply_delta(self.layout, delta), delta

    def mask(self, what: Intervention | NeuronSet, description: dict[str, Any] | None = None) -> None:
        """Intervene for the life of the object or until `unmask`; replaces an earlier mask.

        Args:
            what: The intervention; of a set of neurons, to switch them off.
            description: How the neurons were chosen; goes into the results.
        """
        intervention = what if isinstance(what, Intervention) else Intervention(what)
        self.unmask()
        _ = self.fingerprint  # must be taken before the weights change
        self._undo_mask = intervention.apply(self.layout)
        self.masked = {**(description or {}), **intervention.describe(self.layout)}
        self.tell_of_mask(intervention)

    def unmask(self) -> None:
        """Bring the weights back, bit-identical."""
        self._undo_mask.close()
        self.masked = None
