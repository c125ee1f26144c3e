"""What is done to a model in memory now: blocks one inside another, and the weights' fingerprint before the first."""

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
    fingerprint: str | None
    blocks: list[_Block] = field(default_factory=list)


_RUNNING: dict[int, _Running] = {}
"""By the id of a model that blocks run on. Not an attribute of it: a copy or a pickle made in a block would have it."""


@contextmanager
def running(layout: Layout, intervention: Intervention, fingerprint: str | None) -> Iterator[None]:
    """Intervene in a model during a block, and remember it until the model is as it was before.

    Blocks on one model may be one inside another. Where they end in another order than they began, each comes undone
    when those that began after it have ended, because they saved what it wrote.

    Args:
        layout: The model.
        intervention: What is done to it.
        fingerprint: That of the model's weights without interventions, as `fingerprint_without` gives it.

    Raises:
        InputError: If the neurons cannot be changed.
    """
    key = id(layout.model)
    blocks = _RUNNING.setdefault(key, _Running(fingerprint)).blocks
    try:
        block = _Block(intervention.digest, intervention.apply(layout))
        blocks.append(block)
        try:
            yield
        finally:
            block.ended = True
            while blocks and blocks[-1].ended:
                blocks.pop().undo.close()
    finally:
        if not blocks:
            _RUNNING.pop(key, None)


def running_on(model: Any) -> tuple[str, ...]:
    """Return the digests of the interventions that run on a model now, in the order in which they began."""
    found = _RUNNING.get(id(base_of(model)))
    return () if found is None else tuple(block.digest for block in found.blocks)


def fingerprint_without(model: Any) -> str:
    """Return the fingerprint of a model's weights as they are without the interventions that run on it now.

    Raises:
        InputError: If they cannot be read.
    """
    found = _RUNNING.get(id(base_of(model)))
    return fingerprint_of(model) if found is None or found.fingerprint is None else found.fingerprint
