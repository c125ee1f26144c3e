"""`mwork-vllm`: lm-eval's `vllm` model with neurons deactivated as vLLM loads the weights."""

import gc
from functools import cached_property
from typing import Any

from vllm import LLM

from mwork_eval.errors import InputError
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.lm.mask_arguments import MaskArguments, own_delta
from mwork_eval.lm.masked import Masked
from mwork_eval.lm.model_identity import identity_with_delta
from mwork_eval.lm.vllm.engine import ProvenEngine, probe_texts
from mwork_eval.lm.vllm.identity import digest_of_engine, engine_of
from mwork_eval.lm.vllm.start import arguments_for_machine, engine_arguments, not_started
from mwork_eval.lm.vllm.texts import TextsVLLM
from mwork_eval.lm.vllm.weights import EditableWeights, WeightState
from mwork_eval.models import default_model
from mwork_eval.models.loading import check_dtype, resolve_name
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.weight_deltas.delta import WeightDelta, check_base


class MworkVLLM(Masked, TextsVLLM):
    """lm-eval's `vllm` with every argument it has, and a mask.

    The weights (and biases) of the masked neurons become zero as vLLM reads them from the checkpoint, in every worker.
    For another mask vLLM reads them again; the engine stays. Each time it is proven that every one of them was met, and
    that the engine without a mask answers as it did before.
    """

    def __init__(
        self,
        pretrained: str = default_model.NAME,
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
        delta: str | None = None,
        double_bos: bool = False,
        dtype: str = "auto",
        revision: str | None = None,
        trust_remote_code: bool = False,
        **kwargs: Any,
    ) -> None:
        """Start an engine and deactivate neurons in it.

        Args:
            pretrained: `gemma3-270m`, a local folder, or a hub id.
            neurons: The set to deactivate, as `find_neurons` reads it; nothing is deactivated without.
            positions: Positions joined by `+` (`under+s-attn+s-ffn+gen`), or `all`.
            understanding_layers: Number of first layers that understand; if not given, what the set stores, else a
                quarter of all.
            generation_layers: Number of last layers that generate; likewise, else an eighth of all.
            random_control: A seed; deactivates as many random neurons of the same layers and structures instead.
            controls: What these are drawn from: `any` neurons outside the set, or only those `foreign` to the language.
            count: Deactivate only this many, those with the highest scores.
            intervention: What is done to them instead of deactivating: `scale:FACTOR`, as weights can hold it.
            force: Accept a set or a delta whose fingerprint is of other weights of the same sizes.
            delta: A delta of `mwork enhance`, put into the weights before anything is deactivated.
            double_bos: Score whole texts as lm-eval's `vllm` does: after a second BOS that counts as text.
            dtype: As in `vllm`.
            revision: As in `vllm`.
            trust_remote_code: As in `vllm`.
            **kwargs: Every other argument of `vllm`, and of vLLM's `LLM`.

        Raises:
            InputError: If the model or the set cannot be loaded or do not fit each other.
        """
        arguments = MaskArguments(
            neurons, positions, understanding_layers, generation_layers, random_control, controls, count, intervention
        )
        wanted, ours = arguments.found(), own_delta(delta)
        if wanted is not None:
            _ = arguments.done_to(wanted).factor  # raises where weights cannot hold it, before anything is read
        check_dtype(dtype)
        if delta is not None and ours is None:
            raise InputError("not a delta", found=delta, expected="a .safetensors file of trained values")
        self.model: Any = None
        self._engine: ProvenEngine | None = None
        self.model_name, self.double_bos = pretrained, double_bos
        self._weights = EditableWeights(pretrained, revision, trust_remote_code)
        self._adapter = kwargs.get("lora_local_path")
        if ours is not None:
            check_base(ours, self.fingerprint, pretrained, force=force)
        chosen = description = None
        if wanted is not None:
            some, description = arguments.chosen(wanted, self.shape, self.fingerprint, pretrained, force=force)
            chosen = arguments.done_to(some)
        state = self._state(ours, chosen)
        self._alone = int(kwargs.get("data_parallel_size") or 1) > 1
        self._given = {key: kwargs.get(key) for key in ("load_format", "model_loader_extra_config")}
        for more in (arguments_for_machine(kwargs), engine_arguments(kwargs, state, alone=self._alone)):
            kwargs |= more
        resolved = resolve_name(pretrained)
        loading: dict[str, Any] = {"dtype": dtype, "revision": revision, "trust_remote_code": trust_remote_code}
        try:
            super().__init__(resolved, **loading, **kwargs)
            self._engine = None if self._alone else self._proven(self.model, state)
        except InputError:
            self._end()
            raise
        except Exception as error:  # whatever vLLM, its workers and what they import raise
            raise not_started(pretrained, error) from error
        self.delta = ours
        if chosen is not None:
            self._masked_now(chosen, description)

    @property
    def shape(self) -> ModelShape:
        """Neuron counts.

        Raises:
            InputError: If the checkpoint is of no supported kind, such as a quantised one.
        """
        return self._weights.checkpoint.shape

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the checkpoint's weights, by which neuron sets know their model.

        Raises:
            InputError: If the checkpoint is of no supported kind.
        """
        return self._weights.checkpoint.fingerprint

    @property
    def dtype(self) -> str:
        """Type in which vLLM has the weights, as torch writes it."""
        return str(self.engine["dtype"])

    @cached_property
    def engine(self) -> dict[str, Any]:
        """What computes the answers: engine, version, dtype, quantisation and parallelism."""
        if self._alone:
            from vllm.engine.arg_utils import EngineArgs

            return engine_of(EngineArgs(**self.model_args).create_engine_config(), self.data_parallel_size)
        return engine_of(self.model.llm_engine.vllm_config, self.data_parallel_size)

    @property
    def identity(self) -> str:
        """Digest of what determines an answer besides the mask and the request: weights, engine, tokenizer, options."""
        base = digest_of_engine(self, self.fingerprint, self.engine)
        return base if self.delta is None else identity_with_delta(base, self.delta.digest)

    def get_model_info(self) -> dict[str, Any]:
        """Return what is masked, and which engine answers; lm-eval puts it into the results' config."""
        found = super().get_model_info()
        found["mwork"]["engine"] = self.engine
        return found

    def mask(self, what: Intervention | NeuronSet, description: dict[str, Any] | None = None) -> None:
        """Switch neurons off until `unmask`, in place of those that were off before.

        Args:
            what: The neurons.
            description: How they were chosen; goes into the results.

        Raises:
            InputError: If they are of another model, or vLLM does not read their weights; nothing is masked then.
            EngineFaultError: If the engine does not answer as it should after weights were loaded again.
        """
        intervention = what if isinstance(what, Intervention) else Intervention(what)
        state = self._state(self.delta, intervention)
        self.masked = None
        self._switchable().load(state, self._state(self.delta, None))
        self._masked_now(intervention, description)

    def unmask(self) -> None:
        """Load the weights as they were without a mask.

        Raises:
            EngineFaultError: If the engine does not answer as it did before.
        """
        if self.masked is None and self._alone:
            return
        self.masked = None
        self._switchable().load(self._state(self.delta, None))

    def put_delta(self, delta: WeightDelta | None, *, force: bool = False) -> None:
        """Put a delta into the weights, or take it out again; a mask is taken back first.

        Args:
            delta: The delta, or None for the base.
            force: Accept a delta of other weights of the same sizes.

        Raises:
            InputError: If the delta does not belong to this model.
            EngineFaultError: If the engine does not answer as it should after weights were loaded again.
        """
        if delta is not None:
            check_base(delta, self.fingerprint, self.model_name, force=force)
        state = self._state(delta, None)
        self.masked = self.delta = None
        self._switchable().load(state)
        self.delta = delta

    def close(self) -> None:
        """End the engine and its processes; nothing can be asked afterwards."""
        self._end()
        self._engine = self.masked = None

    def restart(self) -> None:
        """Start another engine in place of this one, without a mask; the way out of an `EngineFaultError`.

        Raises:
            InputError: If vLLM cannot.
        """
        self.masked = None
        self._switchable().restart(self._state(self.delta, None))

    def _started(self, state: WeightState) -> Any:
        """End the engine, if there is one, and start another one."""
        self._end()
        self.model_args |= engine_arguments(self._given, state, alone=False)
        try:
            self.model = LLM(**self.model_args)
        except Exception as error:  # whatever vLLM, its workers and what they import raise
            raise not_started(self.model_name, error) from error
        return self.model

    def _end(self) -> None:
        if self.model is not None:
            self.model.llm_engine.engine_core.shutdown()
        self.model = None
        if self._engine is not None:
            self._engine.llm = None
        gc.collect()

    def _proven(self, llm: Any, state: WeightState) -> ProvenEngine:
        short, longer = ([self.tok_encode(text)[: self.reads] for text in texts] for texts in probe_texts())
        return ProvenEngine(llm, state, self._started, (short, longer))

    def _switchable(self) -> ProvenEngine:
        if self._engine is None:
            if not self._alone:
                raise InputError("the engine is closed", hint="make the model anew")
            raise InputError(
                "lm-eval's data parallel starts engines anew for every call, which cannot change masks in between",
                found=f"data_parallel_size={self.data_parallel_size}",
                expected="tensor_parallel_size, or a process for each mask",
            )
        return self._engine

    def _state(self, delta: WeightDelta | None, intervention: Intervention | None) -> WeightState:
        if self._adapter and (delta is not None or intervention is not None):
            raise InputError(
                "a LoRA adapter would add to neurons that are switched off",
                found=f"lora_local_path={self._adapter}",
                hint="merge it into a checkpoint, and detect neurons there",
            )
        return self._weights.state(delta, intervention)

    def _masked_now(self, intervention: Intervention, description: dict[str, Any] | None) -> None:
        self.masked = {**(description or {}), **intervention.describe()}
        self.tell_of_mask(intervention)
