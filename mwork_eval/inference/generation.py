"""Greedy generation: shared beginnings once, and every row leaves the batch as soon as it is done."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from mwork_eval.inference.budget import Budget, Job, batches
from mwork_eval.inference.forward import Forward, PaddedRows
from mwork_eval.inference.prefixes import LEAST_PREFIX, Group, common_beginning, group_by_prefix
from mwork_eval.models.screen import BestTokens

Tokens = tuple[int, ...]


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
    prompts: Sequence[Tokens],
    stop: Stop,
    decode: Callable[[list[int]], str],
    budget: Budget,
    advance: Callable[[int], object] = lambda count: None,
    drafts: Mapping[Tokens, Tokens] | None = None,
) -> Iterator[tuple[int, list[int]]]:
    """Continue prompts with the most probable token each time.

    Args:
        forward: The model.
        prompts: Token ids of the prompts, at least one each; equal ones are continued once.
        stop: When a row is done.
        decode: Turns ids into text, to look for the texts of ``stop``.
        budget: What a forward pass may hold.
        advance: Called with the number of prompts just finished.
        drafts: By prompt, what the answer may be, as that of the same model under another mask. What agrees with the
            model's choices is taken over after one pass instead of one per token; the answer is the same.

    Yields:
        Index of a prompt and the tokens generated for it, without the id that ended it.
    """
    best = BestTokens(forward.head, budget.size // 2)
    budget = replace(budget, size=budget.size - best.size)
    askers: dict[Tokens, list[int]] = {}
    for number, prompt in enumerate(prompts):
        askers.setdefault(prompt, []).append(number)
    window = forward.window or max(map(len, askers), default=0) + 2 * stop.longest
    drafted = {prompt: tuple((drafts or {}).get(prompt, ()))[: stop.longest] for prompt in askers}
    short: dict[Tokens, Tokens] = {}
    long: dict[Tokens, Tokens] = {}
    for prompt, draft in drafted.items():
        if len(prompt) + len(draft) + stop.longest <= window:
            short[prompt] = draft
        elif len(prompt) + stop.longest <= window:
            short[prompt] = ()
        else:
            long[prompt] = ()
    for some, pad_left in ((short, False), (long, True)):
        for prompt, tokens in _generate(forward, best, some, stop, decode, budget, pad_left=pad_left):
            for number in askers[prompt]:
                yield number, tokens
                advance(1)


def _generate(
    forward: Forward,
    best: BestTokens,
    drafted: Mapping[Tokens, Tokens],
    stop: Stop,
    decode: Callable[[list[int]], str],
    budget: Budget,
    *,
    pad_left: bool,
) -> Iterator[tuple[Tokens, list[int]]]:
    """Generate for distinct prompts with their drafts.

    Padding between two tokens of a row would count in a sliding window. Rows longer than one share no beginning and
    are padded on the left only.
    """
    sequences = list(drafted)
    header = 0 if pad_left else common_beginning(sequences, rest=1)
    header = header if header >= LEAST_PREFIX else 0
    beginning = forward.share([sequences[0][:header]])[0] if header else None
    rests = [sequence[header:] for sequence in sequences]
    groups = [Group(0, (n,)) for n in range(len(rests))] if pad_left else group_by_prefix(rests, rest=1)
    job = Job(header, stop.longest, keeps=True, window=None if pad_left else forward.window)
    whole = [(*rest, *drafted[sequence]) for rest, sequence in zip(rests, sequences, strict=True)]
    for batch in batches(groups, whole, budget, job):
        places = [(index, member) for index, group in enumerate(batch) for member in group.members]
        shared = beginning and beginning.repeated(len(batch))
        if any(group.prefix for group in batch):
            shared, _ = forward.share([rests[group.members[0]][: group.prefix] for group in batch], shared)
        if shared is not None:
            shared = shared.of_rows(torch.tensor([index for index, _ in places], device=forward.device))
        own = [whole[member][batch[index].prefix :] for index, member in places]
        state, states, starts = forward.start(own, shared, later=stop.longest, keep=True, pad_left=pad_left)
        rows = [_Row(sequences[member], drafted[sequences[member]]) for _, member in places]
        ends = (starts + torch.tensor([len(tokens) for tokens in own], device=starts.device)).tolist()
        asked = [end - 1 - n for row, end in zip(rows, ends, strict=True) for n in range(len(row.draft), -1, -1)]
        with torch.no_grad():
            chosen = best(states[torch.tensor(asked, device=states.device)])
        yield from _continue(forward, best, state, rows, chosen.tolist(), stop, decode)


@dataclass
class _Row:
    """A prompt on its way.

    Attributes:
        prompt: Its tokens.
        draft: What the answer may be.
        answer: The answer so far.
    """

    prompt: Tokens
    draft: Tokens
    answer: list[int] = field(default_factory=list)

    def add(self, token: int, stop: Stop, decode: Callable[[list[int]], str]) -> bool:
        """Add the token chosen next; returns whether the row goes on."""
        if token in stop.tokens:
            return False
        self.answer.append(token)
        return len(self.answer) < stop.longest and not _ended(self.answer, stop.texts, decode)


def _continue(
    forward: Forward,
    best: BestTokens,
    state: PaddedRows,
    rows: Sequence[_Row],
    chosen: list[int],
    stop: Stop,
    decode: Callable[[list[int]], str],
) -> Iterator[tuple[Tokens, list[int]]]:
    """Go on from the model's choices after each prompt and after each token of its draft, all rows in one list."""
    active: list[_Row] = []
    going: list[int] = []
    wrong: list[int] = []
    start = 0
    for index, row in enumerate(rows):
        goes_on, agreed = row.add(chosen[start], stop, decode), 0
        while goes_on and agreed < len(row.draft) and row.draft[agreed] == row.answer[-1]:
            agreed += 1
            goes_on = row.add(chosen[start + agreed], stop, decode)
        start += len(row.draft) + 1
        if goes_on:
            active.append(row)
            going.append(index)
            wrong.append(len(row.draft) - agreed)
        else:
            yield row.prompt, row.answer
    if active:
        state.keep(torch.tensor(going, device=forward.device))
        state.forget(torch.tensor(wrong, device=forward.device))
    while active:
        tokens = torch.tensor([row.answer[-1] for row in active], device=forward.device)
        states = forward.step(state, tokens)
        with torch.no_grad():
            chosen = best(states).tolist()
        going = []
        for index, (row, token) in enumerate(zip(active, chosen, strict=True)):
            if row.add(token, stop, decode):
                going.append(index)
            else:
                yield row.prompt, row.answer
        if len(going) < len(active):
            active = [active[index] for index in going]
            if active:
                state.keep(torch.tensor(going, device=forward.device))


def _ended(tokens: list[int], texts: Sequence[str], decode: Callable[[list[int]], str]) -> bool:
    """Say whether the last token completed one of the texts; the end of the answer is enough to see it."""
    longest = max(map(len, texts), default=0)
    # A text of n characters lies in the last n + 1 tokens: the last one may hold more than its end. Bytes of one
    # character spread over up to four tokens need the same again.
    tail = decode(tokens[-(4 * longest + 1) :])
    return any(text in tail for text in texts)
