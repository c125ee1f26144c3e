"""Which sequences share a beginning, so that it needs to be computed once."""

from collections.abc import Sequence
from dataclasses import dataclass, field

Tokens = Sequence[int]

LEAST_PREFIX = 8
"""Shorter common beginnings cost more in a separate forward than they save."""


@dataclass(frozen=True)
class Group:
    """Sequences with a common beginning.

    Attributes:
        prefix: Number of common tokens; a sequence alone in its group has 0.
        members: Indices of the sequences, at least one.
    """

    prefix: int
    members: tuple[int, ...]


@dataclass
class _Node:
    """A common beginning of a run of sorted sequences, and how those below it are grouped."""

    depth: int
    alone: list[int] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)

    def add(self, child: "_Node") -> None:
        self.alone += child.alone
        self.groups += child.groups

    def close(self, least: int) -> "_Node":
        """Share this beginning among those that are still alone, or among all if that saves more."""
        if self.depth < least:
            return self
        everyone = len(self.alone) + sum(len(group.members) for group in self.groups)
        longer = sum((len(group.members) - 1) * group.prefix for group in self.groups)
        if (everyone - 1) * self.depth > longer + max(0, len(self.alone) - 1) * self.depth:
            self.alone += [member for group in self.groups for member in group.members]
            self.groups = []
        if len(self.alone) > 1:
            self.groups.append(Group(self.depth, tuple(self.alone)))
            self.alone = []
        return self


def group_by_prefix(sequences: Sequence[Tokens], *, rest: int = 0, least: int = LEAST_PREFIX) -> list[Group]:
    """Group sequences by common beginnings so that few tokens are computed twice.

    The common beginnings of sorted sequences form a tree. From its leaves to its root, a node takes those below it that
    are still alone, or all if that saves more tokens than the longer beginnings below.

    Args:
        sequences: Distinct sequences of token ids.
        rest: Tokens at the end of each sequence that are never part of a common beginning.
        least: Shortest beginning worth sharing.

    Returns:
        Groups that hold every sequence once.
    """
    order = sorted(range(len(sequences)), key=lambda number: tuple(sequences[number]))
    stack = [_Node(0)]
    for place, number in enumerate(order):
        last = _Node(len(sequences[number]), [number])
        following = sequences[order[place + 1]] if place + 1 < len(order) else ()
        common = _common(sequences[number], following, rest)
        while stack[-1].depth > common:
            node = stack.pop()
            node.add(last)
            last = node.close(least)
        if stack[-1].depth < common:
            stack.append(_Node(common))
        stack[-1].add(last)
    return [*stack[0].groups, *(Group(0, (number,)) for number in stack[0].alone)]


def common_beginning(sequences: Sequence[Tokens], rest: int = 0) -> int:
    """Return the number of tokens that all sequences begin with, without their last ``rest`` ones."""
    return _common(min(sequences, key=tuple), max(sequences, key=tuple), rest) if len(sequences) > 1 else 0


def _common(one: Tokens, other: Tokens, rest: int) -> int:
    longest = max(0, min(len(one), len(other)) - rest)
    return next((n for n in range(longest) if one[n] != other[n]), longest)
