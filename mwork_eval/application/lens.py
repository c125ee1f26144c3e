"""Look through a lens: what language the layers of a model think in."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mwork_eval.analysis.lens_file import LensReport, write_lens
from mwork_eval.analysis.masks import choose_masks
from mwork_eval.analysis.queries import prompts_of_tasks, texts_of
from mwork_eval.analysis.token_language import require_identifier
from mwork_eval.analysis.word_list import load_word_list
from mwork_eval.application.arguments import (
    Names,
    folder_to_write,
    languages_of,
    names_of,
    one_of,
    order_of,
    pivot_of,
    positions_of,
    seeds_of,
    shown_value,
    whole_number,
)
from mwork_eval.application.lens_looks import look_at_texts, look_at_words_of
from mwork_eval.application.lens_results import LensResults
from mwork_eval.application.model_args import shown_model_args
from mwork_eval.application.model_source import find_model
from mwork_eval.application.object_arguments import check_texts, sets_by_language
from mwork_eval.application.progress import Progress, ProgressChoice, shown
from mwork_eval.application.prompting_arguments import prompting_of
from mwork_eval.benchmarks.data import check_data
from mwork_eval.detection.corpus.sources import corpora_of
from mwork_eval.errors import InputError
from mwork_eval.languages.pivot import Pivot
from mwork_eval.languages.table import ENGLISH, base_of
from mwork_eval.matrix.options import look_up_family
from mwork_eval.models.layout import Layout
from mwork_eval.models.modes import evaluation_mode
from mwork_eval.models.random_states import kept_random_states
from mwork_eval.models.tokens import kept_tokenizer
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.pivots import check_made_against
from mwork_eval.neurons.references import find_language_sets

DEFAULT_LANGUAGES = ("zh", "de", "es", "ru")
DEFAULT_QUERIES = 8
"""Queries per language and task."""


def lens(
    model: Any,
    tokenizer: Any = None,
    texts: Mapping[str, str | Path | Iterable[str]] | None = None,
    *,
    method: Literal["tokens", "words"] = "tokens",
    tasks: Names = ("xquad",),
    languages: str | Iterable[str] | None = None,
    neurons: str | Path | Mapping[str, NeuronSet] | None = None,
    positions: str = "under",
    seeds: Iterable[int] = (),
    limit: int | None = None,
    max_tokens: int = 512,
    k: int = 5,
    weight: Literal["count", "probability"] = "count",
    prompt: Literal["translation", "repetition"] = "translation",
    data: str | Path | None = None,
    sample_seed: int | None = None,
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
) -> LensResults:
    """Decode the hidden states of every layer and tell which language comes out.

    Every layer's states go through the final norm and the output head, as if the layer were the last one (the logit
    lens; Section 2 of arXiv:2402.18815, and for words arXiv:2402.10588). A model in memory stays where and what it is;
    its weights and modes are as before afterwards, also after an exception.

    Args:
        model: `gemma3-270m`, a local folder, a hub id, or a model in memory.
        tokenizer: Its tokenizer; that of its name if not given.
        texts: By language, the queries that are read: a list, a file, a hub corpus, as `detect` takes them; if not
            given, the prompts of ``tasks``.
        method: `tokens`: languages of the best tokens at every position. `words`: probability of one word in both
            languages.
        tasks: Benchmarks, families of lm-eval's tasks, or patterns with `{l}`, whose prompts are read.
        languages: Languages of the prompts or words, without the pivot; of zh, de, es and ru if not given.
        neurons: Sets by language, or a folder of them: also look with each language's set deactivated.
        positions: Where to deactivate: positions joined by `+`, or `all`.
        seeds: Of random controls: also deactivate as many random neurons at the same positions.
        limit: Queries per language and task; 8 if not given, and for words all.
        max_tokens: Tokens read of a query.
        k: Best tokens looked at, at each position.
        weight: Whether a token counts as one or by its probability.
        prompt: For words: translate them (never from English), or say them again.
        data: Folder of the upstream files, `embedded`, or None for `MWORK_DATA` or the hub.
        sample_seed: Take ``limit`` documents at random, by this seed; evenly spread over the task if not given.
        out: Folder to write `lens-METHOD.jsonl` to; nothing is written if not given.
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
        pivot: The language that those of the queries are compared with.

    Raises:
        InputError: If the input is unusable, data or an extra is missing, or a set does not fit the model.

    Examples:
        >>> import mwork_eval as mw
        >>> model, tokenizer = mw.load_model("models/tiny-llama", device="cpu")
        >>> found = mw.lens(model, tokenizer, {"zh": ["今天天气很好。", "我们去学校。"]})
        >>> [curves.language for curves in found.curves], len(found.curves[0].shares)
        (['zh'], 4)
    """
    progress = shown(progress)
    source = find_model(
        model, tokenizer, device=device, dtype=dtype, device_map=device_map, revision=revision, model_args=model_args
    )
    prompting = prompting_of(apply_chat_template, system_instruction, num_fewshot, fewshot_as_multiturn, gen_kwargs)
    one_of("method", method, ("tokens", "words"))
    one_of("weight", weight, ("count", "probability"))
    one_of("prompt", prompt, ("translation", "repetition"))
    default = "every word" if method == "words" else f"{DEFAULT_QUERIES}"
    limit = whole_number("limit", limit, at_least=1, none_is=default)
    k, max_tokens = whole_number("k", k, at_least=1), whole_number("max_tokens", max_tokens, at_least=1)
    names, data, order = names_of("tasks", tasks), None if data is None else str(data), order_of(sample_seed)
    drawn, positions = seeds_of("seeds", seeds), positions_of(positions)
    folder, asked_for = folder_to_write(out), None if languages is None else languages_of(languages)
    if texts is not None:
        check_texts(texts)
    corpora = [] if texts is None else corpora_of(texts)
    if corpora and (asked_for or method == "words"):
        raise InputError("each of `texts` brings its own language, words come from a list", found="both")
    if not names and not corpora and method == "tokens":
        raise InputError("no task given", found="tasks=[]", expected="benchmarks such as xquad")
    if not prompting.is_default and (corpora or method == "words"):
        raise InputError("only the prompts of tasks are asked in a way", found="`texts` or words", expected="`tasks`")
    if drawn and neurons is None:
        raise InputError("random controls have the size of a set", found="no neurons")
    pivot = pivot_of(pivot)
    default_languages = [code for code in DEFAULT_LANGUAGES if code != base_of(pivot)]
    codes = [corpus.language for corpus in corpora] or asked_for or default_languages
    if own := [code for code in codes if base_of(code) == base_of(pivot)]:
        name = Pivot(pivot).name
        raise InputError(f"{name} is what the others are compared with", found=own[0], expected="other languages")
    if method == "words":
        for code in codes:
            load_word_list().prompts(code, prompt, pivot)
    sets = {} if neurons is None else _sets_of(neurons, codes)
    check_made_against(sets.items(), pivot, force=force)
    prompts: Mapping[str, Sequence[str]] = {}
    if method == "tokens":
        if not corpora:
            codes = _languages_with_data(names, codes, data, progress)
        require_identifier(codes if pivot == ENGLISH else [*codes, pivot])
        most = limit or DEFAULT_QUERIES
        prompting = source.asking(prompting)
        prompts = (
            texts_of(corpora, most)
            if corpora
            else prompts_of_tasks(names, codes, data=data, limit=most, order=order, prompting=prompting)
        )
    with kept_random_states():
        loaded = source.load()
    layout = Layout.of(loaded.model)
    asked: dict[str, Any]
    with source.alone(), evaluation_mode(loaded.model), kept_tokenizer(loaded.tokenizer):
        masks = choose_masks(layout, source.name, sets, positions=positions, seeds=drawn, force=force)
        if method == "tokens":
            looked = look_at_texts(layout, loaded.tokenizer, prompts, masks, max_tokens, k, weight, pivot, progress)
            sources = [f"{corpus.language}={corpus.source}" for corpus in corpora]
            asked = {"tasks": None if corpora else names, "texts": sources or None, "data": data}
            asked |= {"order": None if corpora else order, "k": k, "weight": weight, "max_tokens": max_tokens}
            if (said := prompting.record()) is not None:
                asked |= {"prompting": said.to_values()}
        else:
            looked = look_at_words_of(layout, loaded.tokenizer, codes, masks, prompt, limit, pivot, progress)
            asked = {"prompt": prompt}
    about = {"method": method, "model": source.name, **asked, "neurons": _describe(neurons)}
    about |= {} if pivot == ENGLISH else {"pivot": pivot}
    about |= {"model_args": shown_model_args(source.model_args)} if source.model_args else {}
    report = LensReport(about | {"positions": None if neurons is None else positions}, looked)
    return LensResults(report.about, looked, () if folder is None else (write_lens(report, folder),))


def _sets_of(neurons: str | Path | Mapping[str, NeuronSet], codes: list[str]) -> dict[str, NeuronSet]:
    if isinstance(neurons, (str, Path)):
        return find_language_sets(str(neurons), codes)
    if not isinstance(neurons, Mapping):
        raise InputError("unusable neurons", found=shown_value(neurons), expected="sets by language, or a folder")
    given = sets_by_language(neurons) if neurons else {}
    if missing := [code for code in codes if code not in given]:
        raise InputError("a language has no neuron set", found=" ".join(missing), expected="a set of each language")
    return {code: given[code] for code in codes}


def _describe(neurons: str | Path | Mapping[str, NeuronSet] | None) -> Any:
    """Return what the file says of the sets: where they are from, or the digests of those in memory."""
    if isinstance(neurons, Mapping):
        return {code: own.digest_unordered for code, own in sets_by_language(neurons).items()}
    return None if neurons is None else str(neurons)


def _languages_with_data(
    tasks: Sequence[str], languages: Sequence[str], data: str | None, progress: Progress
) -> list[str]:
    """Return the languages whose tasks' data is there, and say which are left out, and why.

    Raises:
        InputError: If no language is left.
    """
    found, families = [], [look_up_family(task, languages) for task in tasks]
    for language in languages:
        try:
            check_data([family.task(language) for family in families], data)
            if lacking := [family.name for family in families if family.tasks and language in family.missing]:
                raise InputError(f"no {language}", found=" ".join(lacking))
        except InputError as error:
            if len(languages) == 1:
                raise
            progress.tell(f"{language} is left out: {error}")
        else:
            found.append(language)
    if not found:
        raise InputError("no language has data", found=" ".join(languages), hint="see the messages above")
    return found
