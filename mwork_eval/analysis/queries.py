"""The texts a lens looks at: prompts of tasks, or a text file."""

from collections.abc import Sequence
from typing import Any

from mwork_eval.detection.corpus.sources import AnyCorpus
from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import prepare_tasks
from mwork_eval.evaluation.prompting import Prompting
from mwork_eval.evaluation.sampling import EVEN, Order, Sample
from mwork_eval.matrix.options import look_up_family
from mwork_eval.models.tokens import encode_text


def prompts_of_tasks(
    tasks: Sequence[str],
    languages: Sequence[str],
    *,
    data: str | None,
    limit: int,
    order: Order = EVEN,
    prompting: Prompting | None = None,
) -> dict[str, list[str]]:
    """Return, per language, prompts of some tasks, one a document, by default spread evenly over each task.

    The first documents would not do: often they are questions about one paragraph.

    Args:
        tasks: Benchmarks, families of lm-eval's tasks, or patterns with `{l}`.
        languages: Tags.
        data: Folder of the upstream files, `embedded`, or None for `MWORK_DATA` or the hub.
        limit: Number of documents of each task, fewer if it has fewer.
        order: Which ones, as `Sample` takes it.
        prompting: How the model is asked.

    Raises:
        InputError: If a task is unknown or its data cannot be had.
    """
    families = [look_up_family(task, languages) for task in tasks]
    names = {language: [family.task(language) for family in families] for language in languages}
    prepared = prepare_tasks(
        [name for of_language in names.values() for name in of_language],
        data=data,
        sample=Sample(limit, order),
        prompting=prompting or Prompting(),
        families={family.task(language): family.name for family in families for language in languages},
    )
    return {
        # A choice has a request for each of its options, all with the same prompt.
        language: [
            text
            for name in of_language
            for text in {one.doc_id: str(one.args[0]) for one in prepared[name].task.instances}.values()
        ]
        for language, of_language in names.items()
    }


def texts_of(corpora: Sequence[AnyCorpus], limit: int) -> dict[str, list[str]]:
    """Return, per language, the first texts of files.

    Raises:
        InputError: If a file cannot be read or holds no text.
    """
    found: dict[str, list[str]] = {}
    for corpus in corpora:
        texts = found.setdefault(corpus.language, [])
        for text in corpus.documents():
            if len(texts) == limit:
                break
            texts.append(text)
        if not texts:
            raise InputError("no text to look at", found=f"{corpus.source} is empty", expected="a text a line")
    return found


def distinct_queries(tokenizer: Any, texts: Sequence[str], most: int) -> list[list[int]]:
    """Return the token ids of texts, of each the first ``most``; those that are then equal come once.

    Questions about one paragraph begin alike; cut off before the question they would count as several queries, and
    the interval would be too narrow.
    """
    cut = (tuple(encode_text(tokenizer, text)[:most]) for text in texts)
    return [list(ids) for ids in dict.fromkeys(cut)]
