"""The engines that compute a matrix, by name; the command line reads them, so nothing heavy is imported here."""

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mwork_eval.errors import InputError

if TYPE_CHECKING:
    from mwork_eval.application.model_source import ModelSource
    from mwork_eval.matrix.engine import Engine

Tell = Callable[[str], Any]
"""Takes a message."""


@dataclass(frozen=True)
class EngineRow:
    """What there is to know of an engine before it starts.

    Attributes:
        start: Takes the model, a number of workers or None, and where messages go; the engine is ready in the block.
        extra: The package it needs, which is the name of the extra, too; None if it needs none.
        has_workers: Whether the number of workers can be chosen.
        takes_memory: Whether it can use a model in memory.
    """

    start: "Callable[[ModelSource, int | None, Tell], AbstractContextManager[Engine]]"
    extra: str | None = None
    has_workers: bool = False
    takes_memory: bool = False


@contextmanager
def _in_this_process(model: "ModelSource", workers: int | None, tell: Tell) -> "Iterator[Engine]":
    from mwork_eval.matrix.serial_engine import SerialEngine

    with model.opened() as lm:
        yield SerialEngine(lm, model.name)


@contextmanager
def _on_ray(model: "ModelSource", workers: int | None, tell: Tell) -> "Iterator[Engine]":
    from mwork_eval.matrix.ray_engine import RayEngine, ray_cluster

    if model.in_memory:
        raise AssertionError("check_engine refuses models in memory")
    with ray_cluster():
        yield RayEngine(model.load_lm, model.name, workers, tell)


@contextmanager
def _on_vllm(model: "ModelSource", workers: int | None, tell: Tell) -> "Iterator[Engine]":
    from mwork_eval.matrix.vllm_engine import VllmEngine

    with model.opened_by_vllm() as lm:
        yield VllmEngine(lm, model.name)


ENGINES = {
    "serial": EngineRow(_in_this_process, takes_memory=True),
    "ray": EngineRow(_on_ray, extra="ray", has_workers=True),
    "vllm": EngineRow(_on_vllm, extra="vllm"),
}


def check_engine(name: str, workers: int | None = None, *, in_memory: bool = False) -> None:
    """Fail before a model loads if an engine is unknown or not installed, or cannot do what is asked.

    Args:
        name: Name of the engine.
        workers: Number of workers, or None.
        in_memory: Whether the model is in memory.

    Raises:
        InputError: Says what is wrong.
    """
    if name not in ENGINES:
        raise InputError("unknown engine", found=repr(name), expected=f"one of {' '.join(ENGINES)}")
    row = ENGINES[name]
    if workers is not None and not row.has_workers:
        others = " or ".join(other for other, of_other in ENGINES.items() if of_other.has_workers)
        raise InputError(f"`workers` is for `engine={others}`", found=f"`engine={name}`")
    if row.extra is not None and importlib.util.find_spec(row.extra) is None:
        raise InputError(f"`engine={name}` needs the extra {row.extra}", hint=f"pip install 'mwork-eval[{row.extra}]'")
    if in_memory and not row.takes_memory:
        raise InputError(
            f"the workers of {name} load the model themselves", found="a model in memory", expected="its name"
        )


def start_engine(name: str, model: "ModelSource", workers: int | None, tell: Tell) -> "AbstractContextManager[Engine]":
    """Start an engine for a block.

    Args:
        name: Name of the engine, as `check_engine` takes it.
        model: The model.
        workers: Number of workers, or None.
        tell: Called with messages.
    """
    return ENGINES[name].start(model, workers, tell)
