"""What is done to a model in memory now: blocks one inside another, and the weights' fingerprint before the first."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mwork_eval.interventions.intervention import Intervention
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout, base_of
from mwork_eval.models.slice_editor import SliceEditor


@dataclass
class _Block:
    digest: str
    undo: SliceEditor
    ended: bool = False


@dataclass
class _Running:
    fingerprint: str | None = None
    blocks: list[_Block] = field(default_factory=list)
    # Reentrant: a block that was left open may be closed by the garbage collector while its thread has the lock.
    lock: threading.RLock = field(default_factory=threading.RLock)
    users: int = 0


_RUNNING: dict[int, _Running] = {}
"""By the id of a model that blocks run on. Not an attribute of it: a copy or a pickle made in a block would have it."""
_REGISTER = threading.RLock()
"""Held while records are found and dropped, never while a model is read or written: models do not wait for another."""


@contextmanager
def alone_with(model: Any) -> Iterator[None]:
    """Let no other thread work on a model, begin or end a block on it, or read its fingerprint, meanwhile.

    A thread may take it several times. Other models are not concerned. A block does not keep it: what another thread
    does in the meantime is done to the model with the block's neurons off.

    Args:
        model: The model, or what peft or torch.compile wraps around it.
    """
    with _record_of(id(base_of(model))):
        yield


@contextmanager
def _record_of(key: int) -> Iterator[_Running]:
    """Have the record of a model for oneself; it is kept while blocks run or somebody waits for it."""
    with _REGISTER:
        record = _RUNNING.setdefault(key, _Running())
        record.users += 1
    try:
        with record.lock:
            yield record
    finally:
        with _REGISTER:
            record.users -= 1
            if not record.users and not record.blocks:
                _RUNNING.pop(key, None)


@contextmanager
def running(layout: Layout, intervention: Intervention, fingerprint: str | None) -> Iterator[None]:
    """Intervene in a model during a block, and remember it until the model is as it was before.

    Blocks on one model may be one inside another. Where they end in another order than they began, each comes undone
    when those that began after it have ended, because they saved what it wrote. The same holds for blocks of several
    threads; each is begun and ended while no other thread does so on the same model.

    Args:
        layout: The model.
        intervention: What is done to it.
        fingerprint: That of the model's weights without interventions, as `fingerprint_without` gives it; taken
            with `alone_with` around both, or another thread may have begun a block in between.

    Raises:
        InputError: If the neurons cannot be changed.
    """
    key, digest = id(layout.model), intervention.digest
    with _record_of(key) as record:
        if not record.blocks:
            record.fingerprint = fingerprint
        block = _Block(digest, intervention.apply(layout))
        record.blocks.append(block)
    try:
        yield
    finally:
        with _record_of(key) as record:
            block.ended = True
            while record.blocks and record.blocks[-1].ended:
                record.blocks.pop().undo.close()


def running_on(model: Any) -> tuple[str, ...]:
    """Return the digests of the interventions that run on a model now, in the order in which they began."""
    with _record_of(id(base_of(model))) as record:
        return tuple(block.digest for block in record.blocks)


def fingerprint_without(model: Any) -> str:
    """Return the fingerprint of a model's weights as they are without the interventions that run on it now.

    Raises:
        InputError: If they cannot be read.
    """
    with _record_of(id(base_of(model))) as record:
        return record.fingerprint if record.blocks and record.fingerprint is not None else fingerprint_of(model)
