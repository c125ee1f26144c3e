"""No detector: random neurons of the whole model, which every detector has to beat."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from mwork_eval.detection.detectors.detector import Arguments, arguments_of
from mwork_eval.detection.detectors.pool import Pool, sets_of_orders
from mwork_eval.digests import digest_of
from mwork_eval.neurons.neuron_set import NeuronSet

if TYPE_CHECKING:
    from mwork_eval.detection.score_table import ScoreTable
    from mwork_eval.detection.selection import Selection


class RandomArguments(Arguments):
    """What it can be told.

    Attributes:
        seed: Seed of the draws; each language has its own.
    """

    seed: int = Field(0, ge=0)


class Random:
    """Draws neurons, every one as likely; random controls of a set draw as many of each layer and structure."""

    needs = ()
    structures = ("q", "k", "v", "up")
    attention = ()
    rules = ("fraction", "count")
    arguments = RandomArguments
    cost = "none"

    def select(self, tables: "Sequence[ScoreTable]", selection: "Selection") -> dict[str, NeuronSet]:
        """Draw each language's neurons; a smaller set of one seed is a part of a larger one."""
        given = arguments_of("random", selection.arguments)
        assert isinstance(given, RandomArguments)
        pool = Pool.of(tables, selection)
        orders = {}
        for table in tables:
            own = int(digest_of([table.about["language"], selection.structures]), 16)
            orders[table.about["language"]] = np.random.default_rng([given.seed, own]).permutation(len(pool))
        return sets_of_orders(pool, orders, tables, selection)


DETECTOR = Random()
