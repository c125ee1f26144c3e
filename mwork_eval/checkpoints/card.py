"""What a changed checkpoint says of itself, to people and to programs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mwork_eval.checkpoints.proof import Difference
from mwork_eval.files.json_values import dump
from mwork_eval.models.default_model import NAME as DEFAULT_MODEL
from mwork_eval.versions import software_versions

CARD = "README.md"
RECORD = "mwork_export.json"

_CARD = """---
{base}tags:
- mwork-eval
- neurons-changed
---

# {model}, changed: {what}

**This is not the original model.** It was written by mwork-eval {version} for experiments: {what}.
Every other byte of the weights is that of the source.

| | |
|---|---|
{rows}

`{record}` beside this card says the same to programs, and lists every tensor that differs. Terms of use are those of
the source.
"""


def card_text(about: Mapping[str, Any], differences: Sequence[Difference]) -> str:
    """Return the model card.

    Args:
        about: What was done: `model`, `fingerprint` of its weights, `masked` and `delta` or None for each.
        differences: The tensors that differ.
    """
    masked, delta = about["masked"], about["delta"]
    is_folder = Path(about["model"]).is_dir()
    model = Path(about["model"]).resolve().name if is_folder else about["model"]
    rows = {"source": f"`{model}`", "fingerprint of the source": f"`{about['fingerprint']}`"}
    if masked is not None:
        counts = ", ".join(f"{structure} {count}" for structure, count in masked["by_structure"].items())
        done = "scaled" if "intervention" in masked else "switched off"
        rows[f"neurons {done}"] = f"{masked['total']:,} of {masked['of']:,}: {counts}"
        rows["digest of the neurons"] = f"`{masked['digest']}`"
        for name in ("intervention", "neurons", "positions", "count", "random_control"):
            if masked.get(name) not in (None, "all"):
                # Who reads the card has not the writer's folders.
                value = Path(masked[name]).name if name == "neurons" and Path(masked[name]).is_file() else masked[name]
                rows[name.replace("_", " ")] = f"`{value}`"
        rows |= {name: str(masked["about"][name]) for name in ("language", "method") if name in masked["about"]}
    if delta is not None:
        rows["digest of the delta"] = f"`{delta['digest']}`"
    rows["tensors that differ"] = f"{sum(1 for one in differences if one.changed)}, in {_lines(differences):,} lines"
    return _CARD.format(
        # A hub knows ids alone.
        base="" if is_folder or model == DEFAULT_MODEL else f"base_model: {model}\n",
        model=model,
        what=what_was_done(about),
        version=software_versions()["mwork_eval"],
        rows="\n".join(f"| {name} | {value} |" for name, value in rows.items()),
        record=RECORD,
    )


def what_was_done(about: Mapping[str, Any]) -> str:
    """Return in words what a checkpoint differs by."""
    masked, delta = about["masked"], about["delta"]
    done = ["the trained values of a delta put in"] if delta is not None else []
    if masked is not None:
        kind = "random " if masked.get("random_control") is not None else ""
        language = masked["about"].get("language")
        of = f" of {language}" if language and not kind else ""
        how = f"multiplied by {masked['value']}" if "intervention" in masked else "switched off"
        done.append(f"{masked['total']:,} {kind}neurons{of} {how}")
    return " and ".join(done)


def record_text(about: Mapping[str, Any], differences: Sequence[Difference]) -> str:
    """Return the same as JSON, with every tensor that differs."""
    tensors = {one.name: {"lines": one.lines, "changed": one.changed, "values": one.values} for one in differences}
    return dump({"format": "mwork-export", "version": 1, **about, "tensors": tensors, "versions": software_versions()})


def _lines(differences: Sequence[Difference]) -> int:
    return sum(one.lines for one in differences)
