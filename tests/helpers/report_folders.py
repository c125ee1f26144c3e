"""A results folder made by hand: scores, samples with texts, and neuron sets, without any model."""

import random
from pathlib import Path
from typing import Any

import numpy as np

from helpers.manifests import write_manifest
from mwork_eval.matrix.settings import Setting
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.results.store import CellStore
from mwork_eval.results.task_score import TaskScore

LAYERS = 4
SIZES = {"q": 24, "k": 8, "v": 8, "o": 24, "gate": 40, "up": 40, "down": 40}
SHAPE = ModelShape("llama", (SIZES,) * LAYERS)
LANGUAGES = ("en", "zh", "es")
SETTINGS = (Setting(True, ("under",)), Setting(False, ("under",)), Setting(False, ("gen",)))
SEEDS = (1, 2)
HOSTILE = (
    "<script>document.title='broken'</script><img src=x onerror=alert(1)> \"'& \u202egnirts \u2066</bdi></textarea>"
)


def make_set(language: str, seed: int, layers: int = LAYERS) -> NeuronSet:
    generator = np.random.default_rng(seed)
    indices = {
        (layer, structure): generator.choice(SIZES[structure], 2 + layer % 4, replace=False).astype(np.int32)
        for layer in range(layers)
        for structure in ("q", "v", "up")
    }
    return NeuronSet(ModelShape("llama", (SIZES,) * layers), indices, {"language": language})


def sample(number: int, right: bool, text: str) -> dict[str, Any]:
    """What lm-eval logs of a generated answer."""
    return {
        "doc_id": number,
        "target": [f"gold {number}", text],
        "arguments": [[f"Question {number}? {text}", {"until": ["\n"]}]],
        "resps": [[f"gold {number} {text}" if right else f"no idea {text}"]],
        "filtered_resps": [f"gold {number} {text}" if right else f"no idea {text}"],
        "filter": "none",
        "acc": float(right),
        **{f"{part}_hash": f"{part} {number}" for part in ("doc", "prompt", "target")},
    }


def make_folder(
    folder: Path,
    *,
    model: str = "tiny",
    task: str = "xquad",
    text: str = "",
    documents: int = 24,
    sets: bool = True,
    languages: tuple[str, ...] = LANGUAGES,
    layers: int = LAYERS,
) -> Path:
    """Store a matrix of mask languages: one row does damage to the languages, one does nothing, one is random.

    Args:
        folder: Where.
        model: Name of the model.
        task: Name of the benchmark.
        text: Put into every prompt, right answer and answer.
        documents: Number of documents per language.
        sets: Whether the sets lie in the folder.
        languages: English and the mask languages.
        layers: Number of layers of the model.
    """
    store, cells = CellStore(folder), []
    generator = random.Random(1)
    before = {language: [generator.random() < 0.8 for _ in range(documents)] for language in languages}

    def add(setting: str | None, mask: str | None, seed: int | None, language: str, right: list[bool]) -> None:
        identity = str(len(cells))
        score = TaskScore(
            "acc,none", True, tuple((float(n), 1.0) for n in right), {"acc,none": sum(right) / len(right)}, language
        )
        masked = None if setting is None else {"total": 5, "digest": identity * 8}
        about = {"task_hash": f"{task} {language} {documents}", "masked": masked}
        about["task"] = {"config": {"task": f"{task}_{language}"}, "version": 1, "n_shot": 0}
        store.save(identity, score, about, [sample(n, answer, text) for n, answer in enumerate(right)])
        place = {"preset": "mine", "setting": setting, "mask_language": mask, "seed": seed}
        cells.append(place | {"task": task, "language": language, "identity": identity})

    for language in languages:
        add(None, None, None, language, before[language])
    for setting in SETTINGS:
        for mask in languages[1:]:
            for seed in SEEDS if setting.random else (None,):
                damage = 0.8 if setting.name == "LS under" else 0.1
                add(setting.name, mask, seed, mask, [x and generator.random() > damage for x in before[mask]])
                add(setting.name, mask, seed, "en", before["en"])

    neurons = {language: make_set(language, seed, layers) for seed, language in enumerate(languages[1:])}
    for language, of_language in neurons.items() if sets else ():
        save_neuron_set(of_language, folder / "neurons" / f"{language}.safetensors")
    write_manifest(
        folder,
        model=model,
        languages=list(languages),
        limit=documents,
        stages={"layers": layers, "understanding": 1, "generation": 1},
        seeds=list(SEEDS),
        versions={"mwork_eval": "0"},
        sets={
            language: {"digest": n.digest, "total": len(n), "of": n.shape.switches} for language, n in neurons.items()
        },
        tasks=[{"name": task, "languages": list(languages), "missing": ["fr"]}],
        presets=[
            {
                "name": "mine",
                "settings": [
                    {"name": setting.name, "random": setting.random, "positions": list(setting.positions)}
                    for setting in SETTINGS
                ],
                "counts": dict.fromkeys(languages[1:], 5),
            }
        ],
        cells=cells,
    )
    return folder
