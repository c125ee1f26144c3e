"""What is not published: tokens, and where files lay on the machine that made them.

Manifests, cells and results of lm-eval name folders of the user's (a model, the texts, task files). A reader has none
of them, so a path is published as its last part. That changes nothing that numbers are computed of: files with a digest
of their own get that of what they say now.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from html import unescape
from pathlib import Path, PureWindowsPath
from typing import Any

from huggingface_hub import get_token

from mwork_eval.errors import InputError
from mwork_eval.files.json_values import parse
from mwork_eval.files.seal import resealed
from mwork_eval.files.tensor_file import header_of, metadata_of, with_metadata
from mwork_eval.neurons.references import SUFFIX
from mwork_eval.publishing.written_forms import written
from mwork_eval.results.sanitized_names import is_sanitized, sanitized, shown_part

_TOKEN = re.compile(rb"\bhf_[A-Za-z0-9]{30,}\b")
_START = r"(?:~[\w.-]*|\.{1,2}|[A-Za-z]:|file:[\\/]{0,2}|[\\/])?"
"""What may stand before the first part of a path: a user's folder, dots, a drive, the second sign of a server."""
_PATH = re.compile(rf"(?:^|[=,;\s\"'(]|:(?!//))({_START}[\\/][\w.@+-]+(?:[\\/][\w.@+-]+)+)")
_WHOLE = re.compile(rf"{_START}(?:[\\/][^\\/\n\",;]*[^\\/\s\",;]){{2,}}")
"""A text that is nothing but a path, which may have blanks and brackets."""
_ARGUMENT = re.compile(r"(?:^|,)\s*[\w.-]+=([^,]*)")
"""One of lm-eval's arguments of a model, NAME=VALUE."""
_OF_SYSTEMS = re.compile(r"/(?:usr|lib|lib64|etc|bin|sbin|proc|sys)(?:/|$)")
"""Where programs lie on any machine; says nothing of the writer's."""
_OF_PAGES = re.compile(r"(?:Results folder|<h1[^>]*>)\s*<bdi>(.*?)</bdi>")
_LONGEST = 4096
"""Characters; a longer text of a description is a prompt or a template."""
_LONGEST_HEADER = 2**24
_SHORTEST_TOKEN = 8
_SAMPLES = "samples_"
_REPORTS = (".md", ".html", ".tex", ".csv", ".svg")


def paths_in(text: str) -> list[str]:
    """Return the paths from the top, or from the folder worked in, that a text of a description names."""
    if len(text) > _LONGEST:
        return []
    if _WHOLE.fullmatch(text):
        found = [text]
    else:
        found = [match[1] for match in _ARGUMENT.finditer(text) if _WHOLE.fullmatch(match[1])]
        rest = text
        for path in found:
            rest = rest.replace(path, "")
        found += [match[1] for match in _PATH.finditer(rest)]
    found = [path for path in found if not _OF_SYSTEMS.match(path)]
    return [*found, text] if is_sanitized(text) else found


def last_of(path: str) -> str:
    """Return the last part of a path."""
    return shown_part(path) if is_sanitized(path) else PureWindowsPath(path).name


def find_paths(files: Iterable[Path]) -> list[str]:
    """Return the paths that manifests, descriptions, configurations and heads of cells name, the longest first."""
    found = {path for file in files for value in _descriptions(file) for path in _in_value(value)}
    return sorted(found, key=lambda path: (-len(path), path))


def without_paths(file: Path, paths: Iterable[str]) -> bytes | None:
    """Return a file with the last parts of some paths in their place; None if it has none of them.

    In samples nothing is replaced: they are texts of benchmarks and of the model.
    """
    if file.suffix == SUFFIX:
        metadata = metadata_of(file)
        changed = _replaced_in(metadata, list(paths))
        return None if changed == metadata else with_metadata(file, changed)
    if file.name.startswith(_SAMPLES) or file.suffix not in (".json", ".jsonl", *_REPORTS):
        return None
    content = file.read_bytes()
    head, line_end, rest = content.partition(b"\n") if file.suffix == ".jsonl" else (content, b"", b"")
    changed_head = head
    for path in paths:
        forms = dict(zip(written(path), written(last_of(path)), strict=True))
        for before, after in forms.items():
            changed_head = changed_head.replace(before.encode(), after.encode())
    if changed_head == head:
        return None
    return (resealed(changed_head + line_end) if file.suffix in (".json", ".jsonl") else changed_head) + rest


def check_nothing_private(files: Mapping[str, Path | bytes], *, with_home: bool) -> None:
    """Refuse files with an access token in them, or that name the user's own folder.

    Args:
        files: By path in the repository.
        with_home: Whether the user's own folder may be named.

    Raises:
        InputError: Names the file; a token is not shown.
    """
    home = None if with_home or len(str(Path.home())) < len("/a") else str(Path.home())
    own = None if home is None else _below(home)
    token = (get_token() or "").encode()
    for name, file in files.items():
        content = _text_of(name, file)
        if _TOKEN.search(content) or (len(token) > _SHORTEST_TOKEN and token in content):
            raise InputError(f"{name} holds an access token", expected="no secret", hint="take it out, and revoke it")
        if own is not None and own.search(content):
            raise InputError(
                f"{name} names your own folder",
                found=f"{home}/…",
                expected="files that can be read anywhere",
                hint="take it out, or publish the file as it is with `with_paths=True`",
            )


def _below(home: str) -> re.Pattern[bytes]:
    """Return what finds a path below a folder, however it is written."""
    forms = "|".join(re.escape(form) for form in dict.fromkeys([*written(home), sanitized(home)]))
    return re.compile(rf"(?:{forms})(?:[\\/]+|__)[^\s\\/\"'<]".encode())


def _text_of(name: str, file: Path | bytes) -> bytes:
    """Return what is text in a file: of arrays the description, of images nothing."""
    if name.endswith(SUFFIX):
        if isinstance(file, bytes):
            return header_of(file)
        with file.open("rb") as content:
            return header_of(content.read(_LONGEST_HEADER))
    if name.endswith(".png"):
        return b""
    return file if isinstance(file, bytes) else file.read_bytes()


def _descriptions(file: Path) -> Iterator[Any]:
    if file.suffix == SUFFIX:
        yield metadata_of(file)
    elif file.suffix == ".json":
        yield _parsed(file.read_bytes())
    elif file.suffix == ".jsonl" and not file.name.startswith(_SAMPLES):
        with file.open("rb") as lines:
            yield _parsed(lines.readline())
    elif file.suffix == ".csv":
        with suppress(csv.Error), file.open(encoding="utf-8", errors="replace", newline="") as lines:
            yield from {(row.get("folder"), row.get("model")) for row in csv.DictReader(lines)}
    elif file.suffix == ".html":
        yield [unescape(found) for found in _OF_PAGES.findall(file.read_text("utf-8", errors="replace"))]


def _parsed(content: bytes) -> Any:
    try:
        return parse(content, foreign=True)
    except ValueError:
        return None


def _in_value(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from paths_in(value)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from paths_in(str(key))
            yield from _in_value(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _in_value(one)


def _replaced_in(value: Any, paths: list[str]) -> Any:
    if isinstance(value, str):
        for path in paths:
            value = value.replace(path, last_of(path))
        return value
    if isinstance(value, Mapping):
        return {_replaced_in(key, paths): _replaced_in(one, paths) for key, one in value.items()}
    return [_replaced_in(one, paths) for one in value] if isinstance(value, list) else value
