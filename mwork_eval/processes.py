"""The processes that a launcher started together: `accelerate launch`, torchrun or mpirun."""

import atexit
import os
from typing import Any

import torch

_SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


def join_processes() -> Any | None:
    """Join the processes that a launcher started, over gloo where there is no accelerator.

    Returns:
        accelerate's `PartialState`, or None if this process is alone.
    """
    if max(int(os.environ.get(name) or 1) for name in _SIZES) < 2:
        return None
    from accelerate import PartialState

    # Left to itself, accelerate takes every process on a CPU for the only one.
    state = PartialState(cpu=not torch.accelerator.is_available())
    atexit.register(_leave_processes)
    return state


def process_count() -> int:
    """Return the number of processes that have joined; 1 if this one is alone."""
    return torch.distributed.get_world_size() if _joined() else 1


def is_first_process() -> bool:
    """Say whether this process writes files and prints."""
    return not _joined() or torch.distributed.get_rank() == 0


def wait_for_processes() -> None:
    """Wait until all processes that have joined are here."""
    if _joined():
        torch.distributed.barrier()


def _joined() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _leave_processes() -> None:
    """Close the connections while Python still runs: gloo's threads abort a process that ends with them open."""
    if _joined():
        torch.distributed.destroy_process_group()
