"""Fine-tune the neurons of a set and nothing else, and score what that changes."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mwork_eval.application.arguments import (
    Names,
    Numbers,
    folder_to_write,
    languages_of,
    names_of,
    order_of,
    pivot_of,
    seeds_of,
    shown_value,
    whole_number,
    whole_numbers,
)
from mwork_eval.application.enhancement_results import ChangeTables, EnhancementResults
from mwork_eval.application.enhancement_scores import score_deltas
from mwork_eval.application.model_args import check_not_twice
from mwork_eval.application.model_source import find_model
from mwork_eval.application.object_arguments import check_source, check_texts, language_of, sets_by_language
from mwork_eval.application.progress import Progress, ProgressChoice, Silent, shown
from mwork_eval.application.prompting_arguments import prompting_of
from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.detection.corpus.sources import corpora_of
from mwork_eval.detection.workers import Workers
from mwork_eval.enhancement.documents import read_training_text
from mwork_eval.enhancement.folder import SCORES
from mwork_eval.enhancement.record import SPECIFIC, Record
from mwork_eval.enhancement.run import Enhancement, documents_left, train_deltas
from mwork_eval.enhancement.tables import ChangeTable
from mwork_eval.enhancement.training import TrainingOptions, steps_of
from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import prepare_tasks
from mwork_eval.evaluation.prompting import Prompting
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.languages.table import ENGLISH
from mwork_eval.matrix.options import find_family
from mwork_eval.models.loading import LoadedModel
from mwork_eval.models.random_states import kept_random_states
from mwork_eval.models.tokens import kept_tokenizer
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.pivots import check_made_against
from mwork_eval.neurons.references import find_named_sets
from mwork_eval.processes import is_first_process
from mwork_eval.weight_deltas.delta import load_delta
from mwork_eval.weight_deltas.merge import merge as write_merged

Source = str | Path | Iterable[str]
"""The documents of a language: texts, a file, or a corpus of the hub."""


def enhance(
    model: Any,
    tokenizer: Any = None,
    neurons: str | Path | Sequence[str] | NeuronSet | Mapping[str, NeuronSet] | None = None,
    texts: Source | Mapping[str, Source] | None = None,
    *,
    documents: Numbers = (100, 400),
    document_seeds: Iterable[int] = (0,),
    trained_controls: int = 3,
    together: bool = False,
    training: TrainingOptions | None = None,
    tasks: Names = (),
    languages: str | Iterable[str] = ("en", "zh", "es", "de"),
    limit: int | None = None,
    sample_seed: int | None = None,
    data: str | Path | None = None,
    merge: str | Path | None = None,
    out: str | Path | None = None,
    force: bool = False,
    device: str | None = None,
    dtype: str | None = None,
    device_map: str | None = None,
    revision: str | None = None,
    apply_chat_template: bool | str = False,
    system_instruction: str | None = None,
    num_fewshot: int | None = None,
    fewshot_as_multiturn: bool | None = None,
    gen_kwargs: Mapping[str, Any] | str | None = None,
    model_args: Mapping[str, Any] | None = None,
    progress: ProgressChoice = None,
    pivot: str = ENGLISH,
) -> EnhancementResults:
    """Fine-tune the neurons of sets on a few hundred documents, and as many random ones alike (arXiv:2402.18815).

    A model in memory stays where and what it is, and has its own weights and modes again in the end, also after an
    exception; so have its tokenizer and the random number generators.

    Args:
        model: `gemma3-270m`, a local folder, a hub id, or a model in memory.
        tokenizer: Its tokenizer; that of its name if not given.
        neurons: A set, or sets by language; or what `read_neurons` reads, or several of these.
        texts: By language, the documents, as `detect` takes them; those of a single set need no language.
        documents: Numbers of documents to train on, drawn at random.
        document_seeds: Each takes the documents in another random order, and trains once more.
        trained_controls: Number of random controls to train, too.
        together: Whether all languages are trained at once, with all their neurons.
        training: How to train.
        tasks: Benchmarks, families of lm-eval's tasks, or patterns with `{l}`, on which the base and every delta are
            scored.
        languages: Languages to score, besides the pivot and those of the texts.
        limit: Documents per task to score; None for all.
        sample_seed: Take ``limit`` documents at random, by this seed; evenly spread over the task if not given.
        data: Folder of the upstream files, `embedded`, or None for `MWORK_DATA` or the hub.
        merge: Folder for a complete checkpoint of the base with the last specific delta.
        out: Folder for deltas and scores; the same call goes on where an interrupted one stopped. Without it nothing
            is written and the deltas are in memory.
        force: Accept sets made for other weights of the same sizes.
        device: Of a model that is loaded by name; the next ones too, as `load_model` takes them.
        dtype: See ``device``.
        device_map: See ``device``.
        revision: See ``device``.
        apply_chat_template: Render the tasks' prompts by the tokenizer's chat template; or one's name, of several.
        system_instruction: What stands before the task's own description, as a system message where there are messages.
        num_fewshot: Examples before each question; the task's own number if not given.
        fewshot_as_multiturn: Whether examples are turns of their own; so with a chat template if not given.
        gen_kwargs: Arguments of generation, as a mapping or as `top_k=5,...`; each wins over the task's own.
        model_args: Further arguments of `mwork-hf` and lm-eval's `hf`, such as ``max_length`` or ``peft``.
        progress: Where progress and messages go: bars if not given, nothing with False, or a `Progress`.
        pivot: The language that the others are compared with, and that is scored beside them.

    Raises:
        InputError: If the input is unusable, the sets do not fit the model, data cannot be had, or the folder holds
            deltas of another base or of other options.

    Examples:
        >>> import mwork_eval as mw
        >>> model, tokenizer = mw.load_model("models/tiny-llama", device="cpu")
        >>> found = mw.detect(model, tokenizer, {"en": "embedded", "zh": "embedded"}, max_docs=4)
        >>> zh = found.select(fraction=0.4)["zh"]
        >>> texts = [f"今天是第{n}天，天气很好，我们一起去学校上课。" for n in range(36)]
        >>> made = mw.enhance(model, tokenizer, zh, texts, documents=(4,), trained_controls=1)
        >>> [(one.kind, one.documents) for one in made.trained]
        [('specific', 4), ('random', 4)]
    """
    progress = shown(progress)
    source = find_model(
        model, tokenizer, device=device, dtype=dtype, device_map=device_map, revision=revision, model_args=model_args
    )
    check_not_twice(source.model_args, ("double_bos",))
    prompting = prompting_of(apply_chat_template, system_instruction, num_fewshot, fewshot_as_multiturn, gen_kwargs)
    sizes = tuple(sorted(set(_numbers_of_documents(documents))))
    orders = seeds_of("document_seeds", document_seeds)
    controls = whole_number("trained_controls", trained_controls, at_least=0)
    if not orders:
        raise InputError("unusable document_seeds", found="no seed", expected="whole numbers from 0 such as [0]")
    benchmarks, scored_languages = names_of("tasks", tasks), languages_of(languages)
    limit, order = whole_number("limit", limit, at_least=1, none_is="all"), order_of(sample_seed)
    pivot = pivot_of(pivot)
    data, place, merged = None if data is None else str(data), folder_to_write(out), folder_to_write(merge, "merge")
    if training is not None and not isinstance(training, TrainingOptions):
        raise InputError("unusable training", found=shown_value(training), expected="TrainingOptions")
    if merged is not None and merged.exists() and any(merged.iterdir()):
        raise InputError(f"{merge} is not empty", expected="a new folder for the checkpoint")
    if neurons is None or texts is None:
        raise InputError("neurons are trained on texts", found="no neurons" if neurons is None else "no texts")
    if isinstance(texts, Mapping):
        check_texts(texts)
    else:
        check_source(texts, "texts")
    named = _named(neurons)
    corpora = corpora_of(texts if isinstance(texts, Mapping) else {only_language(named): texts})
    codes = [corpus.language for corpus in corpora]
    if not prompting.is_default and not benchmarks:
        raise InputError("only scores are asked for in a way", found="no `tasks`", expected="`tasks`, such as xquad")
    prompting = source.asking(prompting)
    families = _find_families(benchmarks, [*codes, pivot, *scored_languages], data, prompting, pivot)
    options, workers = training or TrainingOptions(), Workers.join()
    if place is None and workers.count > 1:
        raise InputError("several processes share a folder", found="no folder", expected="out=FOLDER")
    sets = _sets_of(named, codes)
    check_made_against(sets.items(), pivot, force=force)
    steps_of(sizes, options, workers.count)
    with ExitStack() as stack:
        stack.enter_context(source.alone())
        stack.enter_context(kept_random_states())
        stack.enter_context(kept_tokenizer(source.tokenizer))
        read = {
            corpus.language: read_training_text(
                corpus, source.tokenizer, count=sizes[-1], max_tokens=options.max_tokens
            )
            for corpus in corpora
        }
        plan = Enhancement(sets, read, sizes, orders, controls, together, options, force)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()) if place is None else place)
        base = source.load(workers.model_device)
        say = (progress if workers.is_main else Silent()).tell
        where = "" if place is None else f", in {folder}"
        say(f"{len(plan.runs)} trainings of up to {sizes[-1]} documents{where}")
        with progress.bar("train", documents_left(plan, folder), show=workers.is_main) as advance:
            record = train_deltas(base, plan, folder, tell=say, advance=advance)
        if merged is not None and is_first_process():
            _merge_last(base, record, folder, merged, force=force, progress=progress)
        tables: list[ChangeTable] = []
        about: dict[str, Any] = {}
        # lm-eval shares a task only among processes that loaded the model by itself.
        if families and is_first_process():
            scored = {"data": data, "limit": limit, "order": order}
            tables, about = score_deltas(
                base,
                record,
                families,
                folder,
                scored,
                prompting,
                source.model_args,
                pivot=pivot,
                force=force,
                progress=progress,
            )
        in_memory = {one.file: load_delta(folder / one.file) for one in record.deltas} if place is None else {}
    files = ChangeTables(tables, about).write(folder, SCORES) if about and place is not None else []
    return EnhancementResults(tables, about, record, place, tuple(files), in_memory)


def only_language(named: Mapping[str, NeuronSet]) -> str:
    """Return the language of the only set.

    Raises:
        InputError: If there are sets of several languages.
    """
    languages = {language_of(neurons) for neurons in named.values()}
    if len(languages) != 1:
        raise InputError("texts name no language", found=f"sets of {' '.join(sorted(languages))}", expected="one set")
    return languages.pop()


def _named(neurons: str | Path | Sequence[str] | NeuronSet | Mapping[str, NeuronSet]) -> dict[str, NeuronSet]:
    if isinstance(neurons, NeuronSet):
        return {language_of(neurons): neurons}
    if isinstance(neurons, Mapping):
        return sets_by_language(neurons)
    references = [neurons] if isinstance(neurons, (str, Path)) else neurons
    if not isinstance(references, Iterable) or not all(isinstance(one, (str, Path)) for one in references):
        expected = "a set, sets by language such as {'zh': set}, or what read_neurons reads"
        raise InputError("unusable neurons", found=shown_value(neurons), expected=expected)
    return find_named_sets([str(one) for one in references])


def _numbers_of_documents(documents: Any) -> tuple[int, ...]:
    numbers = whole_numbers("`documents`", documents, at_least=1, example="[100, 400]", alone=True)
    if not numbers:
        raise InputError("unusable `documents`", found="none", expected="numbers from 1 such as 100,400")
    return numbers


def _sets_of(named: Mapping[str, NeuronSet], languages: Sequence[str]) -> dict[str, NeuronSet]:
    """Return the set of each language: by its name, as of a file in a folder, else by the set's own description.

    Raises:
        InputError: If a language has no set, or several.
    """
    found: dict[str, NeuronSet] = {}
    for name, neurons in named.items():
        language = name if name in languages else str(neurons.about.get("language"))
        if language in languages:
            if language in found:
                raise InputError("several neuron sets of one language", found=language)
            found[language] = neurons
    if missing := [code for code in languages if code not in found]:
        raise InputError(
            "a corpus has no neuron set",
            found=" ".join(missing),
            expected="`neurons` with a set of each language of `texts`",
        )
    return {code: found[code] for code in languages}


def _find_families(
    benchmarks: Sequence[str], languages: Sequence[str], data: str | None, prompting: Prompting, pivot: str
) -> list[TaskFamily]:
    """Return what to score, checked before a model loads.

    Raises:
        InputError: If a benchmark has none of the languages or not the pivot, or its data cannot be had.
    """
    families = [find_family(name, list(dict.fromkeys(languages)), pivot=pivot) for name in benchmarks]
    # One document of each: data that cannot be had is told before the training, not after.
    names = [family.task(language) for family in families for language in family.languages]
    if names:
        prepare_tasks(names, data=data, sample=Sample(limit=1), prompting=prompting)
    return families


def _merge_last(
    base: LoadedModel, record: Record, folder: Path, merged: Path, *, force: bool, progress: Progress
) -> None:
    """Write the base with the last specific delta as a complete checkpoint, and say how many entries differ."""
    last = [delta for delta in record.deltas if delta.kind == SPECIFIC][-1]
    changed = write_merged(base, load_delta(folder / last.file), merged, force=force)
    progress.tell(f"{merged}: {last.file} merged; {changed} of {last.parameters} trained entries differ from the base")
