"""Steps of `mwork enhance`: train the deltas, score them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mwork_eval.cli import steps
from mwork_eval.cli.matrix_progress import matrix_progress, tell
from mwork_eval.cli.progress import progress
from mwork_eval.errors import InputError

if TYPE_CHECKING:
    from mwork_eval.benchmarks.task_family import TaskFamily
    from mwork_eval.enhancement.record import Record
    from mwork_eval.evaluation.sampling import Order
    from mwork_eval.models.loading import LoadedModel
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
    seeds: tuple[int, ...],
    controls: int,
    together: bool,
    force: bool,
    **training: Any,
) -> "tuple[LoadedModel, Record]":
    """Train what is not there yet; returns the base, as it was, and what the folder holds.

    Args:
        neurons: References to sets or folders of sets.
        texts: `LANGUAGE=SOURCE` of each language; `SOURCE` is enough for a single set.
        folder: The enhancement folder.
        model: The base; the other arguments of its loading as in `load_model`.
        device: See `model`.
        dtype: See `model`.
        device_map: See `model`.
        revision: See `model`.
        documents: Numbers of documents, ascending.
        seeds: Seeds of the order of the documents.
        controls: Number of random controls.
        together: Whether all languages are trained at once.
        force: Accept sets made for other weights of the same sizes.
        **training: The other fields of `TrainingOptions`.
    """
    from mwork_eval.detection.workers import Workers
    from mwork_eval.enhancement.documents import read_training_text
    from mwork_eval.enhancement.run import Enhancement, documents_left, enhance
    from mwork_eval.enhancement.training import TrainingOptions, steps_of
    from mwork_eval.models.loading import load_model, load_tokenizer

    corpora = steps.make_corpora([_with_language(text, neurons) for text in texts], None)
    codes = [corpus.language for corpus in corpora]
    if not documents or documents[0] < 1:
        raise InputError("unusable --documents", found=documents, expected="numbers from 1 such as 100,400")
    sets = sets_of_languages(neurons, codes)
    options, workers = TrainingOptions(**training), Workers.join()
    steps_of(documents, options, workers.count)
    tokenizer = load_tokenizer(model, revision)
    read = {
        corpus.language: read_training_text(corpus, tokenizer, count=documents[-1], max_tokens=options.max_tokens)
        for corpus in corpora
    }
    plan = Enhancement(sets, read, documents, seeds, controls, together, options, force)
    device = device or workers.model_device
    loaded = load_model(model, device=device, dtype=dtype, device_map=device_map, revision=revision)
    say = tell if workers.is_main else lambda line: None
    say(f"{len(plan.runs)} trainings of up to {documents[-1]} documents, in {folder}")
    with progress("train", documents_left(plan, folder), show=workers.is_main) as advance:
        return loaded, enhance(loaded, plan, folder, tell=say, advance=advance)


def _with_language(text: str, references: Sequence[str]) -> str:
    """Give a corpus that names no language that of the only set."""
    from mwork_eval.neurons.references import find_named_sets

    if "=" in text:
        return text
    languages = {str(neurons.about.get("language")) for neurons in find_named_sets(references).values()}
    return f"{languages.pop()}={text}" if len(languages) == 1 else text


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


def find_families(
    benchmarks: Sequence[str], languages: Sequence[str], texts: Sequence[str], neurons: Sequence[str], data: str | None
) -> "list[TaskFamily]":
    """Return what to score, checked before a model loads.

    Args:
        benchmarks: Benchmarks, or patterns with `{l}`.
        languages: Languages to score; those of the corpora and English are added.
        texts: The corpora.
        neurons: References to the sets.
        data: Where the tasks' data comes from.

    Raises:
        InputError: If a benchmark has none of the languages, or its data cannot be had.
    """
    from mwork_eval.evaluation.evaluate import prepare_tasks
    from mwork_eval.evaluation.sampling import Sample
    from mwork_eval.languages.table import ENGLISH
    from mwork_eval.matrix.options import find_family

    own = [_with_language(text, neurons).partition("=")[0] for text in texts]
    families = [find_family(name, list(dict.fromkeys([*own, ENGLISH, *languages]))) for name in benchmarks]
    # One document of each: data that cannot be had is told before the training, not after.
    names = [family.task(language) for family in families for language in family.languages]
    prepare_tasks(names, data=data, sample=Sample(limit=1))
    return families


def merge_last(base: "LoadedModel", record: "Record", folder: Path, merged: Path, *, force: bool) -> None:
    """Write the base with the last specific delta as a complete checkpoint, and say how many entries differ.

    Args:
        base: The base.
        record: What the enhancement folder holds.
        folder: The enhancement folder.
        merged: Where the checkpoint goes.
        force: Accept a delta of other weights of the same sizes.
    """
    from mwork_eval.enhancement.record import SPECIFIC
    from mwork_eval.processes import is_first_process
    from mwork_eval.weight_deltas.delta import load_delta
    from mwork_eval.weight_deltas.merge import merge

    if not is_first_process():
        return
    last = [delta for delta in record.deltas if delta.kind == SPECIFIC][-1]
    changed = merge(base, load_delta(folder / last.file), merged, force=force)
    tell(f"{merged}: {last.file} merged; {changed} of {last.parameters} trained entries differ from the base")


def score_deltas(
    base: "LoadedModel",
    record: "Record",
    families: "Sequence[TaskFamily]",
    folder: Path,
    *,
    data: str | None,
    limit: int | None,
    order: "Order",
    force: bool,
    plot: bool,
) -> None:
    """Score the base and every delta of a folder, show what changed, and write `improvement.md` and `.json`.

    Args:
        base: The base, without a delta.
        record: What the folder holds.
        families: What to score.
        folder: The enhancement folder.
        data: Where the tasks' data comes from.
        limit: Documents per task, or None for all.
        order: Which ones, as `Sample` takes it.
        force: Accept deltas of other weights of the same sizes.
        plot: Whether to draw the changes as SVG and PNG.
    """
    from rich.console import Console

    from mwork_eval.digests import write_text_atomically
    from mwork_eval.enhancement.changes import change_tables
    from mwork_eval.enhancement.folder import describe_cells
    from mwork_eval.enhancement.scores import compute_scores, count_left_out, plan_scores, stored_scores
    from mwork_eval.lm.model import MworkHF
    from mwork_eval.matrix.identity import ModelFacts
    from mwork_eval.processes import is_first_process
    from mwork_eval.reports.plots import FORMATS, write_figures
    from mwork_eval.results.store import CellStore
    from mwork_eval.views import improvement as report
    from mwork_eval.views.improvement_plot import plot_improvement

    # lm-eval shares a task only among processes that loaded the model by itself.
    if not is_first_process():
        return
    model = MworkHF(base.model, tokenizer=base.tokenizer)
    plan = plan_scores(ModelFacts.of(model, base.name), record, families, data=data, limit=limit, order=order)
    left_out = count_left_out(plan)
    for name, count in left_out.items():
        tell(f"{name}: {count} documents that training saw are left out")
    for family in families:
        if lacking := [code for code in family.missing if code in record.seen]:
            tell(f"{family.name} has no {', '.join(lacking)}, which was trained: no table of it")
    with matrix_progress(plan, folder, what="evaluate") as advance:
        compute_scores(model, plan, folder, force=force, advance=advance, tell=tell)
    tables = change_tables(record.deltas, families, stored_scores(plan, CellStore(folder)))
    about = {
        "model": record.model,
        "fingerprint": record.fingerprint,
        "options": dict(record.options),
        "tasks": [family.name for family in families],
        "data": data,
        "limit": limit,
        "order": order,
        "left_out": left_out,
        **describe_cells(plan, families),
    }
    write_text_atomically(folder / "improvement.json", report.improvement_as_json(tables, about))
    write_text_atomically(folder / "improvement.md", report.improvement_as_markdown(tables))
    written = [folder / "improvement.json", folder / "improvement.md"]
    if plot:
        written += write_figures({"improvement": lambda: plot_improvement(tables)}, folder, FORMATS)
    report.print_improvement(tables, Console(soft_wrap=False))
    tell("written: " + ", ".join(map(str, written)))
