"""Manifests of results folders made by hand: what a test leaves out is as the first version wrote it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FILE = "manifest.json"


def write_manifest(folder: Path, **parts: Any) -> None:
    """Write a manifest; sets and presets need only say what they differ in."""
    manifest = {
        "format": "mwork-ablation",
        "version": 1,
        "model": "tiny",
        "fingerprint": "f",
        "dtype": "torch.float32",
        "stages": {"layers": 4, "understanding": 1, "generation": 1},
        "languages": [],
        "limit": None,
        "seeds": [],
        "data": None,
        "versions": {},
        "tasks": [],
    } | parts
    entry = {"digest": "d", "total": 5, "by_position": {}, "of": 1000, "about": {}}
    manifest["sets"] = {language: entry | of_language for language, of_language in manifest["sets"].items()}
    manifest["presets"] = [{"table": None, "ability": "x"} | preset for preset in manifest["presets"]]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _FILE).write_text(_text(manifest), encoding="utf-8")


@contextmanager
def edited_manifest(folder: Path) -> Iterator[dict[str, Any]]:
    """Give the content of a manifest, and write it back as it is at the end of the block, without a digest."""
    manifest = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    manifest.pop("digest", None)
    yield manifest
    (folder / _FILE).write_text(_text(manifest), encoding="utf-8")


def _text(manifest: dict[str, Any]) -> str:
    return json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True)
