"""Where the model of an evaluation comes from: memory, or a name under which it is loaded; lm-eval is quiet with it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mwork_eval.application.arguments import dtype_name, whole_number
from mwork_eval.application.object_arguments import check_model
from mwork_eval.errors import InputError
from mwork_eval.evaluation.quiet import quiet_lm_eval
from mwork_eval.lm.borrowed import borrowed
from mwork_eval.lm.model import MworkHF
from mwork_eval.matrix.loading import load_for_matrix
from mwork_eval.models.loading import name_of
from mwork_eval.models.random_states import kept_random_states
from mwork_eval.models.tokens import kept_tokenizer


@dataclass(frozen=True)
class NamedModel:
    """A model to be loaded.

    Attributes:
        name: `gemma3-270m`, a local folder, or a hub id.
        options: Arguments of `load_for_matrix`.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    in_memory = False

    def load(self) -> MworkHF:
        """Load it, unmasked, here or where this is sent to.

        Raises:
            InputError: If it cannot be loaded.
        """
        try:
            return load_for_matrix(self.name, **self.options)
        except TypeError as error:
            if "unexpected keyword argument" not in str(error):
                raise
            raise InputError(f"model {self.name} cannot be loaded", found=str(error)) from error

    @contextmanager
    def opened(self) -> Iterator[MworkHF]:
        """Load it for a block; the random number generators and a tokenizer in memory are as before in the end."""
        with quiet_lm_eval(), kept_random_states(), kept_tokenizer(self.options.get("tokenizer")):
            yield self.load()


@dataclass(frozen=True)
class ModelInMemory:
    """A model of the caller.

    Attributes:
        model: The model.
        tokenizer: Its tokenizer.
        options: Arguments of `borrowed`.
    """

    model: Any
    tokenizer: Any
    options: Mapping[str, Any] = field(default_factory=dict)
    in_memory = True

    @property
    def name(self) -> str:
        """The name it was loaded by, as far as it knows."""
        return name_of(self.model)

    @contextmanager
    def opened(self) -> Iterator[MworkHF]:
        """Use it for a block; it is as before in the end."""
        with quiet_lm_eval(), borrowed(self.model, self.tokenizer, **self.options) as lm:
            yield lm


ModelSource = NamedModel | ModelInMemory


def find_model(
    model: Any,
    tokenizer: Any = None,
    *,
    device: str | None = None,
    dtype: Any = None,
    device_map: str | None = None,
    revision: str | None = None,
    batch_size: int = 8,
    **options: Any,
) -> ModelSource:
    """Return where a model comes from.

    Args:
        model: A model of transformers, or the name of one.
        tokenizer: Its tokenizer; that of its name if not given.
        device: Where a model is loaded to; the first accelerator or the CPU if not given.
        dtype: What it is loaded as.
        device_map: How it is spread over devices.
        revision: Which of the hub's it is.
        batch_size: Requests at a time where lm-eval's own way is taken.
        **options: Further arguments of `MworkHF`.

    Raises:
        InputError: If a model in memory is to be loaded otherwise, is none, or has no tokenizer.
    """
    batch_size = whole_number("batch_size", batch_size, at_least=1)
    loading = {"device": device, "dtype": dtype_name(dtype), "device_map": device_map, "revision": revision}
    check_model(model, tokenizer, loading)
    if isinstance(model, str | Path):
        return NamedModel(str(model), {**loading, "tokenizer": tokenizer, "batch_size": batch_size, **options})
    return ModelInMemory(model, tokenizer, {"batch_size": batch_size, **options})
