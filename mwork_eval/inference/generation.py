"""Greedy generation: shared beginnings once, and every row leaves the batch as soon as it is done."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from mwork_eval.inference.budget import Budget, Job, batches
from mwork_eval.inference.forward import Beginning, Forward, Rows
from mwork_eval.inference.prefixes import LEAST_PREFIX, Group, common_beginning, group_by_prefix

Tensor = torch.Tensor


@dataclass(frozen=True)
class Stop:
    """When a row is done.

    Attributes:
        tokens: Ids that end it; they are not part of the answer.
        texts: Texts that end it once it contains one.
        longest: Most tokens it may have.
    """

    tokens: frozenset[int]
    texts: tuple[str, ...]
    longest: int


def generate_greedily(
    forward: Forward,
    prompts: Sequence[tuple[int, ...]],
    stop: Stop,
    decode: Callable[[list[int]], str],
    budget: Budget,
    advance: Callable[[int], object] = lambda count: None,
) -> Iterator[tuple[int, list[int]]]:
    """Continue prompts with the most probable token each time.

    Args:
        forward: The model.
        prompts: Token ids of the prompts, at least one each; equal ones are continued once.
        stop: When a row is done.
        decode: Turns ids into text, to look for the texts of ``stop``.
        budget: What a forward pass may hold.
        advance: Called with the number of prompts just finished.

    Yields:
        Index of a prompt and the tokens generated for it, without the id that ended it.
    """
    askers: dict[tuple[int, ...], list[int]] = {}
    for number, prompt in enumerate(prompts):
        askers.setdefault(prompt, []).append(number)
    sequences = list(askers)
    window = forward.window or max(map(len, sequences), default=0) + stop.longest
    short = [sequence for sequence in sequences if len(sequence) + stop.longest <= window]
    long = [sequence for sequence in sequences if len(sequence) + stop.longest > window]
    for some, pad_left in ((short, False), (long, True)):
        for prompt, tokens in _generate(forward, some, stop, decode, budget, pad_left=pad_left):
            for number in askers[prompt]:
                yield number, tokens
                advance(1)


def _generate(
    forward: Forward,
    sequences: Sequence[tuple[int, ...]],
    stop: Stop,
    decode: Callable[[list[int]], str],
    budget: Budget,
    *,
    pad_left: bool,
) -> Iterator[tuple[tuple[int, ...], list[int]]]:
    """Generate for distinct prompts.

    Padding between two tokens of a row would count in a sliding window. Rows longer than one share no beginning and
    are padded on the left only.
    """
    header = 0 if pad_left else common_beginning(sequences, rest=1)
    header = header if header >= LEAST_PREFIX else 0
    beginning = forward.share([sequences[0][:header]])[0] if header else None
    rests = [sequence[header:] for sequence in sequences]
    groups = [Group(0, (n,)) for n in range(len(rests))] if pad_left else group_by_prefix(rests, rest=1)
    job = Job(header, stop.longest, keeps=True, window=None if pad_left else forward.window)
    for batch in batches(groups, rests, budget, job):
        members = [member for group in batch for member in group.members]
        for place, tokens in _generate_batch(forward, batch, rests, beginning, stop, decode, pad_left):
            yield sequences[members[place]], tokens


def _generate_batch(
    forward: Forward,
    batch: Sequence[Group],
    rests: Sequence[tuple[int, ...]],
    header: Beginning | None,
    stop: Stop,
    decode: Callable[[list[int]], str],
    pad_left: bool,
) -> Iterator[tuple[int, list[int]]]:
    rows = [(index, member) for index, group in enumerate(batch) for member in group.members]
    beginning = header and header.repeated(len(batch))
    if any(group.prefix for group in batch):
        beginning, _ = forward.share([rests[group.members[0]][: group.prefix] for group in batch], beginning)
    if beginning is not None:
        beginning = beginning.of_rows(torch.tensor([index for index, _ in rows], device=forward.device))
    own = [rests[member][batch[index].prefix :] for index, member in rows]
    state, states, starts = forward.start(own, beginning, later=stop.longest, keep=True, pad_left=pad_left)
    ends = starts + torch.tensor([len(tokens) for tokens in own], device=starts.device) - 1
    yield from _continue(forward, state, states[ends], stop, decode)


def _continue(
    forward: Forward, state: Rows, states: Tensor, stop: Stop, decode: Callable[[list[int]], str]
) -> Iterator[tuple[int, list[int]]]:
    """Generate from the hidden states of the last tokens `[rows, d_model]`; yields rows by their place at the start."""
    active = list(range(len(states)))
    answers: list[list[int]] = [[] for _ in active]
    while True:
        with torch.no_grad():
            chosen = forward.head.best(states)
        going = []
        for index, (row, token) in enumerate(zip(active, chosen.tolist(), strict=True)):
            if token not in stop.tokens:
                answers[row].append(token)
                if len(answers[row]) < stop.longest and not _ended(answers[row], stop.texts, decode):
                    going.append(index)
                    continue
            yield row, answers[row]
        if not going:
            return
        if len(going) < len(active):
            active = [active[index] for index in going]
            kept = torch.tensor(going, device=chosen.device)
            state.keep(kept)
            chosen = chosen[kept]
        states = forward.step(state, chosen)


def _ended(tokens: list[int], texts: Sequence[str], decode: Callable[[list[int]], str]) -> bool:
    """Say whether the last token completed one of the texts; the end of the answer is enough to see it."""
    longest = max(map(len, texts), default=0)
    # A text of n characters lies in the last n + 1 tokens: the last one may hold more than its end. Bytes of one
    # character spread over up to four tokens need the same again.
    tail = decode(tokens[-(4 * longest + 1) :])
    return any(text in tail for text in texts)
