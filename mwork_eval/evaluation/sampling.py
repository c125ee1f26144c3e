"""Which documents of a task are taken when not all of them are: an order, whose first ones are taken."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mwork_eval.errors import InputError
from mwork_eval.neurons.tuned_stages import TunedOn

EVEN = "even"
"""Spread evenly over the task, because neighbours are often about one text."""
FILE = "file"
"""As they come, which is how matrices of earlier versions took them."""

Order = str | int
"""`EVEN`, or the seed of a random order; manifests of earlier versions stand for `FILE`."""


@dataclass(frozen=True)
class Sample:
    """Which documents are taken.

    Attributes:
        limit: How many of each task, or None for all.
        order: The order whose first documents they are. Whatever its length, a shorter sample is part of a longer one.
        skip: By task name, the documents that are left out because stage boundaries were chosen on them.
        unwanted: Tells the documents that are left out wherever they are; None if there are none.
        limits: By task name, how many are taken where it is not ``limit``.
    """

    limit: int | None = None
    order: Order = EVEN
    skip: Mapping[str, TunedOn] | None = None
    unwanted: Callable[[Mapping[str, Any]], bool] | None = None
    limits: Mapping[str, int] = field(default_factory=dict)

    def choose(
        self, documents: Mapping[str, Sequence[Mapping[str, Any]]], items: Mapping[str, Sequence[str]]
    ) -> dict[str, list[int] | None]:
        """Choose documents of tasks that are one benchmark in several languages.

        Where the tasks share items, the same ones are chosen in every language, and one that is left out in one
        language is left out in all of them.

        Args:
            documents: By task name, all documents.
            items: By task name, what each document is: equal where one translates the other.

        Returns:
            By task name the indices, ascending; None for all.

        Raises:
            InputError: If no document of a task is left.
        """
        skip = self.skip or {}
        limits = {name: self.limits.get(name, self.limit) for name in documents}
        if {*limits.values()} == {None} and self.unwanted is None and not any(skip.get(name) for name in documents):
            return dict.fromkeys(documents)
        gone = {
            items[name][index]
            for name, of_task in documents.items()
            for index, document in enumerate(of_task if self.unwanted is not None else ())
            if self.unwanted is not None and self.unwanted(document)
        }
        for name in documents:
            tuned_on = skip.get(name, TunedOn())
            gone |= {*tuned_on.items, *items[name][: tuned_on.first]}
        chosen: dict[str, list[int] | None] = {}
        for name, of_task in _aligned(items, self.order).items():
            left = [index for index in of_task if items[name][index] not in gone]
            if not left:
                raise InputError(f"no document of {name} is left", found=f"{len(of_task)}, all of which are left out")
            chosen[name] = sorted(left[: limits[name]])
        return chosen


def document_order(total: int, order: Order) -> list[int]:
    """Return an order of ``total`` documents, every beginning of which is spread evenly, or random.

    The even order counts with its binary digits reversed (van der Corput 1935): 0, 1/2, 1/4, 3/4, 1/8, … of the whole.
    """
    if order == EVEN:
        digits = max(1, (total - 1).bit_length())
        reverse = (int(f"{number:0{digits}b}"[::-1], 2) for number in range(2**digits))
        return [index for index in reverse if index < total]
    return [int(index) for index in np.random.default_rng(int(order)).permutation(total)]


def _aligned(items: Mapping[str, Sequence[str]], order: Order) -> dict[str, list[int]]:
    """Return an order of each task's documents in which the items that all tasks share come first, alike."""
    shared = set.intersection(*map(set, items.values()))
    orders = {}
    for name, own in items.items():
        common = [index for index, item in enumerate(own) if item in shared]
        rest = [index for index, item in enumerate(own) if item not in shared]
        orders[name] = [part[place] for part in (common, rest) for place in document_order(len(part), order)]
    return orders
