"""Where a model comes from: memory, or a name by which it is loaded when all other input is known to be good."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from mwork_eval.application.arguments import dtype_name, whole_number
from mwork_eval.application.model_args import model_args_of
from mwork_eval.application.object_arguments import check_model
from mwork_eval.errors import InputError
from mwork_eval.evaluation.prompting import Prompting
from mwork_eval.evaluation.quiet import quiet_lm_eval
from mwork_eval.interventions.running import alone_with
from mwork_eval.lm.borrowed import borrowed
from mwork_eval.lm.model import MworkHF
from mwork_eval.matrix.loading import load_for_matrix
from mwork_eval.models.layout import uncompiled
from mwork_eval.models.loading import LoadedModel, load_model, load_tokenizer, name_of
from mwork_eval.models.random_states import kept_random_states
from mwork_eval.models.tokens import kept_tokenizer

if TYPE_CHECKING:
    from mwork_eval.lm.vllm.entry import MworkVLLM

_OF_TOKENIZERS = {
    "trust_remote_code": "trust_remote_code",
    "use_fast_tokenizer": "use_fast",
    "add_bos_token": "add_bos_token",
    "subfolder": "subfolder",
    "gguf_file": "gguf_file",
}
"""Arguments of `hf` that its tokenizer is loaded with, and what they are called there."""


@dataclass(frozen=True)
class ModelSource:
    """A model of the caller, or one to be loaded; made by `find_model`.

    Attributes:
        model: The model; or `gemma3-270m`, a local folder, or a hub id.
        own_tokenizer: The caller's tokenizer; None for that of the name.
        loading: How a model is loaded: `device`, `dtype`, `device_map` and `revision`; None for what is not said.
        options: Arguments of `MworkHF` that are about neither loading nor masks.
        model_args: Its further arguments, of the user's.
    """

    model: Any
    own_tokenizer: Any = None
    loading: Mapping[str, str | None] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    model_args: Mapping[str, Any] = field(default_factory=dict)

    @property
    def in_memory(self) -> bool:
        """Whether the model is the caller's; then it stays where and what it is."""
        return not isinstance(self.model, str | Path)

    @property
    def name(self) -> str:
        """What files and reports call it; of a model in memory the name it was loaded by, as far as it knows."""
        return name_of(self.model) if self.in_memory else str(self.model)

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer; the model need not be loaded for it.

        Raises:
            InputError: If it cannot be found or read.
        """
        if self.own_tokenizer is not None:
            return self.own_tokenizer
        given = self.model_args
        options = {
            name: given[argument] for argument, name in _OF_TOKENIZERS.items() if given.get(argument) not in (None, "")
        }
        return load_tokenizer(str(given.get("tokenizer") or self.name), self.loading.get("revision"), **options)

    def asking(self, prompting: Prompting) -> Prompting:
        """Return a way of asking with the chat template of this model's tokenizer, if it has one to apply.

        Raises:
            InputError: If the tokenizer cannot be read, or has no such template.
        """
        if not prompting.apply_chat_template:
            return prompting
        thinking = self.model_args.get("enable_thinking")
        arguments = dict(self.model_args.get("chat_template_args") or {})
        return prompting.with_tokenizer(
            self.tokenizer, arguments | ({} if thinking is None else {"enable_thinking": thinking})
        )

    def load(self, device: str | None = None) -> LoadedModel:
        """Return the model itself, loaded if need be.

        Args:
            device: Where to, if no device was given.

        Raises:
            InputError: If it cannot be found or read.
        """
        if self.in_memory:
            return LoadedModel(self.name, uncompiled(self.model), self.tokenizer)
        if self.model_args:
            with quiet_lm_eval():
                lm = self.load_lm(device)
            return LoadedModel(self.name, lm.layout.model.eval(), self.tokenizer)
        chosen: dict[str, Any] = {**self.loading, "device": self.loading["device"] or device}
        return replace(load_model(self.name, **chosen), tokenizer=self.tokenizer)

    def load_lm(self, device: str | None = None) -> MworkHF:
        """Load what lm-eval evaluates, by name, unmasked, here or where this is sent to.

        Args:
            device: Where to, if no device was given.

        Raises:
            InputError: If it cannot be loaded.
        """
        try:
            given: dict[str, Any] = {**self.loading, "tokenizer": self.own_tokenizer, **self.options, **self.model_args}
            return load_for_matrix(self.name, **{**given, "device": given.get("device") or device})
        except InputError as error:
            if not self.model_args:
                raise
            raise InputError(str(error), hint=_hint(self.model_args)) from error
        except (TypeError, ImportError, AssertionError, RuntimeError) as error:
            # What libraries raise where they cannot do what is asked of them: quantise here, attend in that way.
            unknown = "unexpected keyword argument" in str(error)
            if isinstance(error, torch.OutOfMemoryError) or not (unknown or self.model_args):
                raise
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise InputError(
                f"model {self.name} cannot be loaded", found=reason, hint=_hint(self.model_args)
            ) from error

    @contextmanager
    def opened(self) -> Iterator[MworkHF]:
        """Have what lm-eval evaluates for a block, quietly.

        A model in memory, a tokenizer in memory and the random number generators are as before in the end. No other
        thread works on a model in memory meanwhile.
        """
        with quiet_lm_eval():
            if self.in_memory:
                with borrowed(self.model, self.own_tokenizer, **self.options, **self.model_args) as lm:
                    yield lm
            else:
                with kept_random_states(), kept_tokenizer(self.own_tokenizer):
                    yield self.load_lm()

    @contextmanager
    def opened_by_vllm(self) -> Iterator["MworkVLLM"]:
        """Have an engine of vLLM with the model for a block, unmasked, quietly.

        Raises:
            InputError: If vLLM cannot load it, or is told what it decides itself.
        """
        given: dict[str, Any] = {name: value for name, value in self.loading.items() if value is not None}
        if told := sorted(given.keys() & {"device", "device_map"}):
            raise InputError(
                "vLLM places a model itself",
                found=" ".join(f"`{name}`" for name in told),
                expected="none; tensor_parallel_size=N among `model_args` spreads it over accelerators",
            )
        if self.model_args.get("data_parallel_size") not in (None, 1, "1"):
            raise InputError(
                "lm-eval's data parallel starts engines anew for every task",
                found=f"data_parallel_size={self.model_args['data_parallel_size']}",
                expected="tensor_parallel_size, or a process for each `shard`",
            )
        from mwork_eval.lm.vllm.entry import MworkVLLM

        with quiet_lm_eval(), kept_random_states():
            lm = MworkVLLM(self.name, **given, **self.model_args)
            try:
                yield lm
            finally:
                lm.close()

    def alone(self) -> AbstractContextManager[None]:
        """Let no other thread work on a model in memory during a block; one that is loaded is nobody else's."""
        return alone_with(self.model) if self.in_memory else nullcontext()


def find_model(
    model: Any,
    tokenizer: Any = None,
    *,
    device: str | None = None,
    dtype: Any = None,
    device_map: str | None = None,
    revision: str | None = None,
    batch_size: int = 8,
    model_args: Mapping[str, Any] | None = None,
    **options: Any,
) -> ModelSource:
    """Return where a model comes from; nothing is loaded yet.

    Args:
        model: A model of transformers, or the name of one.
        tokenizer: Its tokenizer; that of its name if not given.
        device: Where a model is loaded to; the first accelerator or the CPU if not given.
        dtype: What it is loaded as.
        device_map: How it is spread over devices.
        revision: Which of the hub's it is.
        batch_size: Requests at a time where lm-eval's own way is taken.
        model_args: Further arguments of `mwork-hf`, of the user's.
        **options: Further arguments of `MworkHF`.

    Raises:
        InputError: If a model in memory is to be loaded otherwise, is none, or has no tokenizer.
    """
    batch_size = whole_number("batch_size", batch_size, at_least=1)
    loading = {"device": device, "dtype": dtype_name(dtype), "device_map": device_map, "revision": revision}
    check_model(model, tokenizer, loading)
    in_memory = not isinstance(model, str | Path)
    further = model_args_of(model_args, in_memory=in_memory, tokenizer=tokenizer)
    return ModelSource(model, tokenizer, loading, {"batch_size": batch_size, **options}, further)


def _hint(model_args: Mapping[str, Any]) -> str | None:
    return f"look at `model_args`: {' '.join(sorted(model_args))}" if model_args else None
