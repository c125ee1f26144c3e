"""Log-likelihoods and greedy generation with shared beginnings, against one plain forward pass per request."""

import itertools
import random
from contextlib import ExitStack

import pytest
import torch
from conftest import FAMILIES, VARIANTS, make_model

from mwork_eval.inference.budget import Budget, Job, batches
from mwork_eval.inference.forward import Forward
from mwork_eval.inference.generation import Stop, generate_greedily
from mwork_eval.inference.loglikelihood import Continuation, score_continuations
from mwork_eval.inference.prefixes import Group, common_beginning, group_by_prefix
from mwork_eval.interventions.activations import zero_activations
from mwork_eval.interventions.zero import zero_neurons
from mwork_eval.models import head as head_module
from mwork_eval.models.head import OutputHead
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet

CPU = torch.device("cpu")
WIDE = Budget(100_000, 1, 1, 1)
NARROW = Budget(300, 1, 1, 1)


def forward_of(model, tokens: int = 1000) -> Forward:
    return Forward(model, OutputHead.of(model), CPU, tokens)


def tokens(generator: random.Random, count: int) -> tuple[int, ...]:
    return tuple(generator.randrange(3, 384) for _ in range(count))


def questions(seed: int = 0) -> list[Continuation]:
    """Three paragraphs with questions, of which each has several continuations; some questions stand alone."""
    generator = random.Random(seed)
    header = tokens(generator, 9)
    found = []
    for length in (12, 3, 20):
        paragraph = header + tokens(generator, length)
        for _ in range(3):
            context = paragraph + tokens(generator, generator.randrange(1, 7))
            found += [Continuation(context, tokens(generator, n)) for n in (1, 1, 2, 4)]
    found.append(Continuation(header + tokens(generator, 5), tokens(generator, 3)))
    return found


def plain_score(model, continuation: Continuation) -> tuple[float, bool]:
    ids = torch.tensor([continuation.context + continuation.tokens])
    with torch.no_grad():
        logits = model(ids).logits[0, len(continuation.context) - 1 : -1].double().log_softmax(-1)
    wanted = torch.tensor(continuation.tokens)
    return float(logits.gather(1, wanted[:, None]).sum()), bool((logits.argmax(-1) == wanted).all())


def plain_generation(model, prompt: tuple[int, ...], stop: Stop) -> list[int]:
    answer: list[int] = []
    while len(answer) < stop.longest:
        with torch.no_grad():
            token = int(model(torch.tensor([[*prompt, *answer]])).logits[0, -1].argmax())
        if token in stop.tokens:
            break
        answer.append(token)
    return answer


@pytest.mark.parametrize("member", [*FAMILIES, *VARIANTS])
@pytest.mark.parametrize("budget", [WIDE, NARROW], ids=["together", "in parts"])
def test_log_likelihoods_are_those_of_single_requests(member, budget):
    model = make_model(member)
    asked = questions()
    found = {
        number: rest for number, *rest in score_continuations(forward_of(model, budget.tokens), asked, budget, 512)
    }
    assert sorted(found) == list(range(len(asked)))
    for number, continuation in enumerate(asked):
        value, greedy = plain_score(model, continuation)
        assert found[number][0] == pytest.approx(value, abs=2e-4), number
        assert found[number][1] == greedy


@pytest.mark.parametrize("member", [*FAMILIES, *VARIANTS])
@pytest.mark.parametrize("budget", [WIDE, NARROW], ids=["together", "in parts"])
def test_generated_tokens_are_those_of_single_prompts(member, budget):
    model = make_model(member)
    prompts = [continuation.context for continuation in questions()]
    # Every third token ends a row, so that rows leave the batch at different times.
    stop = Stop(frozenset(range(0, 384, 3)), (), 8)
    found = dict(generate_greedily(forward_of(model, budget.tokens), prompts, stop, str, budget))
    assert sorted(found) == list(range(len(prompts)))
    plain = [plain_generation(model, prompt, stop) for prompt in prompts]
    assert len({len(answer) for answer in plain}) > 1
    assert [found[number] for number in range(len(prompts))] == plain


@pytest.mark.parametrize("member", ["llama", "gemma3", "mistral", "bloom", "gpt2", "falcon-rw", "mixtral"])
@pytest.mark.parametrize("budget", [WIDE, NARROW], ids=["together", "in parts"])
def test_drafts_change_no_answer(member, budget):
    model, generator = make_model(member), random.Random(5)
    prompts = [continuation.context for continuation in questions()]
    stop = Stop(frozenset(range(0, 384, 4)), (), 8)
    plain = [plain_generation(model, prompt, stop) for prompt in prompts]
    drafts = {}
    for number, (prompt, answer) in enumerate(zip(prompts, plain, strict=True)):
        drafts[prompt] = [
            tuple(answer),
            (*answer[:2], *tokens(generator, 3)),
            tuple(answer[:3]),
            (),
            tokens(generator, 9),
            (*answer, *tokens(generator, 2)),
        ][number % 6]
    forward = forward_of(model, budget.tokens)
    steps = []
    step = forward.step
    forward.step = lambda state, chosen: steps.append(len(chosen)) or step(state, chosen)
    found = dict(generate_greedily(forward, prompts, stop, str, budget, drafts=drafts))
    assert [found[number] for number in range(len(prompts))] == plain
    drafted = sum(steps)
    steps.clear()
    right = {prompt: tuple(answer) for prompt, answer in zip(prompts, plain, strict=True)}
    found = dict(generate_greedily(forward, prompts, stop, str, budget, drafts=right))
    assert [found[number] for number in range(len(prompts))] == plain
    # mistral and gemma3 have windows shorter than the prompts, where no draft is used
    assert (sum(steps) == 0) == (member not in ("gemma3", "mistral"))
    assert member in ("gemma3", "mistral") or drafted > 0


def test_long_sequences_lose_their_beginning():
    model = make_model("llama")
    long = Continuation(tokens(random.Random(1), 40), (5, 6, 7))
    found = list(score_continuations(forward_of(model), [long], WIDE, 16))
    cut = Continuation((*long.context, *long.tokens)[-17:-3], long.tokens)
    assert found[0][1] == pytest.approx(plain_score(model, cut)[0], abs=2e-4)


def test_a_stop_text_ends_a_row_where_it_is_complete():
    model = make_model("llama")
    prompt = tokens(random.Random(2), 6)
    whole = plain_generation(model, prompt, Stop(frozenset(), (), 8))
    text = f"{whole[2]},{whole[3]}"

    def decode(ids):
        return ",".join(map(str, ids))

    ((_, found),) = generate_greedily(forward_of(model), [prompt], Stop(frozenset(), (text,), 8), decode, WIDE)
    first = next(n for n in range(9) if text in decode(whole[:n]))
    assert found == whole[:first]


@pytest.mark.parametrize("member", ["llama", "mixtral", "gpt2"])
def test_masks_by_weights_and_by_activations_reach_the_fast_path(member):
    model = make_model(member)
    layout = Layout.of(model)
    neurons = NeuronSet(layout.shape, {(1, "up"): [0, 3], (2, "v"): [1], (0, "q"): [2]})
    forward, asked = forward_of(model), questions(3)

    def values():
        return [value for _, value, _ in sorted(score_continuations(forward, asked, WIDE, 512))]

    before = values()
    with zero_neurons(layout, neurons):
        by_weights = values()
        assert by_weights == pytest.approx([plain_score(model, one)[0] for one in asked], abs=2e-4)
    with ExitStack() as undo:
        zero_activations(layout, neurons.indices, undo)
        assert values() == pytest.approx(by_weights, abs=1e-4)
    assert values() == before
    assert max(abs(a - b) for a, b in zip(before, by_weights, strict=True)) > 1e-2


@pytest.mark.parametrize("member", FAMILIES)
def test_the_forward_pass_checks_itself_against_the_model(member, monkeypatch):
    model = make_model(member)
    assert forward_of(model).agrees(512)
    monkeypatch.setattr(OutputHead, "finished", lambda self, logits: 1.5 * logits)
    assert not forward_of(model).agrees(512)


@pytest.mark.parametrize("member", ["gemma2", "cohere", "granite", "phi3"])
@pytest.mark.parametrize("positions", [1, 3, 23])
def test_the_head_gives_the_same_in_parts(member, positions, monkeypatch):
    model = make_model(member)
    head = OutputHead.of(model)
    assert [name for name, _ in head.finishes] == {
        "gemma2": ["cap"], "cohere": ["multiply"], "granite": ["divide"], "phi3": []
    }[member]  # fmt: skip
    states = torch.randn(positions, model.config.hidden_size)
    position = torch.randint(0, positions, (60,)).sort().values
    token = torch.randint(0, 384, (60,))
    with torch.no_grad():
        logits = head.logits(states).double()
        position = torch.cat([torch.arange(positions), position]).sort().values
        token = torch.cat([logits.argmax(-1)[:1], token, torch.zeros(positions - 1, dtype=torch.long)])
        for size, block in ((512, 8 * 2**20), (5, 5 * 7 * 4), (2, 1)):
            monkeypatch.setattr(head_module, "POSITIONS", size)
            monkeypatch.setitem(head_module.BLOCK_BYTES, "cpu", block)
            monkeypatch.setattr(head_module, "ELSEWHERE_BYTES", block * 384)
            found = head.choices(states, position, token)
            expected = logits.log_softmax(-1)[position, token]
            torch.testing.assert_close(found.log_probability.double(), expected, rtol=0, atol=2e-5)
            assert torch.equal(found.is_best, logits.argmax(-1)[position] == token)
            assert torch.equal(head.best(states), logits.argmax(-1))
            monkeypatch.setattr(head_module, "FEW", {torch.float32: 0})
    assert found.is_best.any()
    assert not found.is_best.all()


def saved_by(groups: list[Group]) -> int:
    return sum((len(group.members) - 1) * group.prefix for group in groups)


def all_groupings(members: list[int]):
    if not members:
        yield []
        return
    first, rest = members[0], members[1:]
    for size in range(len(rest) + 1):
        for others in itertools.combinations(rest, size):
            left = [member for member in rest if member not in others]
            for grouping in all_groupings(left):
                yield [[first, *others], *grouping]


@pytest.mark.parametrize("seed", range(40))
def test_no_grouping_saves_more(seed):
    generator = random.Random(seed)
    sequences = list({tuple(generator.randrange(2) for _ in range(generator.randrange(1, 7))) for _ in range(7)})
    rest = seed % 2
    found = group_by_prefix(sequences, rest=rest, least=1)
    assert sorted(member for group in found for member in group.members) == list(range(len(sequences)))
    for group in found:
        beginnings = {sequences[member][: group.prefix] for member in group.members}
        assert len(beginnings) == 1
        assert all(len(sequences[member]) >= group.prefix + rest for member in group.members)
    most = 0
    for grouping in all_groupings(list(range(len(sequences)))):
        lengths = [common_beginning([sequences[member] for member in group], rest) for group in grouping]
        most = max(most, sum((len(group) - 1) * n for group, n in zip(grouping, lengths, strict=True)))
    assert saved_by(found) == most


def test_many_nested_sequences_are_no_problem():
    sequences = [tuple(range(n)) for n in range(1, 3000)]
    groups = group_by_prefix(sequences)
    assert sum(len(group.members) for group in groups) == len(sequences)


def test_batches_keep_within_the_budget():
    generator = random.Random(4)
    sequences = [tokens(generator, generator.randrange(10, 60)) for _ in range(60)]
    groups = [Group(8 + n % 2 if n % 3 else 0, (2 * n, 2 * n + 1) if n % 3 else (2 * n,)) for n in range(30)]
    budget, job = Budget(4000, 3, 5, 2), Job(5, 4, keeps=True, window=70)
    seen = []
    for batch in batches(groups, sequences, budget, job):
        seen += batch
        prefix = max(group.prefix for group in batch)
        rows = [len(sequences[m]) - group.prefix for group in batch for m in group.members]
        slots = 5 + prefix + max(rows) + 4
        held = 5 * len(batch) * prefix + 5 * len(rows) * (max(rows) + 4) + 2 * len(rows) * slots
        assert held == job.bytes(budget, len(batch), prefix, len(rows), max(rows))
        assert held <= 4000 or len(batch) == 1
        assert len({len(group.members) > 1 for group in batch}) == 1
        assert slots <= 70 or len({group.prefix for group in batch}) == 1
    assert sorted(seen, key=lambda g: g.members) == groups
    assert any(len(batch) > 2 for batch in batches(groups, sequences, budget, job))


def test_the_default_budget_follows_the_sizes_of_the_model():
    small, large = Budget.of(make_model("llama"), CPU), Budget.of(make_model("gemma3"), CPU)
    assert small.size == large.size == 128 * 2**20
    assert small.kept == 4 * 2 * 2 * 4 * 4
    assert large.kept == 4 * 2 * 1 * 8 * 4
    assert Budget.of(make_model("llama"), CPU, 1).tokens == 1
