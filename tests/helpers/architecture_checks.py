"""Everything that is compared for one architecture: what the package finds, scores and masks, against the oracle."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from helpers.architectures import build, token_ids, type_of
from helpers.neuron_tables import Part
from helpers.zeroing import Zeroing
from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.errors import InputError
from mwork_eval.interventions.activations import zero_activations
from mwork_eval.interventions.zero import zero_neurons
from mwork_eval.models.blocks import Block
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet, Place
from mwork_eval.neurons.structures import STRUCTURES

Tensor = torch.Tensor

MOST_NEURONS = {"q": 24, "k": 24, "v": 10, "o": 10, "down": 10, "gate": 4, "up": 4}
"""How many neurons of a structure are zeroed one by one in a layer: enough for a rank correlation of q and k."""
TOLERANCE = 1e-4
LEAST_SPEARMAN, MOST_ERROR = 0.99, 0.02

OWN_SWITCHES = {
    ("bitnet", "gate"): "a norm lies between the activations and the projection down",
    ("bitnet", "up"): "a norm lies between the activations and the projection down",
    ("gemma3n_text", "gate"): "the activation compares each gate with the mean and the spread of all",
    ("gpt_oss", "up"): "the experts add one to what comes up",
    ("minimax_m3_vl_text", "up"): "one is added to what comes up",
}
"""Structures whose zeroed row is not the same as a zeroed column of down, which their one score is of."""


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
    neurons = _Neurons(layout, truth)
    outcome.failures += _differences(layout, truth, neurons)
    try:
        together = Scorer(layout).score([ids, short])
    except Exception as error:
        outcome.failures.append(f"not scored: {type(error).__name__}: {error}")
    else:
        found = _agreements(truth, neurons, together[0])
        outcome.agreements += [one for one in found if (type_of(member), one.structure) not in OWN_SWITCHES]
        outcome.failures += [one.failure for one in outcome.agreements if one.failure]
        alone = Scorer(layout).score([short])[0]
        outcome.failures += _unequal(together[1], alone)
    for structures in (("q", "k", "v", "up"), ("o", "gate", "down")):
        outcome.failures += _mask_failures(layout, structures)
    return outcome


Key = tuple[str, int]
"""A neuron: the parameter of its weights, and the first of their positions in it."""


class _Neurons:
    """The neurons that were found, and those that are there, in the words of the parameters that hold them."""

    def __init__(self, layout: Layout, truth: Zeroing) -> None:
        self._names = {p.untyped_storage().data_ptr(): name for name, p in layout.model.named_parameters()}
        self.found = {place: self._found(layout.blocks[place]) for place in layout.blocks}
        self.there: dict[Place, list[tuple[Part, list[Key]]]] = {}
        for layer, parts in enumerate(truth.parts):
            module = layout.model.get_submodule(truth.path(layer))
            for part in parts:
                name = self._name(module.get_parameter(part.entries[0][0]))
                keys = [(name, first) for first in part.entries[0][1].min(1).values.tolist()]
                self.there.setdefault((layer, part.structure), []).append((part, keys))

    def _name(self, weight: Tensor) -> str:
        return self._names[weight.untyped_storage().data_ptr()]

    def _found(self, blocks: tuple[Block, ...]) -> list[Key]:
        keys: list[Key] = []
        for block in blocks:
            weight = block.weight
            assert weight is not None
            storage = torch.arange(weight.untyped_storage().nbytes() // weight.element_size())
            positions = storage.as_strided(weight.shape, weight.stride(), weight.storage_offset())
            firsts = positions[block.positions(torch.arange(block.size))].min(-1).values
            keys += [(self._name(weight), first) for first in firsts.tolist()]
        return keys


def _differences(layout: Layout, truth: Zeroing, neurons: _Neurons) -> Iterator[str]:
    if layout.shape.layers != len(truth.parts):
        yield f"{layout.shape.layers} layers found, {len(truth.parts)} there"
        return
    for layer in range(layout.shape.layers):
        for structure in STRUCTURES:
            there = {key for _, keys in neurons.there.get((layer, structure), []) for key in keys}
            found = neurons.found.get((layer, structure), [])
            if set(found) != there or len(found) != len(there):
                both = len(there & set(found))
                yield f"layers.{layer}.{structure}: {len(found)} neurons found, {len(there)} there, {both} in both"
            elif len(found) != layout.shape.sizes[layer].get(structure, 0):
                yield f"layers.{layer}.{structure}: the shape counts {layout.shape.sizes[layer].get(structure)}"


def _agreements(truth: Zeroing, neurons: _Neurons, scores: Mapping[Place, Any]) -> Iterator[Agreement]:
    for (layer, structure), own in neurons.there.items():
        if (layer, structure) not in neurons.found or (layer, structure) not in scores:
            continue
        index = {key: number for number, key in enumerate(neurons.found[layer, structure])}
        found, expected = [], []
        for part, keys in own:
            sample = _sample(part.size, max(4, MOST_NEURONS[structure] // len(own)))
            at = [index.get(keys[neuron]) for neuron in sample]
            if None not in at:  # else `_differences` tells
                found.append(torch.from_numpy(np.asarray(scores[layer, structure])[at]).double())
                expected.append(truth.changes(layer, part, sample))
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
