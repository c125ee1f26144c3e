"""Answers a model gave before, so that only new requests reach it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from mwork_eval.digests import digest_of


def request_key(request_type: str, args: Sequence[Any]) -> str:
    """Return what identifies a request: equal requests to one model under one mask have one answer.

    Args:
        request_type: lm-eval's type, such as `loglikelihood`.
        args: The request's arguments, as lm-eval has them or as its samples file keeps them.
    """
    return digest_of([request_type, list(args)])


class KnownAnswers(LM):  # type: ignore[misc]
    """A model that is asked only what is not known yet."""

    def __init__(self, model: Any, known: Mapping[str, Any]) -> None:
        """Wrap a model.

        Args:
            model: An lm-eval model.
            known: Answers by `request_key`, as lm-eval gives them or as JSON keeps them.
        """
        super().__init__()
        self._asked, self._known = model, known

    def __getattr__(self, name: str) -> Any:
        return getattr(self._asked, name)

    @property
    def rank(self) -> int:
        """Number of this process."""
        return int(self._asked.rank)

    @property
    def world_size(self) -> int:
        """Number of processes."""
        return int(self._asked.world_size)

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Return log-likelihood and greediness of continuations."""
        return [tuple(answer) for answer in self._answers("loglikelihood", requests)]

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """Return the log-likelihood of whole texts."""
        return self._answers("loglikelihood_rolling", requests)

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """Return generated texts."""
        return self._answers("generate_until", requests)

    def _answers(self, request_type: str, requests: list[Instance]) -> list[Any]:
        keys = [request_key(request_type, request.args) for request in requests]
        new = [number for number, key in enumerate(keys) if key not in self._known]
        answers = [self._known.get(key) for key in keys]
        if len(new) < len(requests):
            asked = set(new)
            self._asked.note_truncated(request_type, [r for number, r in enumerate(requests) if number not in asked])
        if new:
            ask: Callable[[list[Instance]], list[Any]] = getattr(self._asked, request_type)
            for number, answer in zip(new, ask([requests[number] for number in new]), strict=True):
                answers[number] = answer
        return answers
