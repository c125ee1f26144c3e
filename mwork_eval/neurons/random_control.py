"""Random controls: as many neurons of every layer and structure that are not in the set."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.neurons.neuron_set import NeuronSet, Place

CONTROLS = ("any", "foreign")
"""What a control is drawn from: any neuron outside the set, or only neurons that are foreign to the language.

A set holds what a language has and others lack. `any` may hit neurons that the language shares with others, such as
English's strongest; `foreign` leaves them out, too.
"""


def draw_random_control(chosen: NeuronSet, *, excluded: NeuronSet, seed: int, controls: str = "any") -> NeuronSet:
    """Draw as many neurons of every layer and structure as ``chosen`` has there, uniformly from those left.

    Each seed, language, set, layer and structure has a draw of its own. Under one seed a choice that is a part of
    another one of the same set gets a part of what that gets, and `foreign` replaces what `any` drew only where that is
    the language's.

    Args:
        chosen: The neurons that the control stands against; gate, up and down of a layer are one switch, drawn as `up`.
        excluded: The language's whole set, of which the control has no neuron.
        seed: Seed of the draw, not negative; the same arguments give the same neurons on every machine.
        controls: One of `CONTROLS`.

    Returns:
        The control, described like ``excluded`` with `random_control` (the seed), `controls`, `excluded_digest`, and
        `shared_hits`: how many of its neurons the language shares with others; null if that is not known.

    Raises:
        InputError: If a layer and structure has too few neurons left, ``controls`` is unknown or needs shared neurons
            that the set does not know, or the seed is negative.
    """
    if seed < 0:
        raise InputError("unusable seed of a random control", found=seed, expected="0 or more")
    check_controls(controls)
    taken, shared = _members(excluded), _shared_members(excluded, controls)
    language, digest = excluded.about.get("language"), excluded.digest_unordered
    drawn: dict[Place, Any] = {}
    for layer, structure, members in chosen.switches():
        place = (layer, structure)
        own = digest_of([language, digest, layer, structure])
        order = np.random.default_rng([seed, int(own, 16)]).permutation(chosen.shape.sizes[layer][structure])
        avoided = taken.get(place, []) + (shared.get(place, []) if controls == "foreign" else [])
        free = order[~np.isin(order, avoided)]
        if len(members) > len(free):
            raise InputError(
                f"too few neurons for a random control in layers.{layer}.{structure}",
                found=len(free),
                expected=f"{len(members)}",
                hint="select fewer neurons, or deactivate fewer of the set",
            )
        drawn[place] = np.sort(free[: len(members)])
    hits = sum(int(np.isin(neurons, shared.get(place, [])).sum()) for place, neurons in drawn.items())
    about = {
        **excluded.about,
        "random_control": seed,
        "controls": controls,
        "excluded_digest": excluded.digest,
        "shared_hits": None if excluded.shared is None else hits,
    }
    return NeuronSet(chosen.shape, drawn, about, activations=chosen.activations)


def check_controls(controls: str) -> None:
    """Check the name of what controls are drawn from.

    Raises:
        InputError: If it is unknown.
    """
    if controls not in CONTROLS:
        raise InputError("unknown controls", found=controls, expected=" or ".join(CONTROLS))


def _shared_members(excluded: NeuronSet, controls: str) -> Mapping[Place, list[int]]:
    if excluded.shared is None and controls == "foreign":
        raise InputError(
            "foreign controls leave out the neurons that a language shares with others, and its set does not say which",
            found=f"the set of {excluded.about.get('language', 'a language')} without shared neurons",
            hint="make it anew with `select` from its scores, or use any",
        )
    return _members(NeuronSet(excluded.shape, excluded.shared or {}))


def _members(neurons: NeuronSet) -> dict[Place, list[int]]:
    return {(layer, structure): members for layer, structure, members in neurons.switches()}
