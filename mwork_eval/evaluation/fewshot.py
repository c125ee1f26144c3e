"""Few-shot examples that never show the answer to the question they stand before."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any

from lm_eval.api.samplers import ContextSampler

from mwork_eval.benchmarks.examples import Examples, too_few
from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError

_SAME = ("question", "context", "text")
"""Fields by whose equality two documents are about one thing."""


class OtherDocuments(ContextSampler):  # type: ignore[misc]
    """Draws examples that are kept apart from the scored documents, else from documents that do not tell the answer.

    Examples kept apart are the same ones, in the same order, before every question. Where there are none, examples are
    documents other than the one asked about, and of other paragraphs than its own; they are drawn by the seed and by
    what is asked, so that a question has the same prompt in every sample, and the same examples in every language of
    a parallel benchmark.

    lm-eval leaves the document out only where `fewshot_split` names the split that is scored (lm-eval#4145); without
    one it draws from that very split, with the answers. Task files name this class as `fewshot_config.sampler`.
    """

    def __init__(self, df: Sequence[Any] | None = None, *, rnd: int | None = None, **more: Any) -> None:
        super().__init__(df, rnd=rnd, **more)
        self._seed = rnd

    def set_rnd(self, rnd: int | None) -> "OtherDocuments":
        """Take another seed; None for draws that differ every time."""
        self._seed = rnd
        super().set_rnd(rnd)
        return self

    def sample(
        self,
        n: int,
        eval_doc: Mapping[str, Any] | None = None,
        df: Sequence[Any] | None = None,
        **ignored: Any,
    ) -> Sequence[Mapping[str, Any]]:
        """Draw ``n`` examples.

        Args:
            n: Their number.
            eval_doc: The document asked about.
            df: Where to draw from instead.
            **ignored: What other samplers take.

        Raises:
            InputError: If there are too few.
        """
        pool, apart = _opened(df or self.fewshot_docs())
        asked = "" if apart or eval_doc is None else eval_doc.get("id", digest_of(dict(eval_doc)))
        generator = self.rnd if self._seed is None else Random(f"{self._seed} {asked}")
        drawn: list[int] = []
        left = list(range(len(pool)))
        while left and len(drawn) < n:
            place = generator.randrange(len(left))
            left[place], left[-1] = left[-1], left[place]
            if not _tells(pool[index := left.pop()], eval_doc, apart=apart):
                drawn.append(index)
        if len(drawn) < n:
            raise too_few(_task_of(df or self.fewshot_docs()), len(drawn), n)
        return [pool[index] for index in sorted(drawn)]


def _opened(pool: Sequence[Any]) -> tuple[Sequence[Mapping[str, Any]], bool]:
    """Return the documents to draw from, and whether no scored one is among them."""
    if len(pool) == 1 and isinstance(pool[0], Examples):
        return pool[0].documents, pool[0].apart
    return pool, False


def _task_of(pool: Sequence[Any]) -> str:
    return f"{pool[0].benchmark}_{pool[0].language}" if pool and isinstance(pool[0], Examples) else "the task"


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
        if isinstance(sampler, OtherDocuments):  # says itself what it lacks
            raise
        there = len(sampler.df) if sampler is not None else 0
        if asked and asked >= there:
            raise InputError(
                f"{task.get_config('task')} has fewer documents to draw examples from than are asked for",
                found=f"{there}, with the one asked about",
                expected=f"more than {asked}",
                hint="give a smaller `num_fewshot`",
            ) from error
        raise


def _tells(document: Mapping[str, Any], asked: Mapping[str, Any] | None, *, apart: bool) -> bool:
    """Tell whether a document shows the answer to another: it is the same one, of the same paragraph or question."""
    if asked is None:
        return False
    # Paragraphs are numbered by file.
    fields = _SAME if apart else ("paragraph", *_SAME)
    return document == asked or any(
        asked.get(field) is not None and document.get(field) == asked[field] for field in fields
    )
