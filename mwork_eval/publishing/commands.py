"""The commands of a card: how to use what is published, and how to make it again, as far as that is recorded."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from shlex import join, quote
from typing import Any

from mwork_eval.detection.detectors.detector import PLND
from mwork_eval.errors import shortened
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import SUFFIX
from mwork_eval.publishing.base_model import PublishedModel
from mwork_eval.publishing.contents import Contents, Matrix
from mwork_eval.publishing.set_tables import corpus_name, languages_of, selection_of
from mwork_eval.reports import wording
from mwork_eval.results.manifest import Manifest
from mwork_eval.results.summaries.shown_names import shown_name

_EMBEDDED = "embedded"
_FOLDER = "sets"
_WIDTH = 100
_LONGEST_ESCAPE = 10
"""Characters that stand for one, as `\\U0001f600` does."""


def broken(line: str) -> str:
    """Return a line of a shell over as many lines as a page shows without scrolling, broken before options."""
    lines: list[str] = []
    # A control character of a name could end the block, or turn the reading direction.
    for part in re.split(r" (?=--)", shortened(line, len(line) * _LONGEST_ESCAPE)):
        if lines and len(lines[-1]) + len(part) < _WIDTH:
            lines[-1] += f" {part}"
        else:
            lines.append(part)
    return " \\\n    ".join(lines)


def first_reference(contents: Contents, repository: str) -> str | None:
    """Return a reference to one of the sets, or None if there is none."""
    for folder, name, _ in contents.every_set():
        return "/".join(filter(None, (f"hub:{repository}", folder, name)))
    return None


def use_commands(contents: Contents, model: PublishedModel, repository: str) -> list[str]:
    """Return lines of a shell that use the repository."""
    lines = ["pip install " + ('"mwork-eval[demo]"' if model.is_default else "mwork-eval")]
    if (reference := first_reference(contents, repository)) is not None:
        arguments = quote(f"pretrained={model.to_load},neurons={reference}")
        tasks, data = _tasks(contents, reference)
        lines.append(f"lm_eval --model mwork-hf --model_args {arguments} --tasks {','.join(tasks)}{data}")
    for path in list(contents.deltas)[:1]:
        name = path.removeprefix("deltas/").removesuffix(SUFFIX)
        trained = contents.deltas[path].get("languages")
        own = trained if isinstance(trained, list | tuple) else ()
        language = next(iter([*own, *languages_of(contents)]), "en")
        arguments = quote(f"pretrained={model.to_load},delta=hub:{repository}/{name}")
        line = f"lm_eval --model mwork-hf --model_args {arguments} --tasks bpb_{language}"
        lines.append(f"{line} --metadata data={_EMBEDDED}")
    lines.append(f"mwork sets pull hub:{repository} --out {repository.rpartition('/')[2]}")
    return lines


def _tasks(contents: Contents, reference: str) -> tuple[list[str], str]:
    """Return tasks that show what a set does: those of the results, else bits per byte of the embedded texts."""
    language = reference.rpartition("/")[2]
    for matrix in contents.matrices:
        manifest = matrix.results.manifest
        for table in matrix.results.tables:
            if language in table.languages:
                data = f" --metadata data={_EMBEDDED}" if manifest.data == _EMBEDDED else ""
                return [table.task_of(language), table.task_of(table.pivot)], data
    return [f"bpb_{language}", "bpb_en"], f" --metadata data={_EMBEDDED}"


def python_lines(contents: Contents, model: PublishedModel, repository: str) -> list[str]:
    """Return lines of Python that use a set."""
    reference = first_reference(contents, repository)
    if reference is None:
        return []
    return [
        "import mwork_eval as mw",
        "",
        f"model, tokenizer = mw.load_model({json.dumps(model.to_load)})",
        f'with mw.deactivated(model, mw.read_neurons("{reference}")):',
        "    ...  # the neurons are off; afterwards every weight is what it was",
    ]


def reproduction_commands(contents: Contents, model: PublishedModel) -> list[str]:
    """Return the commands that make the sets and the tables, as far as files record them; paths are last parts."""
    lines = []
    for folder, sets in contents.sets.items():
        lines += detection_commands(list(sets.values()), model, "/".join(filter(None, (_FOLDER, folder))))
    for matrix in contents.matrices:
        lines.append(matrix_command(matrix, model))
    return lines


def detection_commands(sets: Sequence[NeuronSet], model: PublishedModel, out: str) -> list[str]:
    """Return `mwork detect`, and `mwork select` for each of several rules; nothing if too little is recorded."""
    corpora: dict[str, Mapping[str, Any]] = {}
    for neurons in sets:
        about, corpus = neurons.about, neurons.about.get("corpus")
        if not isinstance(corpus, Mapping) or selection_of(about) is None:
            return []
        subtracted = about.get("subtracted")
        corpora |= subtracted if isinstance(subtracted, Mapping) else {}
        corpora[str(about.get("language"))] = corpus
    first = sets[0].about
    words = ["mwork", "detect", "--model", model.to_load]
    words += _corpus_words(corpora)
    if documents := max(int(one.about.get("documents") or 0) for one in sets):
        words += ["--max-docs", str(documents)]
    corpus = first["corpus"]
    words += [
        word for name in ("max_tokens", "min_tokens") if name in corpus for word in (_option(name), str(corpus[name]))
    ]
    if corpus.get("seed") is not None:
        words += ["--seed", str(corpus["seed"])]
    if first.get("method") not in (None, "exact"):
        words += ["--method", str(first["method"])]
    if isinstance(first.get("recorded"), list | tuple) and first["recorded"]:
        words += ["--record", ",".join(map(str, first["recorded"]))]
    selections = list({repr(one.about["selection"]): one.about["selection"] for one in sets}.values())
    if len(selections) == 1:
        words += () if _is_default(selections[0]) else _selection_words(selections[0])
        return [join([*words, "--out", out])]
    # One pass, and a selection for each rule that the sets were made by.
    selected = (
        ["mwork", "select", out, *_selection_words(one), "--out", f"{out}-{n}"] for n, one in enumerate(selections, 1)
    )
    return [join([*words, "--out", out]), *map(join, selected)]


def _corpus_words(corpora: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    names = {language: corpus_name({"corpus": corpus}) or "TEXTS" for language, corpus in sorted(corpora.items())}
    if set(names.values()) == {_EMBEDDED}:
        yield from ("--languages", ",".join(names))
        return
    for language, name in names.items():
        yield from ("--corpus", f"{language}={name}")


def _is_default(selection: Mapping[str, Any]) -> bool:
    return selection.get("fraction") == 0.01 and selection.get("specific") == "english" and "detector" not in selection


def _selection_words(selection: Mapping[str, Any]) -> Iterator[str]:
    for name in ("fraction", "top_k", "count"):
        if selection.get(name) is not None:
            yield from (_option(name), f"{selection[name]:g}")
    if isinstance(threshold := selection.get("threshold"), Mapping):
        yield from ("--threshold", ",".join(f"{name}={value:g}" for name, value in threshold.items()))
    if (detector := selection.get("detector") or PLND) != PLND:
        yield from ("--detector", str(detector))
    if structures := selection.get("structures"):
        yield from ("--structures", ",".join(map(str, structures)))
    if (specific := selection.get("specific")) not in (None, "pivot"):
        yield from ("--specific", str(specific))


def matrix_command(matrix: Matrix, model: PublishedModel) -> str:
    """Return the command that makes the tables of a results folder."""
    manifest = matrix.results.manifest
    command = wording.command(matrix.results).split()
    given = [_FOLDER] if command[-1] != "ablate" else []
    words = [*command, *given, "--model", model.to_load]
    if command[-1] == "ablate":
        words += ["--neurons", _FOLDER]
        words += [word for preset in manifest.presets for word in ("--preset", preset.name)]
    words += ["--tasks", ",".join(task.name for task in manifest.tasks), "--languages", ",".join(manifest.languages)]
    words += _run_words(manifest)
    return join([*words, "--out", matrix.name.rpartition("/")[2]])


def _run_words(manifest: Manifest) -> Iterator[str]:
    if manifest.pivot != "en":
        yield from ("--pivot", manifest.pivot)
    if manifest.limit is not None:
        yield from ("--limit", str(manifest.limit))
    if manifest.data:
        yield from ("--data", shown_name(manifest.data))
    if manifest.seeds:
        yield from ("--seeds", ",".join(map(str, manifest.seeds)))


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
