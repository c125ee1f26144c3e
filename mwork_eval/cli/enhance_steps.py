"""Steps of `mwork enhance`: train the deltas, score them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mwork_eval.errors import InputError

if TYPE_CHECKING:
    from mwork_eval.enhancement.record import Record
    from mwork_eval.neurons.neuron_set import NeuronSet


def train_deltas(
    neurons: Sequence[str],
    texts: Sequence[str],
    folder: Path,
    *,
    model: str,
    device: str | None,
    dtype: str | None,
    device_map: str | None,
    revision: str | None,
    documents: tuple[int, ...],
    skip: int,
    seeds: tuple[int, ...],
    controls: int,
    together: bool,
    force: bool,
    **training: Any,
) -> "Record":
    """Train what is not there yet.

    Args:
        neurons: References to sets or folders of sets.
        texts: `LANGUAGE=SOURCE` of each language.
        folder: The enhancement folder.
        model: The base; the other arguments of its loading as in `load_model`.
        device: See `model`.
        dtype: See `model`.
        device_map: See `model`.
        revision: See `model`.
        documents: Numbers of documents, ascending.
        skip: First documents left out.
        seeds: Seeds of the order of the documents.
        controls: Number of random controls.
        together: Whether all languages are trained at once.
        force: Accept sets made for other weights of the same sizes.
        **training: The other fields of `TrainingOptions`.
    """
    from mwork_eval.detection.corpus.sources import Corpus
    from mwork_eval.enhancement.documents import read_training_text
    from mwork_eval.enhancement.run import Enhancement, enhance
    from mwork_eval.enhancement.training import TrainingOptions
    from mwork_eval.models.loading import load_model, load_tokenizer
    from mwork_eval.neurons.tuned_stages import stages_for

    corpora = [Corpus.parse(text) for text in texts]
    codes = [corpus.language for corpus in corpora]
    if len(set(codes)) < len(codes):
        raise InputError("two corpora for one language", found=" ".join(codes))
    if not documents or documents[0] < 1:
        raise InputError("unusable --documents", found=documents, expected="numbers from 1 such as 100,400")
    sets = sets_of_languages(neurons, codes)
    stages = stages_for(list(sets.values()), next(iter(sets.values())).shape.layers)
    options = TrainingOptions(**training)
    tokenizer = load_tokenizer(model, revision)
    read = {
        corpus.language: read_training_text(
            corpus, tokenizer, count=documents[-1], skip=skip, max_tokens=options.max_tokens
        )
        for corpus in corpora
    }
    plan = Enhancement(sets, read, documents, seeds, controls, together, stages, options, force)
    loaded = load_model(model, device=device, dtype=dtype or "float32", device_map=device_map, revision=revision)
    click.echo(f"{len(plan.runs)} trainings of up to {documents[-1]} documents, in {folder}", err=True)
    return enhance(loaded, plan, folder, tell=lambda line: click.echo(line, err=True))


def sets_of_languages(references: Sequence[str], languages: Sequence[str]) -> "dict[str, NeuronSet]":
    """Return the set of each language: from folders by file name, from single references by the set's own description.

    Raises:
        InputError: If a language has no set, or several.
    """
    from mwork_eval.neurons.references import find_named_sets

    found: dict[str, NeuronSet] = {}
    for name, neurons in find_named_sets(references).items():
        language = name if name in languages else str(neurons.about.get("language"))
        if language in languages:
            if language in found:
                raise InputError("several neuron sets of one language", found=language)
            found[language] = neurons
    if missing := [code for code in languages if code not in found]:
        raise InputError(
            "a corpus has no neuron set", found=" ".join(missing), expected="--neurons with a set of each --corpus"
        )
    return {code: found[code] for code in languages}
