"""Look through a lens at several languages, with and without their neurons."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from mwork_eval.analysis.shares import Curves
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet

Q = TypeVar("Q")


def look_with_masks(
    layout: Layout,
    queries: Mapping[str, Sequence[Q]],
    masks: Mapping[str, Mapping[str, NeuronSet]],
    look: Callable[[str, Sequence[Q], str | None], Curves],
) -> Iterator[Curves]:
    """Yield the curves of each language: of the whole model, then under each of the language's masks.

    Args:
        layout: The model; unmasked again after each mask.
        queries: Per language, what is looked at.
        masks: Per language, by name, what is deactivated.
        look: Takes the language, its queries, and the name of the mask or None.
    """
    for language, of_language in queries.items():
        yield look(language, of_language, None)
        for name, neurons in masks.get(language, {}).items():
            with Intervention(neurons).apply(layout):
                curves = look(language, of_language, name)
            yield curves
