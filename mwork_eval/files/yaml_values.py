"""YAML that people write, under limits: plain values, each entry once, bounded size and nesting."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mwork_eval.errors import InputError
from mwork_eval.files.json_values import read_bytes

_LARGEST = 2**20
_DEEPEST = 20
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_LONGEST_NUMBER = 100
"""Characters; Python itself refuses integers of more than 4,300 digits."""


@dataclass(frozen=True)
class YamlFile:
    """What a file holds.

    Attributes:
        root: Its nodes, which know where they stand; None if the file is empty.
        value: Its value; None if the file is empty.
    """

    root: yaml.Node | None
    value: Any


def read_yaml(path: Path, expected: str) -> YamlFile:
    """Read a YAML file of plain values.

    Args:
        path: The file.
        expected: What it should hold, for messages.

    Raises:
        InputError: If it cannot be read, is no YAML in UTF-8, too large or nested too deep, or has an entry twice, a
            tag, an alias, or a number that is not finite or absurdly long; the message names the line.
    """
    try:
        text = read_bytes(path, _LARGEST).decode("utf-8")
        _check_events(path, text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        _check_entries(path, root)
        return YamlFile(root, yaml.safe_load(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise InputError(f"{where}: not YAML", found=error.problem, expected=expected) from error
    except (OSError, ValueError, OverflowError, yaml.YAMLError) as error:
        raise InputError(f"cannot read {path}", found=error, expected=expected) from error


def line_of(path: Path, node: yaml.Node | yaml.Event) -> str:
    """Return where a node stands, as messages begin."""
    return f"{path}:{node.start_mark.line + 1}" if node.start_mark else str(path)


def entries_of(node: yaml.Node | None) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """Yield the keys and values of a mapping; nothing of anything else."""
    if isinstance(node, yaml.MappingNode):
        yield from node.value


def kind_of(node: yaml.Node) -> str:
    """Return what messages call a node."""
    kinds = {yaml.ScalarNode: "a text or number", yaml.SequenceNode: "a list", yaml.MappingNode: "a mapping"}
    return kinds[type(node)]


def _check_events(path: Path, text: str) -> None:
    """Refuse what is no plain value; the parser's events come one after the other, however deep they nest."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise InputError(f"{line_of(path, event)}: nested too deep", expected=f"up to {_DEEPEST} levels")
        for part in ("anchor", "tag"):  # an alias names an anchor
            if (found := getattr(event, part, None)) is not None:
                raise InputError(f"{line_of(path, event)}: a YAML {part}", found=found, expected="plain values")


def _check_entries(path: Path, node: yaml.Node | None) -> None:
    """Refuse a key twice, of which YAML keeps the last, and numbers that are none."""
    seen = set()
    for key, value in entries_of(node):
        if not isinstance(key, yaml.ScalarNode):
            raise InputError(f"{line_of(path, key)}: a name that is no text", found=kind_of(key))
        _check_entries(path, key)
        if key.value in seen:
            raise InputError(f"{line_of(path, key)}: an entry stands twice", found=key.value)
        seen.add(key.value)
        _check_entries(path, value)
    if isinstance(node, yaml.SequenceNode):
        for one in node.value:
            _check_entries(path, one)
    if isinstance(node, yaml.ScalarNode) and any("\ud800" <= sign <= "\udfff" for sign in node.value):
        raise InputError(f"{line_of(path, node)}: half of a sign", found=ascii(node.value), expected="text")
    if isinstance(node, yaml.ScalarNode) and node.tag in _NUMBERS and not _is_finite(node.value):
        raise InputError(f"{line_of(path, node)}: not a number to count with", found=node.value)


def _is_finite(text: str) -> bool:
    return len(text) <= _LONGEST_NUMBER and math.isfinite(float(yaml.safe_load(text)))
