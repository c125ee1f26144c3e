"""LAPE, language activation probability entropy (Tang et al. 2024, arXiv:2402.16438): neurons active in few languages.

p is the share of a language's tokens for which act(gate) is above 0 (act(up) without a gate). The p of a neuron,
divided by their sum over languages, have an entropy; it is low where few languages use the neuron. Neurons that no
language uses much are dropped, those of the lowest entropy stay, and each goes to the languages that use it much: a
neuron may belong to several languages, and a language may have none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mwork_eval.detection.detectors.detector import Arguments, arguments_of
from mwork_eval.detection.detectors.pool import Floats, Integers, Pool, sets_of_orders
from mwork_eval.errors import InputError
from mwork_eval.neurons.neuron_set import NeuronSet

if TYPE_CHECKING:
    from mwork_eval.detection.score_table import ScoreTable
    from mwork_eval.detection.selection import Selection


class LapeArguments(Arguments):
    """What LAPE can be told; the defaults are the publication's.

    Attributes:
        filter: Quantile of all p that a neuron must exceed in some language.
        bar: Quantile of all p that it must exceed in a language to belong to it.
        attention: Also q, k, v, which LAPE is not defined for: the share of tokens whose projection is above 0,
            quantiles and fractions by structure.
    """

    filter: float = Field(0.95, gt=0, le=1)
    bar: float = Field(0.95, gt=0, le=1)
    attention: bool = False


class Lape:
    """Takes the neurons of the lowest entropy over languages."""

    needs = ("activations",)
    structures = ("up",)
    attention = ("q", "k", "v")
    rules = ("fraction", "count")
    arguments = LapeArguments
    cost = "1 forward"

    def select(self, tables: "Sequence[ScoreTable]", selection: "Selection") -> dict[str, NeuronSet]:
        """Select of all languages at once: `fraction` is that of the model's neurons that stay."""
        given = arguments_of("lape", selection.arguments)
        assert isinstance(given, LapeArguments)
        check_languages(tables, selection)

        def entropies(shares: Floats) -> Floats:
            return _filtered(entropy_of(shares), shares, given.filter)

        pools = Pool.of(tables, selection)
        found = {name: (pool, activation_shares(pool, tables)) for name, pool in pools.structures().items()}
        return assigned_sets([Assigned(p, s, entropies(s), given.bar) for p, s in found.values()], tables, selection)


DETECTOR = Lape()


def check_languages(tables: "Sequence[ScoreTable]", selection: "Selection") -> None:
    """Check that there are languages to tell apart.

    Raises:
        InputError: If there is one alone.
    """
    if len(tables) < 2:
        found = " ".join(table.about["language"] for table in tables)
        raise InputError(f"the detector {selection.detector} sees all languages at once", found=found, expected="two")


def activation_shares(pool: Pool, tables: "Sequence[ScoreTable]") -> Floats:
    """Return p, the share of tokens for which each neuron is active in each language `[neurons, languages]`."""
    return np.stack([pool.row(table, "over_zero") / table.about["activation_tokens"] for table in tables], -1)


def entropy_of(shares: Floats) -> Floats:
    """Return the entropy in nats over languages of each neuron's shares, divided by their sum `[neurons]`.

    Args:
        shares: `[neurons, languages]`, not negative; a neuron without any has entropy 0.
    """
    total = shares.sum(-1, keepdims=True)
    normed = np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)
    logs = np.log(normed, out=np.zeros_like(shares), where=normed > 0)
    entropies: Floats = -(normed * logs).sum(-1)
    return entropies


def quantile(shares: Floats, level: float) -> float:
    """Return the value that a share must exceed: the round(n · level)-th smallest of all n, counted from 1."""
    flat = shares.ravel()
    place = min(max(round(flat.size * level), 1), flat.size) - 1
    return float(np.partition(flat, place)[place])


def _filtered(entropies: Floats, shares: Floats, level: float) -> Floats:
    """Return entropies with infinity for neurons that exceed a quantile of all shares in no language."""
    return np.where((shares > quantile(shares, level)).any(-1), entropies, np.inf)


@dataclass(frozen=True)
class Assigned:
    """Neurons with an order of all, and shares that say whose they are.

    Attributes:
        pool: The neurons.
        shares: `[neurons, languages]`.
        weaknesses: The lowest is the first of all languages; infinity for those that are dropped `[neurons]`.
        bar: Quantile of all shares that a neuron must exceed in a language to belong to it.
    """

    pool: Pool
    shares: Floats
    weaknesses: Floats
    bar: float

    @property
    def order(self) -> Integers:
        """Indices of the neurons that are not dropped, the lowest weakness first; equal ones by index."""
        order = np.argsort(self.weaknesses, kind="stable")
        return order[np.isfinite(self.weaknesses[order])]

    @property
    def belongs(self) -> npt.NDArray[np.bool_]:
        """Whether each neuron belongs to each language `[neurons, languages]`, truth values."""
        return np.asarray(self.shares > quantile(self.shares, self.bar))

    def first(self, fraction: float) -> Integers:
        """Return the indices of the first fraction of all neurons, or of those that are not dropped."""
        return self.order[: round(fraction * len(self.pool))]


def assigned_sets(
    parts: Sequence[Assigned], tables: "Sequence[ScoreTable]", selection: "Selection"
) -> dict[str, NeuronSet]:
    """Return each language's neurons among the first of all.

    By `fraction` the first of each part stay, and each goes to its languages. By `count` each language gets as many of
    its neurons as are asked for, the first of them.

    Raises:
        InputError: If a language has none, or fewer.
    """
    whole = Pool(parts[0].pool.shape, tuple(place for part in parts for place in part.pool.places))
    starts = np.cumsum([0, *(len(part.pool) for part in parts)])
    kept = [part.order if selection.count else part.first(selection.fraction or 0.0) for part in parts]
    weaknesses = np.concatenate([part.weaknesses[own] for part, own in zip(parts, kept, strict=True)])
    order = np.argsort(weaknesses, kind="stable")
    indices = np.concatenate([own + start for own, start in zip(kept, starts, strict=False)])[order]
    belongs = np.concatenate([part.belongs[own] for part, own in zip(parts, kept, strict=True)])[order]
    orders = {table.about["language"]: indices[belongs[:, number]] for number, table in enumerate(tables)}
    if selection.count:
        return sets_of_orders(whole, orders, tables, selection)
    about = {table.about["language"]: {**table.about, "selection": selection.to_json()} for table in tables}
    if not any(len(order) for order in orders.values()):
        raise InputError(
            "nothing selected", found="no neuron of any language", hint="raise `fraction`, or lower the bar"
        )
    return {code: whole.neurons(own, about[code]) for code, own in orders.items() if len(own)}
