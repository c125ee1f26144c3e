"""Sets that are looked at together: those of folders, or all neurons of whole languages."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mwork_eval.detection.score_table import load_score_tables
from mwork_eval.detection.selection import Selection, select_specific
from mwork_eval.errors import InputError
from mwork_eval.languages.pivot import Pivot
from mwork_eval.languages.table import ENGLISH
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import SUFFIX, find_named_sets
from mwork_eval.neurons.stages import Stages
from mwork_eval.neurons.tuned_stages import stages_for


class NamedSets(NamedTuple):
    """Sets of one model by name, and its stages."""

    sets: dict[str, NeuronSet]
    stages: Stages

    @classmethod
    def find(cls, references: Sequence[str], understanding: int | None, generation: int | None) -> "NamedSets":
        """Find sets, under short names if these differ.

        Args:
            references: Folders of sets, or single ones.
            understanding: Number of first layers that understand, or None for the sets' own or a quarter.
            generation: Number of last layers that generate, or None for the sets' own or an eighth.

        Raises:
            InputError: If something is not found, two sets have one name, or the stages do not fit.
        """
        found = find_named_sets(references)
        short = {name: Path(name.removesuffix(SUFFIX)).name or name for name in found}
        sets = {short[name]: one for name, one in found.items()} if len(set(short.values())) == len(found) else found
        layers = next(iter(sets.values())).shape.layers
        return cls(sets, stages_for(list(sets.values()), layers, understanding, generation))

    @classmethod
    def of_whole_languages(
        cls, folder: str, selection: Selection, understanding: int | None, generation: int | None, pivot: str = ENGLISH
    ) -> "NamedSets":
        """Select all neurons of every language that a folder has scores of, the pivot first.

        Args:
            folder: What `mwork detect` wrote to.
            selection: A rule that takes nothing away.
            understanding: See `find`.
            generation: See `find`.
            pivot: The language that the others are compared with.

        Raises:
            InputError: If there are no scores, or none of the pivot.
        """
        found = select_specific(load_score_tables(Path(folder)), selection)
        if pivot not in found:
            raise InputError(
                f"{folder} has no scores of {Pivot(pivot).name}",
                found=" ".join(found),
                hint=f"detect with --corpus {pivot}=SOURCE, too",
            )
        sets = {language: found[language] for language in sorted(found, key=lambda code: (code != pivot, code))}
        layers = sets[pivot].shape.layers
        return cls(sets, stages_for(list(sets.values()), layers, understanding, generation))
