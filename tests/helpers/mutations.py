"""Damaged copies of files: changed bytes, and valid documents with changed values, drawn from a seed."""

import json
import random
import struct
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from mwork_eval.digests import digest_of
from mwork_eval.files.seal import sealed

Mutation = Callable[[bytes, random.Random], bytes]

_MARKS = {
    "@big@": "9" * 5000,
    "@deep@": "[" * 2000 + "]" * 2000,
    "@nan@": "NaN",
    "@infinity@": "-Infinity",
    "@huge@": "1e999",
    "@surrogate@": '"\\ud800"',
}
"""What `json` or Python's integers do not write."""
_ODDITIES = (
    "!!float x", "!!bool x", "!!python/name:os.system", "&a [*a]", ".nan", "2020-99-99", "? [x]", "@x", "9" * 5000,
)  # fmt: skip
"""What YAML has and JSON has not."""
_VALUES: list[Any] = [
    None, True, False, 0, -1, -5, 1, 2, 2.5, -0.0, 1e308, 2**31, 2**63, 10**30, 10**400, "", "x", "zh", "é\u2028\x00",
    "../../x", "\n::error", "x" * 300,
    [], {}, [[]], [None], {"": None}, ["x"] * 50, {"x": 1}, *_MARKS,
]  # fmt: skip


def changed_bytes(raw: bytes, generator: random.Random) -> bytes:
    """Flip a bit, cut, insert, repeat or overwrite."""
    if not raw:
        return b"x"
    start = generator.randrange(len(raw))
    end = min(len(raw), start + generator.choice((1, 2, 8, 64)))
    noise = generator.randbytes(end - start)
    kind = generator.randrange(6)
    if kind < 2:
        return raw[:start] + bytes([raw[start] ^ 1 << generator.randrange(8)]) + raw[start + 1 :]
    return [
        raw[:start],
        raw[:start] + raw[end:],
        raw[:start] + noise + raw[start:],
        raw[:start] + noise + raw[end:],
    ][kind - 2]


def changed_json(raw: bytes, generator: random.Random) -> bytes:
    """Change a value of a JSON object; half of the copies get the digest of what they then say."""
    value = json.loads(raw)
    signed = "digest" in value and generator.random() < 0.5
    if signed:
        del value["digest"]
    text = _text_of(_changed(value, generator)) + "\n"
    return (sealed(text) if signed and text.startswith("{") and len(text) > 4 else text).encode()


def changed_text(text: str, generator: random.Random) -> str:
    """Change a value of a JSON text."""
    return _text_of(_changed(json.loads(text), generator))


def changed_line(raw: bytes, generator: random.Random) -> bytes:
    """Change a value in one line of a JSON Lines file, or drop, repeat or swap lines."""
    lines = raw.splitlines()
    number = generator.randrange(len(lines))
    kind = generator.randrange(8)
    if kind == 0:
        del lines[number]
    elif kind == 1:
        lines.insert(number, lines[number])
    elif kind == 2:
        lines[0], lines[number] = lines[number], lines[0]
    else:
        lines[number] = changed_json(lines[number], generator).strip()
    return b"\n".join(lines) + b"\n"


def changed_metadata(raw: bytes, generator: random.Random) -> bytes:
    """Change a value of a safetensors file's description, mostly with the right digest, or of its header."""
    (size,) = struct.unpack("<Q", raw[:8])
    header, data = json.loads(raw[8 : 8 + size]), raw[8 + size :]
    if generator.random() < 0.7:
        described = json.loads(header["__metadata__"]["mwork"])
        described.pop("description_digest", None)
        described = _changed(described, generator)
        text = _text_of(described)
        if isinstance(described, dict) and not any(mark in text for mark in _MARKS.values()):
            text = _text_of({**described, "description_digest": digest_of(described)})
        header["__metadata__"]["mwork"] = text
        new = json.dumps(header)
    else:
        new = _text_of(_changed(header, generator))
    text = new.encode(errors="replace")
    return struct.pack("<Q", len(text)) + text + data


def changed_yaml(raw: bytes, generator: random.Random) -> bytes:
    """Change a value of a YAML file, or put in what YAML has and JSON has not."""
    if generator.random() < 0.3:
        lines = raw.splitlines()
        number = generator.randrange(len(lines))
        lines[number] = lines[number].partition(b":")[0] + b": " + generator.choice(_ODDITIES).encode()
        return b"\n".join(lines) + b"\n"
    text = yaml.safe_dump(_changed(yaml.safe_load(raw), generator), sort_keys=False, allow_unicode=True)
    for mark, meant in _MARKS.items():
        text = text.replace(f"'{mark}'", meant)
    return text.encode(errors="replace")


def _changed(value: Any, generator: random.Random) -> Any:
    """Return a document with one value, key or entry changed."""
    value = json.loads(json.dumps(value, default=str))
    places = list(_places(value))
    if not places:
        return generator.choice(_VALUES)
    parent, key = generator.choice(places)
    kind = generator.randrange(6)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, dict):
        parent[generator.choice(("xx", "", "digest", "about", "bypass,none"))] = parent.pop(key)
    elif kind == 2:
        other, theirs = generator.choice(places)
        parent[key] = json.loads(json.dumps(other[theirs]))
    elif kind == 3 and isinstance(parent[key], int | float):
        parent[key] = generator.choice((-parent[key], parent[key] + 1, parent[key] * 1e6, str(parent[key])))
    else:
        parent[key] = generator.choice(_VALUES)
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield value, key
        yield from _places(entry)


def _text_of(value: Any) -> str:
    text = json.dumps(value)
    for mark, meant in _MARKS.items():
        text = text.replace(f'"{mark}"', meant)
    return text
