"""Groups of lm-eval's tasks as one task, whose documents are those of all its parts, one after the other."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import accumulate
from typing import Any

from mwork_eval.neurons.tuned_stages import TunedOn

SUBTASK = "subtask"
"""Field of a group's samples: the task that a document is of."""


class TaskGroup:
    """Tasks that count as one; to what looks at documents and requests it is like a task of lm-eval."""

    def __init__(self, name: str, leaves: Mapping[str, Any]) -> None:
        """Take the tasks of a group.

        Args:
            name: Its name.
            leaves: lm-eval's task objects by name, in the order of the group.
        """
        self.name, self.leaves = name, leaves

    @cached_property
    def eval_docs(self) -> list[Mapping[str, Any]]:
        """All documents."""
        return [document for task in self.leaves.values() for document in task.eval_docs]

    @cached_property
    def offsets(self) -> dict[str, int]:
        """By leaf, how many documents come before its first."""
        sizes = [len(task.eval_docs) for task in self.leaves.values()]
        return dict(zip(self.leaves, accumulate(sizes, initial=0), strict=False))

    @property
    def instances(self) -> list[Any]:
        """The requests that have been built, of all leaves, with the documents' numbers in the group."""
        return [
            # lm-eval's requests take their document's number from here.
            replace(instance, metadata=(self.name, self.offsets[leaf] + instance.doc_id, instance.repeats))
            for leaf, task in self.leaves.items()
            for instance in getattr(task, "_instances", None) or ()
        ]

    @property
    def suffixes(self) -> dict[str, str]:
        """By leaf, what its name has beyond the group's: equal in the groups of other languages, if these are alike."""
        return {leaf: leaf.removeprefix(self.name) for leaf in self.leaves}

    def split(self, chosen: Sequence[int] | None) -> dict[str, list[int] | None]:
        """Return which documents of each leaf are meant; leaves of which none is are left out.

        Args:
            chosen: Numbers of documents in the group; None for all.
        """
        if chosen is None:
            return dict.fromkeys(self.leaves)
        parts: dict[str, list[int] | None] = {}
        for leaf, task in self.leaves.items():
            first, last = self.offsets[leaf], self.offsets[leaf] + len(task.eval_docs)
            if own := [number - first for number in chosen if first <= number < last]:
                parts[leaf] = own
        return parts

    def renumber(self, leaf: str, samples: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield lm-eval's samples of a leaf with the documents' numbers in the group, and the name of the leaf."""
        for sample in samples:
            yield {**sample, "doc_id": self.offsets[leaf] + int(sample["doc_id"]), SUBTASK: leaf}


def parallel_items(groups: Mapping[str, TaskGroup]) -> dict[str, list[str]]:
    """Return what each document of some groups is: equal where groups of several languages have parts of one size.

    What is equal depends on which groups there are, so this is nothing to store.

    Args:
        groups: The groups by name, all with the same suffixes.
    """
    sizes: dict[str, set[int]] = {}
    for group in groups.values():
        for leaf, suffix in group.suffixes.items():
            sizes.setdefault(suffix, set()).add(len(group.leaves[leaf].eval_docs))
    return {
        name: [
            f"{suffix if len(sizes[suffix]) == 1 else leaf} {number}"
            for leaf, suffix in group.suffixes.items()
            for number in range(len(group.leaves[leaf].eval_docs))
        ]
        for name, group in groups.items()
    }


def skip_shared(
    skip: Mapping[str, TunedOn], items: Mapping[str, Sequence[str]], shared: Mapping[str, Sequence[str]]
) -> dict[str, TunedOn]:
    """Return the documents that groups leave out, also under the names that the languages share.

    Args:
        skip: By group, the documents under the names of `item_keys`.
        items: By group, these names of all its documents.
        shared: The names of `parallel_items`.
    """
    found = dict(skip)
    for name in items.keys() & skip.keys():
        pairs = zip(items[name], shared[name], strict=True)
        found[name] = replace(
            skip[name], items=skip[name].items | {one for own, one in pairs if own in skip[name].items}
        )
    return found
