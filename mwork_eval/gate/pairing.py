"""Pair the documents of two scores, or say why they are not the same documents."""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import replace

from mwork_eval.errors import InputError
from mwork_eval.gate.snapshot import DocumentKey, Scored
from mwork_eval.results.task_score import TaskScore

Order = list[int]
"""For each document of the old score, its place in the new one."""


def pair_documents(old: Scored, new: Scored) -> Order:
    """Pair the documents of two scores of one task.

    Raises:
        InputError: If documents, prompts, right answers, the metric or its definition differ, a document has no score,
            or there is no document.
    """
    mine, theirs = old.score, new.score
    if (mine.metric, mine.higher_is_better) != (theirs.metric, theirs.higher_is_better):
        raise InputError("another metric", found=theirs.metric, expected=mine.metric)
    if old.definition != new.definition:
        raise InputError(
            "another definition of the score",
            found=new.definition,
            expected=old.definition or "one that OLD does not tell",
            hint="score both with this version; lm-eval's hf begins whole texts otherwise than mwork-hf",
        )
    if not old.keys:
        raise InputError("no documents")
    if reason := _difference(old.keys, new.keys):
        raise InputError(reason)
    check_finite(mine, "OLD")
    check_finite(theirs, "NEW")
    places: dict[DocumentKey, deque[int]] = defaultdict(deque)
    for place, key in enumerate(new.keys):
        places[key].append(place)
    return [places[key].popleft() for key in old.keys]


def check_finite(score: TaskScore, folder: str) -> None:
    """Check that every document has a score: what is no number compares with nothing, and would pass.

    Raises:
        InputError: If one has none.
    """
    if unscored := sum(not (math.isfinite(n) and math.isfinite(d) and d > 0) for n, d in score.documents):
        raise InputError(f"{unscored} of {len(score.documents)} documents of {folder} have no finite score")


def reordered(score: TaskScore, order: Order) -> TaskScore:
    """Return a new score with its documents, and what they belong to, in the order of the old one."""
    documents, clusters = score.documents, score.clusters
    return replace(
        score,
        documents=tuple(documents[place] for place in order),
        clusters=tuple(clusters[place] for place in order) if len(clusters) == len(documents) else (),
    )


def same_documents(scored: Scored, others: Mapping[str, Scored]) -> str | None:
    """Return the name of the score whose documents hold all of another's, or None."""
    documents = {key.document for key in scored.keys}
    holders = (name for name, other in others.items() if documents <= {key.document for key in other.keys})
    return next(holders, None) if documents else None


def _difference(old: tuple[DocumentKey, ...], new: tuple[DocumentKey, ...]) -> str | None:
    missing = Counter(key.document for key in old)
    missing.subtract(key.document for key in new)
    only_old, only_new = (+missing).total(), (-missing).total()
    if only_old or only_new:
        return f"other documents: {only_old} of {len(old)} are only in OLD, {only_new} of {len(new)} only in NEW"
    for what, part in (("prompt", "prompt"), ("right answer", "target")):
        changed = Counter((key.document, getattr(key, part)) for key in old)
        changed.subtract((key.document, getattr(key, part)) for key in new)
        if count := (+changed).total():
            return f"another {what} in {count} of {len(old)} documents"
    return None if Counter(old) == Counter(new) else "prompts and right answers of repeated documents are swapped"
