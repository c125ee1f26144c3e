"""Name models and folders so that nothing of anybody's machine is shown, and no two models become one."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from mwork_eval.results.summaries.entries import Contender, FolderResults
from mwork_eval.results.summaries.shown_names import shown_folder, shown_name, shown_roots


def shown_as(results: Iterable[FolderResults], given: Sequence[Path] = ()) -> list[FolderResults]:
    """Return results with names and folders as they are shown.

    A name that is a path is its last part. Two paths of one last part are kept apart by their weights or, where these
    are not known, by a number.

    Args:
        results: What was read.
        given: The folders in which results were looked for.
    """
    read, roots = list(results), shown_roots(given)
    name = _renaming({contender for of_folder in read for contender in _contenders(of_folder)})
    return [
        FolderResults(
            [replace(one, contender=name(one.contender), folder=shown_folder(one.folder, roots)) for one in of.scores],
            [replace(one, contender=name(one.contender), folder=shown_folder(one.folder, roots)) for one in of.changes],
            [
                replace(one, contender=name(one.contender), folder=shown_folder(one.folder, roots))
                for one in of.detectors
            ],
            None if of.facts is None else replace(of.facts, contender=name(of.facts.contender)),
        )
        for of in read
    ]


def known_weights(contenders: Iterable[Contender]) -> dict[Contender, Contender]:
    """Return, per contender of unknown weights, the one with the only weights known of its model."""
    fingerprints: dict[str, set[str]] = defaultdict(set)
    every = set(contenders)
    for contender in every:
        if contender.fingerprint:
            fingerprints[contender.model].add(contender.fingerprint)
    return {
        contender: replace(contender, fingerprint=next(iter(fingerprints[contender.model])))
        for contender in every
        if contender.fingerprint is None and len(fingerprints[contender.model]) == 1
    }


def several_weights(contenders: Iterable[Contender]) -> set[str]:
    """Return the names that more than one set of weights has."""
    known: dict[str, set[str | None]] = {}
    for contender in contenders:
        known.setdefault(contender.model, set()).add(contender.fingerprint)
    return {name for name, fingerprints in known.items() if len(fingerprints) > 1}


def label_of(contender: Contender, several: set[str]) -> str:
    """Return the name of a row; models of one name are told apart by their weights."""
    if contender.model not in several:
        return contender.name
    return f"{contender.name} · {(contender.fingerprint or 'unknown weights')[:15]}"


def _contenders(of: FolderResults) -> list[Contender]:
    found = [one.contender for entries in (of.scores, of.changes, of.detectors) for one in entries]
    return found if of.facts is None else [*found, of.facts.contender]


def _renaming(contenders: set[Contender]) -> Callable[[Contender], Contender]:
    same = known_weights(contenders)
    shown = {model: shown_name(model) for model in {contender.model for contender in contenders}}
    alike: dict[str, set[str]] = defaultdict(set)
    for model, name in shown.items():
        alike[name].add(model)
    names: dict[Contender, Contender] = {}
    for name, models in alike.items():
        own = {contender for contender in contenders if contender.model in models} if len(models) > 1 else set()
        known = {contender: same.get(contender, contender) for contender in own}
        unknown = sorted({one.model for one in known.values() if one.fingerprint is None})
        first = 1 + any(one.fingerprint for one in known.values())
        numbered = {model: name if number == 1 else f"{name} ({number})" for number, model in enumerate(unknown, first)}
        for contender, one in known.items():
            # They are told apart by their weights, so each result has to say which it is of.
            names[contender] = replace(one, model=name if one.fingerprint else numbered[one.model])
    return lambda contender: names.get(contender) or replace(contender, model=shown[contender.model])
