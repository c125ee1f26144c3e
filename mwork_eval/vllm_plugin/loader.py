"""The model loader `mwork` of vLLM: the default one, with a checkpoint's tensors edited as they stream by.

Names and shapes are still the checkpoint's there, before vLLM shards, fuses, quantises or packs anything. So an edit
holds under every kind of parallelism, each worker making it to what it is brought.
"""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from vllm.config import ModelConfig
from vllm.config.load import LoadConfig
from vllm.model_executor.model_loader.default_loader import DefaultModelLoader

from mwork_eval.vllm_plugin.names import SETTING
from mwork_eval.vllm_plugin.proof import check_reports
from mwork_eval.vllm_plugin.stream import Report, edited

_REPORT = "mwork_report_of_load"
"""Attribute of a model: the report of its last load. A draft model has its own."""


class MworkLoader(DefaultModelLoader):  # type: ignore[misc]
    """Loads as vLLM's default loader, and edits what it is told to.

    Its entry in `model_loader_extra_config` has `edits`, the plain values of `vllm_plugin.wire`; `format`, the
    `load_format` of the files; and `alone`, whether nobody asks for reports, so that it checks what it met itself.
    """

    def __init__(self, load_config: LoadConfig) -> None:
        others = dict(load_config.model_loader_extra_config)
        self._setting: dict[str, Any] = others.pop(SETTING, {})
        form = self._setting.get("format", "safetensors")
        super().__init__(replace(load_config, load_format=form, model_loader_extra_config=others))

    def get_all_weights(
        self, model_config: ModelConfig, model: nn.Module
    ) -> Generator[tuple[str, torch.Tensor], None, None]:
        """Yield the tensors of the checkpoint, edited.

        A draft model, which only proposes tokens that the model itself accepts, is left as it is: its names may be
        those of the model's own tensors.

        Raises:
            InputError: If it checks itself, and an edit was not made.
        """
        stream = super().get_all_weights(model_config, model)
        if model_config.runner_type == "draft":
            yield from stream
            return
        sent = self._setting.get("edits", {})
        report: Report = {}
        vars(model)[_REPORT] = report
        yield from edited(stream, sent, report)
        if self._setting.get("alone"):
            check_reports(sent, [report])


def report_of(model: nn.Module) -> Report | None:
    """Return what the last load of a model met, or None if it was not loaded by `MworkLoader`."""
    found: Report | None = vars(model).get(_REPORT)
    return found
