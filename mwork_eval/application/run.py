"""Detect, ablate and report in one go."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mwork_eval.application.ablate import compute_matrix
from mwork_eval.application.detect import detect_corpora
from mwork_eval.application.detection import save_sets
from mwork_eval.application.matrix_arguments import asked_of, check_task_data, with_set_draws
from mwork_eval.application.matrix_results import MatrixResults
from mwork_eval.application.model_source import ModelSource
from mwork_eval.application.progress import ProgressChoice, shown
from mwork_eval.detection.corpus.documents import DocumentRules
from mwork_eval.detection.corpus.sources import Corpus
from mwork_eval.detection.detect import DetectOptions
from mwork_eval.detection.selection import Selection
from mwork_eval.errors import InputError
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.serial_engine import SerialEngine
from mwork_eval.models.loading import LoadedModel
from mwork_eval.neurons.neuron_set import NeuronSet


def run(
    source: ModelSource,
    corpora: Sequence[Corpus],
    rules: DocumentRules,
    selection: Selection,
    detection: DetectOptions,
    matrix: MatrixOptions,
    out: Path,
    *,
    set_draws: int | None = None,
    activations: bool = False,
    progress: ProgressChoice = None,
) -> MatrixResults:
    """Detect a set of neurons for every language of a matrix, and compute the matrix with them.

    The model is loaded once, or is one in memory. Scores and sets go into the folder `neurons` of the results folder.

    Args:
        source: The model.
        corpora: The texts of each language.
        rules: Which of their documents are read.
        selection: Which neurons are taken.
        detection: How they are scored.
        matrix: The matrix; its languages are those of the corpora.
        out: The results folder.
        set_draws: Also the sets of this many random halves of the documents.
        activations: Whether the sets know typical activations, for interventions that need them.
        progress: Where progress goes: bars if not given, nothing with False, or a `Progress`.

    Raises:
        InputError: If texts, tasks or their data cannot be had, no neuron is found, or the folder holds results of
            another model.
    """
    say, neurons = shown(progress), out / "neurons"
    check_task_data(matrix)
    matrix = asked_of(matrix, source)
    with source.opened() as lm:
        loaded = LoadedModel(source.name, lm.model, lm.tokenizer)
        scored = detect_corpora(loaded, corpora, rules, detection, neurons, set_draws=set_draws, progress=say)
        assert scored is not None  # one process does all
        found = save_sets(scored, selection, neurons, say.tell, activations=activations)
        sets = _of_languages(found, matrix, selection)
        matrix = with_set_draws(matrix, neurons, sets, set_draws)
        has_tables = compute_matrix(SerialEngine(lm, source.name), sets, matrix, out, progress=say)
    return MatrixResults(out, has_tables=has_tables).as_it_is()


def _of_languages(found: Mapping[str, NeuronSet], matrix: MatrixOptions, selection: Selection) -> dict[str, NeuronSet]:
    languages = [code for code in matrix.languages if code != matrix.pivot]
    if missing := [code for code in languages if code not in found]:
        raise InputError(
            f"the detector {selection.detector} finds no neuron of {' '.join(missing)}",
            found=f"neurons of {' '.join(found)}",
            hint="select more with `fraction`, or leave the language out",
        )
    return {code: found[code] for code in languages}
