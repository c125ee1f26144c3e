"""Say what a matrix would cost, before any weight is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import torch

from mwork_eval.application.engines import check_engine
from mwork_eval.application.matrix_arguments import MatrixArguments, Neurons, asked_of, prepare_matrix
from mwork_eval.application.model_source import ModelSource, find_model
from mwork_eval.detection.estimate import measure_speed
from mwork_eval.inference.budget import default_size
from mwork_eval.matrix.estimate import MatrixCost, estimate_matrix, plan_without_weights
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.models.inspection import inspect_model
from mwork_eval.models.loading import check_dtype, default_dtype, find_device
from mwork_eval.neurons.neuron_set import NeuronSet


@dataclass(frozen=True)
class MatrixEstimate:
    """What a matrix would cost on this machine.

    Attributes:
        cost: Cells, requests, tokens and operations.
        speed: Operations per second of a matrix product here; a model reaches about half of it.
        weights: Bytes of the model's weights.
        batch: Bytes a batch may hold beside them.
    """

    cost: MatrixCost
    speed: float
    weights: int
    batch: int

    @property
    def seconds(self) -> float:
        """How long it takes at most, at half of the speed."""
        return self.cost.operations / (self.speed / 2)


def batch_size(cost: MatrixCost, device: torch.device, dtype: str) -> int:
    """Return the bytes that a batch of a matrix may hold beside the weights."""
    return default_size(device, generating=getattr(torch, dtype, None) if cost.generates else None)


def estimate(
    model: str,
    neurons: Neurons | None = None,
    *,
    out: str | Path | None = None,
    device: str | None = None,
    dtype: str | None = None,
    revision: str | None = None,
    engine: str = "serial",
    workers: int | None = None,
    **matrix: Unpack[MatrixArguments],
) -> MatrixEstimate:
    """Estimate a matrix; reads configuration, tokenizer, sets and task data, and no weights.

    Args:
        model: Name of the model: `gemma3-270m`, a local folder, or a hub id.
        neurons: As `ablate` takes them.
        out: The results folder; what is finished there need not be computed.
        device: Where the model would be loaded to.
        dtype: What it would be loaded as.
        revision: Branch, tag or commit of a hub model.
        engine: What would compute.
        workers: Its number of workers.
        **matrix: The other arguments of `ablate` that are about the matrix.

    Raises:
        InputError: As `ablate` does before a model loads.
    """
    check_engine(engine, workers)
    source = find_model(model, revision=revision, model_args=matrix.get("model_args"))
    sets, options = prepare_matrix(neurons, **matrix)
    return estimate_prepared(source, sets, options, out=out, device=device, dtype=dtype)


def estimate_prepared(
    source: ModelSource,
    sets: Mapping[str, NeuronSet],
    options: MatrixOptions,
    *,
    out: str | Path | None,
    device: str | None,
    dtype: str | None,
) -> MatrixEstimate:
    """Estimate a matrix that is ready to be planned.

    Args:
        source: The model, given by its name.
        sets: The sets by language that presets share.
        options: The matrix.
        out: As in `estimate`; so are the next ones.
        device: See there.
        dtype: See there.

    Raises:
        InputError: As `estimate` does.
    """
    revision = source.loading.get("revision")
    options = asked_of(options, source)
    trusted = bool(source.model_args.get("trust_remote_code"))
    inspection, found = inspect_model(source.name, revision, trust_remote_code=trusted), find_device(device)
    dtype = check_dtype(dtype) or str(default_dtype(found)).removeprefix("torch.")
    name = inspection.dtype if dtype == "auto" else dtype
    plan, missing = plan_without_weights(inspection, sets, options, None if out is None else Path(out), name)
    cost = estimate_matrix(inspection, source.tokenizer, plan, missing)
    return MatrixEstimate(
        cost, measure_speed(found, name), inspection.weight_bytes(name), batch_size(cost, found, name)
    )
