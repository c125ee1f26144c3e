"""A results folder with squares, dose curves and drawn sets, made by hand: bits per byte of parallel texts."""

import random
from pathlib import Path
from typing import Any

from helpers.manifests import write_manifest
from mwork_eval.matrix.settings import Setting
from mwork_eval.neurons.stages import POSITIONS
from mwork_eval.results.store import CellStore
from mwork_eval.results.task_score import TaskScore

LANGUAGES = ("en", "zh", "es", "de")
MASKS = LANGUAGES[1:]
LS, R = Setting(False, POSITIONS), Setting(True, POSITIONS)
SEEDS = (1, 2, 3)
COUNTS = (10, 30, 100)
DAMAGE = {"zh": 2.0, "es": 0.5, "de": 0.8}


def score(language: str, damage: float, documents: int = 16, noise: float = 0.05) -> TaskScore:
    """Bits and bytes of texts that are translations of each other: text n is hit alike in all languages."""
    made = []
    for number in range(documents):
        size = 200.0 + 10 * random.Random(f"{language} {number}").randrange(20)
        alike = random.Random(f"{number}").gauss(1, 0.3)
        own = random.Random(f"{language} {number} {damage}").gauss(0, noise)
        made.append((size * (1.1 + damage * alike + own * bool(damage)), size))
    bits, sizes = sum(n for n, _ in made), sum(d for _, d in made)
    return TaskScore(
        "bits_per_byte,none",
        False,
        tuple(made),
        {"bits_per_byte,none": bits / sizes},
        language,
        tuple(f"text {number}" for number in range(documents)),
    )


def damage_of(setting: Setting, mask: str, seed: int | None, language: str) -> float:
    """What a mask does: most to its own language, less to the others; random controls hardly anything."""
    if setting.random:
        return 0.01 * (seed or 0) - 0.015 + (0.002 if mask == language else 0)
    if mask == language:
        return DAMAGE.get(mask, 1.0)
    return 0.04 + 0.02 * (LANGUAGES.index(language) if language in LANGUAGES else 5)


def damage_of_draw(mask: str, draw: int, language: str) -> float:
    """What the mask of a drawn set does: its draw makes it weaker or stronger."""
    return damage_of(LS, mask, None, language) * (1 + 0.1 * (-1) ** draw * draw)


def make_square_folder(
    folder: Path,
    *,
    without: str = "",
    task: str = "bpb",
    draws: int = 0,
    later: int = 0,
    languages: tuple[str, ...] = LANGUAGES,
) -> Path:
    """Store tables, squares, dose curves and drawn sets.

    Args:
        folder: Where.
        without: Setting whose cells off the diagonal are planned and not computed.
        task: Name of the benchmark.
        draws: How many sets are drawn.
        later: Draw whose cells are planned and not computed.
        languages: The pivot and the mask languages.
    """
    store, masks = CellStore(folder), languages[1:]
    parts: dict[str, list[dict[str, Any]]] = {"cells": [], "cross": [], "dose": [], "draws": []}

    def add(part: str, setting: Setting | None, mask: str | None, seed: int | None, language: str, **more: Any) -> None:
        name = None if setting is None else setting.name
        identity = "-".join(map(str, (part, name, mask, seed, language, *more.values()))).replace(" ", "_")
        if not (part == "cross" and name == without) and more.get("draw", -1) != later:
            damage = damage_of(setting, mask or "", seed, language) if setting else 0.0
            if "draw" in more:
                damage = damage_of_draw(mask or "", more["draw"], language)
            # Unscaled it stays the very number that slow computations draw noise with.
            store.save(identity, score(language, damage * more["count"] / 100 if "count" in more else damage), {}, [])
        place = {"preset": "existence", "setting": name, "mask_language": mask, "seed": seed}
        parts[part].append(place | {"task": task, "language": language, "identity": identity} | more)

    for language in languages:
        add("cells", None, None, None, language)
    for setting in (R, LS):
        for mask in masks:
            for seed in SEEDS if setting.random else (None,):
                for language in languages:
                    add("cells" if language in (mask, "en") else "cross", setting, mask, seed, language)
                for count in COUNTS:
                    for language in (mask, "en"):
                        add("dose", setting, mask, seed, language, count=count)
    for mask in masks:
        for draw in range(1, draws + 1):
            for language in (mask, "en"):
                add("draws", LS, mask, None, language, draw=draw)
    overlaps = {mask: [0.5 + 0.1 * place / draw for draw in range(1, draws + 1)] for place, mask in enumerate(masks)}
    rows = [{"name": s.name, "random": s.random, "positions": list(s.positions)} for s in (R, LS)]
    write_manifest(
        folder,
        languages=list(languages),
        limit=16,
        seeds=list(SEEDS),
        sets={mask: {"total": 110} for mask in masks},
        tasks=[{"name": task, "languages": list(languages), "missing": []}],
        presets=[
            {
                "name": "existence",
                "table": 1,
                "settings": rows,
                "counts": dict.fromkeys(masks, 100),
                "draw_overlaps": {LS.name: overlaps},
            }
        ],
        **parts,
    )
    return folder
