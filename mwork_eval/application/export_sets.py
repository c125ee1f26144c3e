"""Write neuron sets as files of other tools."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mwork_eval.application.arguments import Names, flag_of, languages_of, one_of, shown_value
from mwork_eval.application.foreign_target import foreign_target
from mwork_eval.errors import InputError
from mwork_eval.files.writing import write_bytes_atomically
from mwork_eval.interchange.foreign_format import ForeignFormat
from mwork_eval.interchange.registry import FORMATS, find_format
from mwork_eval.interchange.target import Target
from mwork_eval.languages.table import tag_of
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import find_named_sets

NeuronSets = Mapping[str, NeuronSet] | NeuronSet | str | Path | Sequence[str | Path | NeuronSet]


def export_sets(
    neurons: NeuronSets,
    format: str,
    *,
    out: str | Path,
    languages: Names | None = None,
    model: str | Path | None = None,
    force: bool = False,
) -> dict[str, int]:
    """Write neuron sets as a file of another tool.

    gate, up and down of one index are the same switch and are written as one neuron.

    Args:
        neurons: Sets by language, a set, a folder of sets, or references.
        format: As of `import_sets`, save `kojima`, whose files hold what a set does not know.
        out: The file to write.
        languages: Which sets, in the order in which the file has them; as given, or as the folder is sorted, if not
            said. Of `clas-bench` and `manipulation` the order is that of their scripts.
        model: Name of the model, where how wide its heads are matters (`damo` with grouped queries).
        force: Leave out what the format cannot hold.

    Returns:
        By structure, how many neurons were left out.

    Raises:
        InputError: If sets are not found, of several models, or have neurons that the format cannot hold.
    """
    form, forced, path = find_format(one_of("format", format, FORMATS)), flag_of("force", force), Path(out)
    if form.write is None:
        writable = " ".join(name for name in FORMATS if find_format(name).write is not None)
        raise InputError(
            f"sets cannot be written as {form.name}", found="a format that is only read", expected=writable
        )
    wanted = [] if languages is None else languages_of(languages)
    sets = _ordered(_named(neurons), wanted or list(form.order))
    shapes = {one.shape.family + repr(one.shape.to_json()) for one in sets.values()}
    if len(shapes) > 1:
        raise InputError("sets of different models do not go into one file", found=" ".join(sets))
    if form.one_language and len(sets) > 1:
        raise InputError(
            f"a file of the format {form.name} has the neurons of one language",
            found=" ".join(sets),
            hint="write one after the other, with `languages`",
        )
    first = next(iter(sets.values()))
    target = Target(str(first.about.get("model", "the model")), first.shape)
    if model is not None:
        target = foreign_target(model, None)
        if target.shape != first.shape:
            raise InputError(f"the sets do not fit {model}", found=str(first.shape), expected=str(target.shape))
    kept, left_out = _holdable(sets, form, force=forced)
    write_bytes_atomically(path, form.write(kept, target))
    return left_out


def _holdable(
    sets: Mapping[str, NeuronSet], form: ForeignFormat, *, force: bool
) -> tuple[dict[str, NeuronSet], dict[str, int]]:
    """Return what a format can hold of sets, and how many neurons of each structure it cannot."""
    left_out: Counter[str] = Counter()
    kept: dict[str, NeuronSet] = {}
    for language, neurons in sets.items():
        for (_, structure), members in neurons.indices.items():
            if structure not in form.structures:
                left_out[structure] += len(members)
        inside = {place: one for place, one in neurons.indices.items() if place[1] in form.structures}
        kept[language] = replace(neurons, indices=inside, shared=None)
    if left_out and not force:
        raise InputError(
            f"a file of the format {form.name} cannot hold all neurons",
            found=", ".join(f"{count} of {structure}" for structure, count in left_out.items()),
            expected=f"neurons of {' '.join(form.structures)}",
            hint="leave the others out with `force=True`, or take the format csv or json",
        )
    if not any(map(len, kept.values())):
        raise InputError(f"nothing is left to write as {form.name}", expected=f"neurons of {' '.join(form.structures)}")
    return kept, dict(left_out)


def _named(neurons: Any) -> dict[str, NeuronSet]:
    """Return sets by the language that they say they are of, else by the name they were found by."""
    if isinstance(neurons, NeuronSet | str | Path):
        neurons = [neurons]
    if isinstance(neurons, Mapping):
        if not neurons or not all(isinstance(one, NeuronSet) for one in neurons.values()):
            raise InputError("unusable neurons", found=shown_value(neurons), expected="neuron sets by language")
        return {str(name): one for name, one in neurons.items()}
    if not isinstance(neurons, Sequence) or not neurons:
        raise InputError("unusable neurons", found=shown_value(neurons), expected="neuron sets, or references")
    sets: dict[str, NeuronSet] = {}
    for one in neurons:
        named = {str(one.about.get("language", "")): one} if isinstance(one, NeuronSet) else _found(str(one))
        if twice := sets.keys() & named.keys():
            raise InputError("two sets of one language", found=" ".join(sorted(twice)), hint="export one of them")
        sets |= named
    return sets


def _found(reference: str) -> dict[str, NeuronSet]:
    named = find_named_sets([reference])
    by_language = {str(one.about.get("language", name)): one for name, one in named.items()}
    # Several sets of one language in a folder, as of several detections: their names keep them apart.
    return by_language if len(by_language) == len(named) else named


def _ordered(sets: dict[str, NeuronSet], languages: list[str]) -> dict[str, NeuronSet]:
    if not languages:
        return sets
    by_tag = {tag_of(name) or name: one for name, one in sets.items()}
    if missing := [language for language in languages if language not in by_tag]:
        raise InputError(f"no set of {' '.join(missing)}", found=" ".join(sets), expected="a set of each language")
    return {language: by_tag[language] for language in languages}
