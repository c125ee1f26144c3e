"""What is pushed in tests: sets, scores and results of one model made up of numbers."""

from pathlib import Path
from typing import Any

import numpy as np

from helpers.report_folders import LAYERS, SHAPE, make_folder
from mwork_eval.detection.detectors.detector import PLND
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet

FINGERPRINT = "f"
"""That of `make_folder`."""
ABOUT: dict[str, Any] = {
    "model": "org/tiny",
    "fingerprint": FINGERPRINT,
    "method": "exact",
    "documents": 24,
    "tokens": 3072,
    "dtype": "float32",
    "corpus": {"name": "embedded", "digest": "ab", "max_tokens": 128, "min_tokens": 16, "seed": None},
    "selection": {"fraction": 0.02, "specific": "english", "structures": ["q", "k", "v", "up"], "detector": PLND},
}


def write_sets(folder: Path, **changed: Any) -> Path:
    """Write a set for zh and one for es; what is changed stands in what they say of themselves."""
    for seed, language in enumerate(("es", "zh")):
        generator = np.random.default_rng(seed)
        places = [(layer, structure) for layer in range(LAYERS) for structure in ("q", "up")]
        indices = {
            place: generator.choice(SHAPE.sizes[place[0]][place[1]], 3, replace=False).astype(np.int32)
            for place in places
        }
        about = {**ABOUT, "language": language, **changed}
        save_neuron_set(NeuronSet(SHAPE, indices, about), folder / f"{language}.safetensors")
    return folder


def write_matrix(folder: Path, **made: Any) -> Path:
    """Write a results folder of the same model."""
    return make_folder(folder, model="org/tiny", **made)
