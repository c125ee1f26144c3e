"""Results folders with another pivot than English, made of those with English: the two languages change places."""

import json
import shutil
from pathlib import Path
from typing import Any

PIVOT = "zh"
_PLACES = {"en": PIVOT, PIVOT: "en"}


def swapped(values: Any) -> Any:
    """Return JSON values in which the names of English and the pivot have changed places."""
    if isinstance(values, dict):
        return {_PLACES.get(key, key): swapped(value) for key, value in values.items()}
    if isinstance(values, list):
        return [swapped(value) for value in values]
    return _PLACES.get(values, values) if isinstance(values, str) else values


def with_pivot(source: Path, target: Path) -> Path:
    """Copy a folder of a matrix whose pivot is English: every number is the same, of `zh` what was English's."""
    shutil.copytree(source, target)
    path = target / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest.pop("digest", None)
    path.write_text(json.dumps(swapped(manifest) | {"pivot": PIVOT}, ensure_ascii=False), encoding="utf-8")
    if (mask := target / "neurons" / f"{PIVOT}.safetensors").is_file():
        mask.rename(target / "neurons" / "en.safetensors")
    return target
