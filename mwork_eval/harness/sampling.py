"""Which documents of a task are taken when not all of them are: an order, whose first ones are taken."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mwork_eval.errors import InputError

EVEN = "even"
"""Spread evenly over the task, because neighbours are often about one text."""
FILE = "file"
"""As they come, which is how stage boundaries were tuned before documents were spread."""

Order = str | int
"""`EVEN`, `FILE`, or the seed of a random order."""


@dataclass(frozen=True)
class Sample:
    """Which documents are taken.

    Attributes:
        limit: How many of each task, or None for all.
        order: The order whose first documents they are. Whatever its length, a shorter sample is part of a longer one.
        skip: By task name, what is left out: first documents of orders, each as their number and the order.
        unwanted: Tells the documents that are left out wherever they are; None if there are none.
    """

    limit: int | None = None
    order: Order = EVEN
    skip: Mapping[str, Collection[tuple[int, Order]]] | None = None
    unwanted: Callable[[Mapping[str, Any]], bool] | None = None

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
        if self.limit is None and self.unwanted is None and not any(skip.get(name) for name in documents):
            return dict.fromkeys(documents)
        gone = {
            items[name][index]
            for name, of_task in documents.items()
            for index, document in enumerate(of_task if self.unwanted is not None else ())
            if self.unwanted is not None and self.unwanted(document)
        }
        for count, order in {part for name in documents for part in skip.get(name, ())}:
            orders = _aligned(items, order)
            gone |= {items[name][index] for name, of_task in orders.items() for index in of_task[:count]}
        chosen: dict[str, list[int] | None] = {}
        for name, of_task in _aligned(items, self.order).items():
            left = [index for index in of_task if items[name][index] not in gone]
            if not left:
                raise InputError(f"no document of {name} is left", found=f"{len(of_task)}, all of which are left out")
            chosen[name] = sorted(left[: self.limit])
        return chosen


def document_order(total: int, order: Order) -> list[int]:
    """Return an order of ``total`` documents, every beginning of which is spread evenly, random, or as in the file.

    The even order counts with its binary digits reversed (van der Corput 1935): 0, 1/2, 1/4, 3/4, 1/8, … of the whole.
    """
    if order == FILE:
        return list(range(total))
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
