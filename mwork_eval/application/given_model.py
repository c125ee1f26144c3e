"""A model as callers give it: in memory, or by a name that is loaded when all other input is known to be good."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mwork_eval.application.arguments import dtype_name
from mwork_eval.application.object_arguments import check_model
from mwork_eval.models.layout import uncompiled
from mwork_eval.models.loading import LoadedModel, load_model, load_tokenizer, name_of


class GivenModel:
    """A model in memory with its tokenizer, or one to load by name.

    Attributes:
        name: What files and reports call it.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any = None,
        *,
        device: str | None = None,
        dtype: Any = None,
        device_map: str | None = None,
        revision: str | None = None,
    ) -> None:
        """Take what a caller gave; nothing is loaded yet.

        Args:
            model: `gemma3-270m`, a local folder, a hub id, or a model in memory, which stays where and what it is.
            tokenizer: Its tokenizer; that of its name if not given.
            device: Of a model to load; the next ones too, as `load_model` takes them.
            dtype: See ``device``.
            device_map: See ``device``.
            revision: See ``device``.

        Raises:
            InputError: If a model in memory comes without tokenizer, or is none, or is to be loaded otherwise.
        """
        self._loading = {"device": device, "dtype": dtype_name(dtype), "device_map": device_map, "revision": revision}
        by_name = isinstance(model, str | Path)
        check_model(model, tokenizer, self._loading)
        self._tokenizer = tokenizer
        self._loaded = None if by_name else LoadedModel(name_of(model), uncompiled(model), tokenizer)
        self.name = str(model) if self._loaded is None else self._loaded.name

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer; the model need not be loaded for it.

        Raises:
            InputError: If it cannot be found or read.
        """
        if self._tokenizer is not None:
            return self._tokenizer
        return load_tokenizer(self.name, self._loading["revision"])

    def load(self, device: str | None = None) -> LoadedModel:
        """Return the model, loaded if need be.

        Args:
            device: Where to, if no device was given.

        Raises:
            InputError: If it cannot be found or read.
        """
        if self._loaded is None:
            chosen = self._loading | {"device": self._loading["device"] or device}
            self._loaded = replace(load_model(self.name, **chosen), tokenizer=self.tokenizer)
        return self._loaded
