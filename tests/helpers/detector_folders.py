"""A results folder of detectors compared, made by hand: bits per byte of parallel texts, and a set of each detector."""

from pathlib import Path
from typing import Any

import numpy as np

from helpers.manifests import write_manifest
from helpers.report_folders import SHAPE
from helpers.square_folders import score
from mwork_eval.matrix.settings import Setting
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.stages import POSITIONS
from mwork_eval.results.store import CellStore

LANGUAGES = ("en", "zh", "es")
MASKS = LANGUAGES[1:]
SEEDS = (1, 2, 3)
COUNTS = (3, 6)
COSTS = {"plnd": "1 forward", "lape": "1 forward", "attribution": "1 forward, 1 backward"}
DAMAGE = {"plnd": 0.8, "lape": 0.5, "attribution": 0.02}
MEMBERS = {
    "plnd": {"zh": range(6), "es": range(6)},
    "lape": {"zh": range(3, 9), "es": range(10, 16)},
    "attribution": {"zh": range(6), "es": range(5, 11)},
}
"""By detector and language, neurons of `up` in layer 0."""
LS, R = Setting(False, POSITIONS), Setting(True, POSITIONS)


def damage_of(detector: str, setting: Setting, mask: str, seed: int | None, language: str) -> float:
    """What a mask does: most to its own language; random controls hardly anything."""
    if setting.random:
        return 0.01 * (seed or 0) - 0.02 + 0.001 * len(detector)
    return DAMAGE[detector] * (1 if mask == language else 0.1) * (1 if mask == "zh" else 0.9)


def neurons_of(detector: str, language: str) -> NeuronSet:
    return NeuronSet(SHAPE, {(0, "up"): np.array(MEMBERS[detector][language], np.int32)}, {"language": language})


def make_detector_folder(
    folder: Path,
    *,
    masks: tuple[str, ...] = MASKS,
    counts: tuple[int, ...] = COUNTS,
    without: str = "",
    shorter: str = "",
    pivot: str = "en",
    sets: bool = True,
) -> Path:
    """Store a comparison of three detectors.

    Args:
        folder: Where.
        masks: The mask languages.
        counts: The numbers of neurons of the curves.
        without: A detector whose language-specific cells are planned and not computed.
        shorter: A detector that was scored on fewer documents than the others.
        pivot: Which of the languages the others are compared with.
        sets: Whether the sets lie in the folder.
    """
    store = CellStore(folder)
    parts: dict[str, list[dict[str, Any]]] = {"cells": [], "dose": []}
    languages = (pivot, *masks)

    def add(detector: str, setting: Setting | None, mask: str | None, seed: int | None, language: str, **more) -> None:
        name = None if setting is None else setting.name
        identity = "-".join(map(str, (detector, name, mask, seed, language, *more.values()))).replace(" ", "_")
        if not (detector == without and setting == LS):
            damage = damage_of(detector, setting, mask or "", seed, language) if setting else 0.0
            share = more.get("count", COUNTS[-1]) / COUNTS[-1]
            store.save(identity, score(language, damage * share, 9 if detector == shorter else 16), {}, [])
        place = {"preset": detector, "setting": name, "mask_language": mask, "seed": seed}
        parts["dose" if more else "cells"].append(
            place | {"task": "bpb", "language": language, "identity": identity} | more
        )

    for detector in COSTS:
        for language in languages:
            add(detector, None, None, None, language)
        for setting in (R, LS):
            for mask in masks:
                for seed in SEEDS if setting.random else (None,):
                    for language in (mask, pivot):
                        add(detector, setting, mask, seed, language)
                        for count in counts:
                            add(detector, setting, mask, seed, language, count=count)
    presets = []
    for detector, cost in COSTS.items():
        own = {language: neurons_of(detector, language) for language in masks}
        if sets:
            for language, neurons in own.items():
                save_neuron_set(neurons, folder / "neurons" / detector / f"{language}.safetensors")
        presets.append(
            {
                "name": detector,
                "settings": [
                    {"name": one.name, "random": one.random, "positions": list(one.positions)} for one in (R, LS)
                ],
                "counts": dict.fromkeys(masks, 6),
                "cost": cost,
                "sets": {
                    language: {"digest": one.digest, "total": 6, "by_position": {}, "of": SHAPE.switches, "about": {}}
                    for language, one in own.items()
                },
            }
        )
    write_manifest(
        folder,
        languages=list(languages),
        limit=16,
        seeds=list(SEEDS),
        sets={},
        tasks=[{"name": "bpb", "languages": list(languages), "missing": []}],
        presets=presets,
        **({} if pivot == "en" else {"pivot": pivot}),
        **parts,
    )
    return folder
