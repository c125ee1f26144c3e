"""Steps of `mwork ablate` alone: compute cells on a cluster, and say what a matrix would cost."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mwork_eval.cli.matrix_progress import has_report, matrix_progress, tell
from mwork_eval.errors import InputError

if TYPE_CHECKING:
    from mwork_eval.lm.model import MworkHF
    from mwork_eval.matrix.options import MatrixOptions
    from mwork_eval.neurons.neuron_set import NeuronSet


def check_engine(engine: str, workers: int | None) -> None:
    """Fail before a model loads if Ray is not installed, or if only Ray could do what is asked."""
    if engine != "ray" and workers is not None:
        raise InputError("--workers is for --engine ray", found=f"--engine {engine}")
    if engine == "ray" and importlib.util.find_spec("ray") is None:
        raise InputError("--engine ray needs the extra ray", hint="pip install 'mwork-eval[ray]'")


def ablate_sets_with_ray(
    load: "Callable[[], MworkHF]",
    model_name: str,
    sets: "dict[str, NeuronSet]",
    options: "MatrixOptions",
    folder: Path,
    shard: tuple[int, int],
    workers: int | None,
) -> bool:
    """Compute the cells of a matrix that are not on disk yet, with models in the workers of a Ray cluster.

    Returns:
        Whether there is a report to show.
    """
    from mwork_eval.matrix.manifest import record_matrix
    from mwork_eval.matrix.planning import plan_matrix
    from mwork_eval.matrix.ray_engine import RayEngine, ray_cluster

    with ray_cluster():
        engine = RayEngine(load, model_name, workers, tell)
        plan = plan_matrix(engine.facts, sets, options)
        record_matrix(folder, engine.facts, sets, options, plan)
        with matrix_progress(plan, folder, shard) as advance:
            engine.run(plan, folder, shard=shard, advance=advance, tell=tell)
        return has_report(plan, folder)


def print_matrix_estimate(
    model: str,
    revision: str | None,
    sets: "dict[str, NeuronSet]",
    options: "MatrixOptions",
    folder: Path,
    **asked: Any,
) -> None:
    """Print what a matrix would cost; reads configuration, tokenizer, sets and task data, no weights.

    Args:
        model: Name of the model.
        revision: Of a hub model, or None.
        sets: The neuron sets.
        options: The matrix.
        folder: The results folder; what is finished there need not be computed.
        **asked: The device and dtype asked for.
    """
    from rich.console import Console

    from mwork_eval.detection.estimate import measure_speed
    from mwork_eval.inference.budget import default_size
    from mwork_eval.matrix.estimate import estimate_matrix, plan_without_weights
    from mwork_eval.models.inspection import inspect_model
    from mwork_eval.models.loading import check_dtype, default_dtype, find_device, load_tokenizer
    from mwork_eval.terminal.estimates import print_matrix_cost

    inspection, device = inspect_model(model, revision), find_device(asked["device"])
    dtype = check_dtype(asked["dtype"]) or str(default_dtype(device)).removeprefix("torch.")
    name = inspection.dtype if dtype == "auto" else dtype
    plan, missing = plan_without_weights(inspection, sets, options, folder)
    cost = estimate_matrix(inspection, load_tokenizer(model, revision), plan, missing)
    speed, weights = measure_speed(device, name), inspection.weight_bytes(name)
    print_matrix_cost(cost, speed, weights, default_size(device), Console())
