"""Few-shot examples that never show the answer to the question they stand before."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lm_eval.api.samplers import ContextSampler

from mwork_eval.errors import InputError


class OtherDocuments(ContextSampler):  # type: ignore[misc]
    """Draws examples from documents other than the one asked about, and from other paragraphs than its own.

    lm-eval leaves the document out only where `fewshot_split` names the split that is scored (lm-eval#4145); without
    one it draws from that very split, with the answers. Task files name this class as `fewshot_config.sampler`.
    """

    def sample(
        self,
        n: int,
        eval_doc: Mapping[str, Any] | None = None,
        df: Sequence[Mapping[str, Any]] | None = None,
        **ignored: Any,
    ) -> Sequence[Mapping[str, Any]]:
        """Draw ``n`` examples.

        Args:
            n: Their number.
            eval_doc: The document asked about.
            df: Where to draw from instead.
            **ignored: What other samplers take.

        Raises:
            InputError: If there are too few other documents.
        """
        pool = [document for document in df or self.fewshot_docs() if not _tells(document, eval_doc)]
        if n > len(pool):
            raise InputError(
                "too few documents to draw few-shot examples from", found=len(pool), expected=f"{n}, of other texts"
            )
        drawn: list[Mapping[str, Any]] = self.rnd.sample(pool, n)
        return drawn


def never_show_the_answer(task: Any) -> None:
    """Let a task that draws its examples from the scored split leave out the document asked about.

    lm-eval does so only where `fewshot_split` names the test split: not where it falls back on it, nor where a task
    without a test split is scored on the one that `fewshot_split` names.
    """
    config, examples = task.config, getattr(task, "fewshot_cfg", None)
    if examples is None or not config.num_fewshot or getattr(task.sampler, "leaves_out_asked", False):
        return
    scored = config.test_split or config.validation_split
    fallback = None if examples.samples else config.training_split or config.validation_split or config.test_split
    drawn_from = examples.split or fallback
    if drawn_from != scored or examples.split == config.test_split:
        return
    build, sample = task.fewshot_context, task.sampler.sample
    asked: list[Any] = [None]

    def fewshot_context(doc: Any, *args: Any, **options: Any) -> Any:
        asked[0] = doc
        return build(doc, *args, **options)

    def sample_others(n: int, eval_doc: Any = None, **options: Any) -> Any:
        return sample(n, eval_doc=asked[0], **options)

    task.fewshot_context, task.sampler.sample = fewshot_context, sample_others
    task.sampler.leaves_out_asked = True


@contextmanager
def enough_examples(task: Any) -> Iterator[None]:
    """Say in a block that builds a task's requests if there are fewer examples than it is to have.

    Raises:
        InputError: If so; lm-eval's samplers raise errors of several kinds.
    """
    try:
        yield
    except (ValueError, AssertionError) as error:
        asked, sampler = task.get_config("num_fewshot") or 0, getattr(task, "sampler", None)
        there = len(sampler.df) if sampler is not None else 0
        if asked and asked >= there:
            raise InputError(
                f"{task.get_config('task')} has fewer documents to draw examples from than are asked for",
                found=f"{there}, with the one asked about",
                expected=f"more than {asked}",
                hint="give a smaller `num_fewshot`",
            ) from error
        raise


def _tells(document: Mapping[str, Any], asked: Mapping[str, Any] | None) -> bool:
    """Tell whether a document shows the answer to another: it is the same one, of the same paragraph or question."""
    if asked is None:
        return False
    return document == asked or any(
        asked.get(field) is not None and document.get(field) == asked[field] for field in ("paragraph", "question")
    )
