"""What a card says of sets: how many neurons, of which texts, by which detector."""

from collections.abc import Mapping, Sequence
from typing import Any

from mwork_eval.detection.detectors.detector import PLND
from mwork_eval.languages.table import find_language
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.stages import POSITIONS, Stages
from mwork_eval.neurons.tuned_stages import stages_for
from mwork_eval.publishing.contents import Contents
from mwork_eval.reports.markdown_text import Markdown, escape, table
from mwork_eval.results.summaries.shown_names import shown_name

_UNKNOWN = "not known"
_EMBEDDED = "embedded"


def language_name(tag: str) -> str:
    """Return the English name of a language, or its tag if that is none."""
    return find_language(tag).name


def languages_of(contents: Contents) -> list[str]:
    """Return the tags of the languages that the sets are of, or else those of scores and deltas, each once."""
    found = [neurons.about.get("language") for _, _, neurons in contents.every_set()]
    if not any(found):
        found = [about.get("language") for about in contents.tables.values()]
        found += [tag for about in contents.deltas.values() for tag in _listed(about.get("languages"))]
    return list(dict.fromkeys(str(tag) for tag in found if tag))


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def selection_of(about: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the rule by which a set was selected; None if it is not recorded, or not as selections record it."""
    selection = about.get("selection")
    if not isinstance(selection, Mapping):
        return None
    threshold, structures = selection.get("threshold"), selection.get("structures", ())
    thresholds = list(threshold.values()) if isinstance(threshold, Mapping) else [threshold]
    numbers = [*thresholds, *(selection.get(name) for name in ("fraction", "top_k", "count"))]
    names = [selection.get(name) for name in ("detector", "specific", "pivot")]
    is_whole = (
        all(one is None or (isinstance(one, int | float) and not isinstance(one, bool)) for one in numbers)
        and all(one is None or isinstance(one, str) for one in names)
        and isinstance(structures, list | tuple)
    )
    return selection if is_whole else None


def detectors_of(contents: Contents) -> list[str]:
    """Return the names of the detectors that selected the sets; the one without a name is PLND."""
    found = []
    for _, _, neurons in contents.every_set():
        if (selection := selection_of(neurons.about)) is not None:
            found.append(str(selection.get("detector") or PLND))
    return list(dict.fromkeys(found))


def set_table(sets: Mapping[str, NeuronSet]) -> str:
    """Return a table of sets: neurons, their share, where they are, and the texts they were found in."""
    stages = stages_of(sets.values())
    shared = any(neurons.shared is not None for neurons in sets.values())
    columns = ["set", "language", "neurons", "of all", *POSITIONS, *(["shared"] if shared else [])]
    with_texts = not texts_in_common(list(sets.values()))
    columns += ["documents", "tokens", "corpus"] if with_texts else []
    return table(columns, (_row(name, one, stages, shared, with_texts=with_texts) for name, one in sets.items()))


def texts_in_common(sets: Sequence[NeuronSet]) -> list[str]:
    """Say in a sentence what texts all sets were found in, if they are as many and of one corpus; else nothing."""
    said = {tuple(_texts(neurons.about)) for neurons in sets}
    if len(said) != 1 or "?" in (texts := said.pop()):
        return []
    documents, tokens, corpus = texts
    named = "the texts that come with mwork-eval (`embedded`)" if corpus == _EMBEDDED else f"`{escape(corpus)}`"
    return [f"Found in {documents} documents of each language, {tokens} tokens, of {named}."]


def stages_of(sets: Any) -> Stages:
    """Return the stages that sets were tuned to, or the default ones of their model."""
    listed = list(sets)
    return stages_for(listed, listed[0].shape.layers)


def _row(name: str, neurons: NeuronSet, stages: Stages, shared: bool, *, with_texts: bool) -> list[str]:
    about, positions = neurons.about, neurons.by_position(stages)
    language = about.get("language")
    others = "" if neurons.shared is None else str(len(NeuronSet(neurons.shape, neurons.shared)))
    return [
        Markdown(f"`{name}`"),
        language_name(str(language)) if language else _UNKNOWN,
        f"{len(neurons):,}",
        f"{100 * len(neurons) / neurons.shape.switches:.2f} %",
        *(str(positions.get(position, 0)) for position in POSITIONS),
        *([others] if shared else []),
        *(_texts(about) if with_texts else []),
    ]


def _texts(about: Mapping[str, Any]) -> list[str]:
    numbers = (about.get("documents"), about.get("tokens"))
    return [*(f"{number:,}" if isinstance(number, int) else "?" for number in numbers), corpus_name(about) or "?"]


def corpus_name(about: Mapping[str, Any]) -> str | None:
    """Return what the texts are called, without where they lay."""
    corpus = about.get("corpus")
    name = corpus.get("name") if isinstance(corpus, Mapping) else None
    return shown_name(str(name)) if name else None


def found_by(sets: Sequence[NeuronSet]) -> list[str]:
    """Say in words how sets were found, a sentence for each way."""
    return list(dict.fromkeys(_way(neurons) for neurons in sets))


def _way(neurons: NeuronSet) -> str:
    about = neurons.about
    selection = selection_of(about)
    if selection is None:
        origin = about.get("origin")
        if isinstance(origin, Mapping):
            return f"Taken over from a file of another tool (`{escape(str(origin.get('format')))}`)."
        return "How these were found is not recorded."
    detector = str(selection.get("detector") or PLND)
    name = "PLND" if detector == PLND else detector
    scored = (
        f", scored by the method `{escape(str(about['method']))}`" if detector == PLND and "method" in about else ""
    )
    return f"Detector {escape(name)}{scored}: {escape(_rule(selection))}{escape(_specific(selection))}."


def _rule(selection: Mapping[str, Any]) -> str:
    structures = " ".join(map(str, selection.get("structures", ())))
    of = f" among {structures}" if structures else ""
    everywhere = " in every document" if (selection.get("detector") or PLND) == PLND else ""
    if (fraction := selection.get("fraction")) is not None:
        of_what = "of each layer and structure" if everywhere else "of the neurons"
        return f"the top {100 * float(fraction):g} % {of_what}{everywhere}{of}"
    if (top := selection.get("top_k")) is not None:
        return f"the top {top} of each layer and structure{everywhere}{of}"
    if (count := selection.get("count")) is not None:
        return f"the first {count} neurons of each language{of}"
    if (threshold := selection.get("threshold")) is not None:
        return f"scores of at least {threshold}{everywhere}{of}"
    return f"by a rule that is not recorded{of}"


def _specific(selection: Mapping[str, Any]) -> str:
    specific = selection.get("specific")
    if specific == "english":
        return ", without those of English"
    if specific == "pivot":
        return f", without those of {language_name(str(selection.get('pivot') or 'en'))}"
    return ", without those that all languages share" if specific == "common" else ""
