"""How many neurons of sets queries call up."""

from collections.abc import Mapping, Sequence

from mwork_eval.analysis.activity import Activity, observe
from mwork_eval.analysis.queries import distinct_queries
from mwork_eval.application.progress import Progress
from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.fit import check_fit
from mwork_eval.models.layout import Layout
from mwork_eval.models.loading import LoadedModel
from mwork_eval.models.modes import evaluation_mode
from mwork_eval.neurons.neuron_set import NeuronSet


def observe_queries(
    loaded: LoadedModel,
    sets: Mapping[str, NeuronSet],
    texts: Mapping[str, Sequence[str]],
    *,
    max_tokens: int,
    force: bool,
    progress: Progress,
) -> list[Activity]:
    """Count, in each query, the neurons of every set that it calls up.

    Args:
        loaded: The model that the sets were made for.
        sets: The sets by name.
        texts: Queries by language; those that are equal in what is read of them count once.
        max_tokens: Tokens read of a query.
        force: Accept sets made for other weights of the same sizes.
        progress: Where progress goes.

    Raises:
        InputError: If a set does not fit the model.
    """
    layout, fingerprint = Layout.of(loaded.model), fingerprint_of(loaded.model)
    for neurons in sets.values():
        check_fit(neurons, layout.shape, fingerprint, loaded.name, force=force)
    queries = {language: distinct_queries(loaded.tokenizer, own, max_tokens) for language, own in texts.items()}
    with evaluation_mode(loaded.model), progress.bar("profile", sum(map(len, queries.values()))) as advance:
        return observe(Scorer(layout), sets, queries, advance=lambda language, n: advance(f"{language} (queries)", n))
