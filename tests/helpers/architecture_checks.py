"""Everything that is compared for one architecture: what the package finds, scores and masks, against the oracle."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from helpers.architectures import build, token_ids
from helpers.neuron_tables import Part
from helpers.zeroing import Zeroing
from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.errors import InputError
from mwork_eval.interventions.activations import zero_activations
from mwork_eval.interventions.zero import zero_neurons
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet, Place
from mwork_eval.neurons.structures import STRUCTURES

Tensor = torch.Tensor

MOST_NEURONS = {"q": 24, "k": 24, "v": 10, "o": 10, "down": 10, "gate": 4, "up": 4}
"""How many neurons of a structure are zeroed one by one in a layer: enough for a rank correlation of q and k."""
TOLERANCE = 1e-4
LEAST_SPEARMAN, MOST_ERROR = 0.99, 0.02


@dataclass(frozen=True)
class Agreement:
    """How near the scores of a structure in a layer are to the truth.

    Attributes:
        layer: The layer.
        structure: The structure.
        spearman: Rank correlation over the neurons that were zeroed.
        error: Median relative error over those that matter at all.
        worst: Largest difference, as a share of the true score plus `TOLERANCE` of their mean.
    """

    layer: int
    structure: str
    spearman: float
    error: float
    worst: float

    @property
    def failure(self) -> str | None:
        """What is wrong, or None."""
        if self.structure in "qk":
            if self.spearman >= LEAST_SPEARMAN and self.error <= MOST_ERROR:
                return None
        elif self.worst <= TOLERANCE:
            return None
        return (
            f"layers.{self.layer}.{self.structure}: Spearman {self.spearman:.4f}, median error {self.error:.2g}, "
            f"worst {self.worst:.2g}"
        )


@dataclass
class Outcome:
    """What the checks of one architecture found.

    Attributes:
        member: The type or its variant.
        agreements: How near the scores are to the truth.
        failures: What is wrong, in words; empty if nothing is.
        layout: What was found; None if nothing was.
    """

    member: str
    agreements: list[Agreement] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    layout: Layout | None = None


def check(member: str) -> Outcome:
    """Build a member, and compare what the package does with it with the oracle."""
    outcome, model = Outcome(member), build(member)
    ids, short = token_ids(), token_ids(1, 15)
    try:
        layout = outcome.layout = Layout.of(model)
    except InputError as error:
        outcome.failures.append(f"not found: {error}")
        return outcome
    truth = Zeroing(model, ids)
    outcome.failures += _differences(layout, truth)
    try:
        together = Scorer(layout).score([ids, short])
    except Exception as error:
        outcome.failures.append(f"not scored: {type(error).__name__}: {error}")
    else:
        outcome.agreements += _agreements(layout, truth, together[0])
        outcome.failures += [one.failure for one in outcome.agreements if one.failure]
        alone = Scorer(layout).score([short])[0]
        outcome.failures += _unequal(together[1], alone)
    for structures in (("q", "k", "v", "up"), ("o", "gate", "down")):
        outcome.failures += _mask_failures(layout, structures)
    return outcome


def _located(layout: Layout, place: Place) -> list[tuple[str, int]]:
    """Return, per neuron, the parameter of its weights and the first of their positions, as `Part.keys` does."""
    names = {p.untyped_storage().data_ptr(): name for name, p in layout.model.named_parameters()}
    found = []
    for block in layout.blocks[place]:
        weight = block.weight
        assert weight is not None
        storage = torch.arange(weight.untyped_storage().nbytes() // weight.element_size())
        positions = storage.as_strided(weight.shape, weight.stride(), weight.storage_offset())
        name = names[weight.untyped_storage().data_ptr()]
        own = positions[block.positions(torch.arange(block.size))]
        found += [(name, int(first)) for first in own.min(-1).values]
    return found


def _keys(layout: Layout, truth: Zeroing, layer: int, part: Part) -> list[tuple[str, int]]:
    names = {p.untyped_storage().data_ptr(): name for name, p in layout.model.named_parameters()}
    module = layout.model.get_submodule(truth.path(layer, "").removesuffix("."))
    name = names[module.get_parameter(part.entries[0][0]).untyped_storage().data_ptr()]
    return [(name, first) for _, first in part.keys]


def _differences(layout: Layout, truth: Zeroing) -> Iterator[str]:
    if layout.shape.layers != len(truth.parts):
        yield f"{layout.shape.layers} layers found, {len(truth.parts)} there"
        return
    for layer, parts in enumerate(truth.parts):
        for structure in STRUCTURES:
            there = {key for part in parts if part.structure == structure for key in _keys(layout, truth, layer, part)}
            found = _located(layout, (layer, structure)) if (layer, structure) in layout.blocks else []
            if set(found) != there or len(found) != len(there):
                yield f"layers.{layer}.{structure}: {len(found)} neurons found, {len(there)} there, " + (
                    f"{len(there & set(found))} in both"
                )
            elif len(found) != layout.shape.sizes[layer].get(structure, 0):
                yield f"layers.{layer}.{structure}: the shape counts {layout.shape.sizes[layer].get(structure)}"


def _agreements(layout: Layout, truth: Zeroing, scores: Mapping[Place, Any]) -> Iterator[Agreement]:
    for layer, parts in enumerate(truth.parts):
        for structure in STRUCTURES:
            own = [part for part in parts if part.structure == structure]
            if not own or (layer, structure) not in layout.blocks or (layer, structure) not in scores:
                continue
            index = {key: number for number, key in enumerate(_located(layout, (layer, structure)))}
            found, expected = [], []
            for part in own:
                neurons = _sample(part.size, max(4, MOST_NEURONS[structure] // len(own)))
                at = [index.get(_keys(layout, truth, layer, part)[neuron]) for neuron in neurons]
                if None in at:
                    continue  # `_differences` tells
                found.append(torch.from_numpy(np.asarray(scores[layer, structure])[at]).double())
                expected.append(truth.changes(layer, part, neurons))
            if found:
                yield _agreement(layer, structure, torch.cat(found), torch.cat(expected))


def _sample(size: int, most: int) -> list[int]:
    drawn = np.random.default_rng(0).permutation(size)[: max(0, most - 2)].tolist()
    return sorted({0, size - 1, *drawn})


def _agreement(layer: int, structure: str, found: Tensor, expected: Tensor) -> Agreement:
    difference = (found - expected).abs()
    matter = expected > 1e-9 * expected.max()
    error = float((difference / expected)[matter].median()) if matter.any() else float(difference.max())
    worst = float((difference / (expected + expected.mean() + 1e-12)).max())
    constant = len(found) < 3 or bool((expected == expected[0]).all())
    spearman = 1.0 if constant else float(spearmanr(found, expected).statistic)
    return Agreement(layer, structure, spearman, error, worst)


def _unequal(found: Mapping[Place, Any], alone: Mapping[Place, Any]) -> Iterator[str]:
    for place, scores in alone.items():
        scale = 1e-3 * float(np.mean(scores)) + 1e-9
        if not np.allclose(found[place], scores, rtol=1e-3, atol=scale):
            worst = float(np.max(np.abs(found[place] - scores)) / (np.mean(scores) + 1e-12))
            yield f"layers.{place[0]}.{place[1]}: another score beside a longer document, by {worst:.2g} of the mean"


def _mask_failures(layout: Layout, structures: tuple[str, ...]) -> Iterator[str]:
    generator = np.random.default_rng(0)
    places = [place for place in layout.blocks if place[1] in structures]
    members = {p: generator.choice(layout.shape.sizes[p[0]][p[1]], 3, replace=False) for p in places}
    neurons, words = NeuronSet(layout.shape, members), " ".join(structures)
    before, fingerprint, untouched = _state(layout), fingerprint_of(layout.model), _logits(layout)
    try:
        with ExitStack() as undo:
            zero_activations(layout, neurons.indices, undo)
            by_activations = _logits(layout)
        if not torch.equal(_logits(layout), untouched):
            yield f"masks of {words} by activations do not come undone"
        with zero_neurons(layout, neurons):
            by_weights = _logits(layout)
    except Exception as error:
        yield f"not masked: {words}: {type(error).__name__}: {error}"
        return
    scale = float(untouched.std())
    apart = float((by_activations - by_weights).abs().max()) / scale
    if apart > 1e-4:
        yield f"masks of {words}: weights and activations are {apart:.2g} standard deviations of the logits apart"
    if float((by_weights - untouched).abs().max()) < 1e-3 * scale:
        yield f"masks of {words} change nothing"
    if _state(layout) != before:
        yield f"masks of {words}: the weights are not restored"
    if fingerprint_of(layout.model) != fingerprint:
        yield f"masks of {words}: another fingerprint"
    if not torch.equal(_logits(layout), untouched):
        yield f"masks of {words}: other logits afterwards"


def _logits(layout: Layout) -> Tensor:
    model: Any = layout.model
    with torch.inference_mode():
        logits: Tensor = model(input_ids=torch.tensor([token_ids()]), use_cache=False).logits
    return logits


def _state(layout: Layout) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in layout.model.state_dict().items()}
