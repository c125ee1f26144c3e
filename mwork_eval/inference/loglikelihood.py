"""Log-likelihoods of continuations: shared beginnings once, logits only where a continuation is."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from mwork_eval.inference.budget import Budget, Job, batches
from mwork_eval.inference.forward import Beginning, Forward
from mwork_eval.inference.prefixes import LEAST_PREFIX, Group, common_beginning, group_by_prefix

Tensor = torch.Tensor


@dataclass(frozen=True)
class Continuation:
    """What is to be scored.

    Attributes:
        context: Tokens before it, at least one.
        tokens: Its tokens, at least one.
    """

    context: tuple[int, ...]
    tokens: tuple[int, ...]

    def sequence(self, longest: int) -> tuple[int, ...]:
        """Return the tokens the model sees, the last ``longest`` of them: all but the last one."""
        return (self.context + self.tokens)[-(longest + 1) : -1]


def score_continuations(
    forward: Forward,
    continuations: Sequence[Continuation],
    budget: Budget,
    longest: int,
    advance: Callable[[int], object] = lambda count: None,
) -> Iterator[tuple[int, float, bool]]:
    """Score continuations; the order in which they are finished is not theirs.

    Args:
        forward: The model.
        continuations: What to score.
        budget: What a forward pass may hold.
        longest: Tokens the model takes; longer ones lose their beginning.
        advance: Called with the number of continuations just finished.

    Yields:
        Index, sum of log-probabilities (natural logarithm), and whether each token was the most probable one.
    """
    askers: dict[tuple[int, ...], list[int]] = {}
    for number, continuation in enumerate(continuations):
        askers.setdefault(continuation.sequence(longest), []).append(number)
    sequences = list(askers)
    asked = [[(number, continuations[number].tokens) for number in askers[sequence]] for sequence in sequences]
    first_scored = min(
        len(sequence) - max(len(tokens) for _, tokens in own) for sequence, own in zip(sequences, asked, strict=True)
    )
    header = min(common_beginning(sequences), first_scored)
    header = header if header >= LEAST_PREFIX else 0
    beginning = forward.share([sequences[0][:header]])[0] if header else None
    sequences = [sequence[header:] for sequence in sequences]
    groups = group_by_prefix(sequences)
    for batch in batches(groups, sequences, budget, Job(header, window=forward.window)):
        needed = _score_batch(forward, batch, sequences, asked, beginning)
        total = 0
        for number, log_probability, is_greedy in needed:
            total += 1
            yield number, log_probability, is_greedy
        advance(total)


def _score_batch(
    forward: Forward,
    batch: Sequence[Group],
    sequences: Sequence[tuple[int, ...]],
    asked: Sequence[Sequence[tuple[int, tuple[int, ...]]]],
    header: Beginning | None,
) -> Iterator[tuple[int, float, bool]]:
    needs = _Needs()
    alone = len(batch) == len([member for group in batch for member in group.members])
    rows = [(index, member) for index, group in enumerate(batch) for member in group.members]
    if not alone:
        beginnings, states = forward.share(
            [sequences[group.members[0]][: group.prefix] for group in batch], header and header.repeated(len(batch))
        )
        start = 0
        for group in batch:
            for member in group.members:
                needs.add(asked[member], len(sequences[member]), 0, group.prefix, start)
            start += group.prefix
        needs.take(states)
        rows = [(index, member) for index, member in rows if len(sequences[member]) > batch[index].prefix]
        header = beginnings.of_rows(torch.tensor([index for index, _ in rows], device=forward.device))
    elif header is not None:
        header = header.repeated(len(rows))
    if rows:
        own = [sequences[member][batch[index].prefix :] for index, member in rows]
        _, states, _ = forward.start(own, header)
        start = 0
        for (index, member), tokens in zip(rows, own, strict=True):
            length = len(sequences[member])
            needs.add(asked[member], length, batch[index].prefix, length, start)
            start += len(tokens)
        needs.take(states)
    return needs.answers(forward)


class _Needs:
    """Which hidden states are needed, and which tokens each of them is asked about."""

    def __init__(self) -> None:
        self._states: list[Tensor] = []
        self._pending: dict[int, int] = {}
        self._kept = 0
        self._questions: list[tuple[int, int, int]] = []

    def add(self, asked: Sequence[tuple[int, tuple[int, ...]]], length: int, low: int, high: int, start: int) -> None:
        """Ask about the scored tokens of a sequence whose positions lie from ``low`` to before ``high``.

        Args:
            asked: Per asker its number and its tokens, which end the sequence.
            length: Tokens of the sequence.
            low: First position that the states at hand hold, at row ``start``.
            high: The position after their last one.
            start: See ``low``.
        """
        for number, tokens in asked:
            first = length - len(tokens)
            for position in range(max(low, first), high):
                row = start + position - low
                place = self._pending.setdefault(row, self._kept + len(self._pending))
                self._questions.append((place, tokens[position - first], number))

    def take(self, states: Tensor) -> None:
        """Keep the states asked about; row numbers count anew afterwards."""
        self._states.append(states[torch.tensor(list(self._pending), dtype=torch.long, device=states.device)])
        self._kept += len(self._pending)
        self._pending = {}

    def answers(self, forward: Forward) -> Iterator[tuple[int, float, bool]]:
        """Yield each asker's number, its log-likelihood, and whether it is greedy."""
        self._questions.sort(key=lambda question: question[0])
        places, tokens, numbers = map(list, zip(*self._questions, strict=True))
        states = torch.cat(self._states)
        with torch.no_grad():
            found = forward.head.choices(
                states, torch.tensor(places, device=states.device), torch.tensor(tokens, device=states.device)
            )
        total: dict[int, float] = {}
        greedy: dict[int, bool] = {}
        for number, probability, best in zip(
            numbers, found.log_probability.tolist(), found.is_best.tolist(), strict=True
        ):
            total[number] = total.get(number, 0.0) + probability
            greedy[number] = greedy.get(number, True) and best
        for number, value in total.items():
            yield number, value, greedy[number]
