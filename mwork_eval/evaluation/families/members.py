"""The members of families: names of tasks that differ in nothing but the code of a language."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from mwork_eval.benchmarks.task_family import CODE
from mwork_eval.evaluation.families.codes import Spoken, closeness, read_code

_LONGEST_CODE = 3
"""Parts: language, script and region."""


@dataclass(frozen=True)
class Member:
    """A task of a family.

    Attributes:
        name: Name of the task or group in lm-eval.
        code: The part of it that codes the language.
        spoken: The language.
    """

    name: str
    code: str
    spoken: Spoken


@dataclass(frozen=True)
class FamilyPattern:
    """Tasks whose names differ in the code of a language alone.

    Attributes:
        pattern: Their name, with `{code}` where the languages differ.
        members: The tasks; several may be of one language.
    """

    pattern: str
    members: tuple[Member, ...]

    @property
    def tags(self) -> list[str]:
        """The tags of its languages, each once."""
        return sorted({member.spoken.tag for member in self.members})

    def find(self, asked: Spoken) -> list[Member]:
        """Return the tasks that are best for a language: none, one, or several that are equally good."""
        found = [(rank, one) for one in self.members if (rank := closeness(asked, one.spoken)) is not None]
        best = min((rank for rank, _ in found), default=None)
        return [member for rank, member in found if rank == best]


def family_of(pattern: str, names: Iterable[str]) -> FamilyPattern:
    """Return the tasks that a pattern with `{code}` describes; none if there are no such.

    Args:
        pattern: Such as `truthfulqa_{code}_mc1`.
        names: Names of tasks and groups.
    """
    before, _, after = pattern.partition(CODE)
    codes = {
        inner: name
        for name in names
        if name.startswith(before) and name.endswith(after) and (inner := name[len(before) : len(name) - len(after)])
    }
    # Pairs of languages, as of context and question: where there is `de-en`, `en-de` is no English of Germany.
    firsts = {pair[0] for pair in map(_pair_of, codes) if pair}
    return FamilyPattern(
        pattern,
        tuple(
            Member(name, code, spoken)
            for code, name in codes.items()
            if (spoken := read_code(code)) is not None and not ((pair := _pair_of(code)) and pair[1] in firsts)
        ),
    )


def families_of(names: Iterable[str], languages: Sequence[Spoken]) -> list[FamilyPattern]:
    """Return the families among some names that have at least two of the languages, by their patterns.

    Args:
        names: Names of tasks and groups.
        languages: The languages that count.
    """
    wanted = {spoken.language for spoken in languages}
    by_beginning: dict[str, list[str]] = {}
    patterns: dict[str, set[str]] = {}
    for name in names:
        by_beginning.setdefault(_split(name)[0], []).append(name)
        for pattern, code in _codes_in(name):
            if (spoken := read_code(code)) is not None and spoken.language in wanted:
                patterns.setdefault(pattern, set()).add(spoken.language)
    several = sorted(pattern for pattern, found in patterns.items() if len(found) > 1)
    families = [family_of(pattern, by_beginning[_split(pattern)[0]]) for pattern in several]
    return [one for one in families if sum(bool(one.find(spoken)) for spoken in languages) > 1]


def _codes_in(name: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of a name that may code a language, with the pattern that is left."""
    parts = _split(name)
    for first in range(0, len(parts), 2):
        # The longest code counts: of zho_Hans, zho alone is none.
        for count in range(_LONGEST_CODE, 0, -1):
            last = first + 2 * count - 1
            code = "".join(parts[first:last])
            if last <= len(parts) and first and read_code(code) is not None:
                yield f"{''.join(parts[:first])}{CODE}{''.join(parts[last:])}", code
                break


@cache
def _split(name: str) -> tuple[str, ...]:
    """Return the parts of a name and the separators between them."""
    parts, start = [], 0
    for place, sign in enumerate(name):
        if sign in "_-":
            parts += [name[start:place], sign]
            start = place + 1
    return (*parts, name[start:])


def _pair_of(code: str) -> tuple[str, str] | None:
    parts = [part.lower() for part in _split(code)[::2]]
    return (parts[0], parts[1]) if len(parts) == 2 and parts[0] != parts[1] else None


def pattern_with_fields(pattern: str, fields: Mapping[str, str]) -> str:
    """Return a pattern with its fields filled."""
    for field, value in fields.items():
        pattern = pattern.replace(f"{{{field}}}", value)
    return pattern
