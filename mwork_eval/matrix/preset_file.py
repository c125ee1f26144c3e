"""Read a YAML file of presets; what is wrong in it is named by its line."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import yaml

from mwork_eval.errors import InputError
from mwork_eval.files.yaml_values import line_of, read_yaml
from mwork_eval.matrix.settings import Preset, Setting
from mwork_eval.matrix.task_file import read_named_tasks
from mwork_eval.neurons.stages import parse_positions


@dataclass(frozen=True)
class _Kind:
    """A YAML type: its tag, and what messages call it."""

    tag: str
    name: str


_TEXT = _Kind("tag:yaml.org,2002:str", "a text")
_NUMBER = _Kind("tag:yaml.org,2002:int", "a whole number")
_TRUTH = _Kind("tag:yaml.org,2002:bool", "true or false")
_MAPPING = _Kind("tag:yaml.org,2002:map", "a mapping")
_LIST = _Kind("tag:yaml.org,2002:seq", "a list")
_KINDS = {kind.tag: kind.name for kind in (_TEXT, _NUMBER, _TRUTH, _MAPPING, _LIST)}

_PRESET = {"task": _TEXT, "settings": _LIST, "table": _NUMBER, "ability": _TEXT}
_SETTING = {"random": _TRUTH, "positions": _TEXT, "intervention": _TEXT}
_OPTIONAL = ("table", "ability")


def read_presets(path: Path) -> list[Preset]:
    """Read a file in the shape of `presets.yaml`: presets by name, each with `task` and `settings`.

    Raises:
        InputError: If the file cannot be read, or an entry is missing, unknown, doubled, or of the wrong type; the
            message begins with file and line.
    """
    root = read_yaml(path, "a mapping of presets").root
    if root is None:
        raise InputError(f"{path} is empty", expected="a mapping of presets")
    return _Reader(path).presets(root)


class _Reader:
    """Turns the nodes of one file into presets."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def presets(self, root: yaml.Node) -> list[Preset]:
        entries = self._entries(root)
        if not entries:
            self._fail(root, "no preset", expected="at least one")
        return [self._preset(name, node) for name, node in entries.items()]

    def _preset(self, name: str, node: yaml.Node) -> Preset:
        entries = self._checked(node, _PRESET, optional=_OPTIONAL)
        task, tasks = self._task(entries["task"])
        values = {key: self._scalar(entries[key], _PRESET[key], key) for key in ("table", "ability") if key in entries}
        rows = entries["settings"]
        if not isinstance(rows, yaml.SequenceNode):
            self._wrong_type(rows, "settings", _LIST)
        settings = tuple(self._settings(rows))
        if all(setting.random for setting in settings):
            expected = "a row with random: false, whose number of neurons the random rows take"
            self._fail(rows, f"{name} has no row of language-specific neurons", expected=expected)
        return Preset(name, values.get("table"), values.get("ability", ""), task, settings, tasks)

    def _task(self, node: yaml.Node) -> tuple[str, Mapping[str, str] | None]:
        """Return a benchmark and, where the file defines it, its tasks by language."""
        if not isinstance(node, yaml.MappingNode):
            return self._scalar(node, _TEXT, "task"), None
        named = read_named_tasks(self._path, node)
        if len(named) != 1:
            self._fail(node, "several tasks of a preset", " ".join(named), "one, as NAME: {en: TASK, zh: TASK}")
        ((name, tasks),) = named.items()
        return name, tasks

    def _settings(self, rows: yaml.SequenceNode) -> Sequence[Setting]:
        lines: dict[Setting, int] = {}
        for node in rows.value:
            entries = self._checked(node, _SETTING, optional=["intervention"])
            random = self._scalar(entries["random"], _TRUTH, "random")
            text = self._scalar(entries["positions"], _TEXT, "positions")
            try:
                setting = Setting(random, parse_positions(text))
            except InputError as error:
                raise InputError(f"{self._where(entries['positions'])}: {error}") from error
            if "intervention" in entries:
                setting = replace(setting, intervention=self._intervention(entries["intervention"]))
            if setting in lines:
                self._fail(node, "a row stands twice", setting.name, f"it once; line {lines[setting]} has it")
            lines[setting] = node.start_mark.line + 1
        return list(lines)

    def _intervention(self, node: yaml.Node) -> str:
        # The command line reads presets, too, and interventions bring torch.
        from mwork_eval.interventions.kinds import parse_intervention, text_of

        text = self._scalar(node, _TEXT, "intervention")
        try:
            return text_of(*parse_intervention(text))
        except InputError as error:
            raise InputError(f"{self._where(node)}: {error}") from error

    def _checked(
        self, node: yaml.Node, kinds: Mapping[str, _Kind], optional: Sequence[str] = ()
    ) -> dict[str, yaml.Node]:
        """Return the entries of a mapping that has all that are needed and none that is unknown."""
        entries = self._entries(node, kinds)
        missing = [key for key in kinds if key not in entries and key not in optional]
        if missing:
            self._fail(node, "an entry is missing", expected=" ".join(missing))
        return entries

    def _entries(self, node: yaml.Node, known: Collection[str] | None = None) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            self._wrong_type(node, "this entry", _MAPPING)
        entries: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = self._scalar(key, _TEXT, "a name")
            if known is not None and name not in known:
                self._fail(key, "unknown entry", name, f"some of {' '.join(known)}")
            entries[name] = value
        return entries

    def _scalar(self, node: yaml.Node, kind: _Kind, name: str) -> Any:
        if node.tag != kind.tag or not isinstance(node, yaml.ScalarNode):
            self._wrong_type(node, name, kind)
        return node.value if kind is _TEXT else yaml.safe_load(node.value)

    def _wrong_type(self, node: yaml.Node, name: str, kind: _Kind) -> NoReturn:
        found = _KINDS.get(node.tag, "nothing" if node.tag.endswith("null") else node.tag.rpartition(":")[2])
        self._fail(node, f"wrong type of {name}", found, kind.name)

    def _where(self, node: yaml.Node) -> str:
        return line_of(self._path, node)

    def _fail(self, node: yaml.Node, what: str, found: object = None, expected: object = None) -> NoReturn:
        raise InputError(f"{self._where(node)}: {what}", found=found, expected=expected)
