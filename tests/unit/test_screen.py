"""The most probable tokens through rounded output embeddings are those of the embeddings themselves."""

import pytest
import torch
from conftest import make_model
from torch import nn

from mwork_eval.inference.budget import Budget
from mwork_eval.inference.forward import Forward
from mwork_eval.inference.generation import Stop, generate_greedily
from mwork_eval.models import screen as module
from mwork_eval.models.head import OutputHead
from mwork_eval.models.screen import BestTokens, Screen, copy_size

CPU = torch.device("cpu")


def head_of(weight: torch.Tensor, *finishes: tuple[str, float], bias: bool = False) -> OutputHead:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias, dtype=weight.dtype)
    layer.weight = nn.Parameter(weight.clone())
    return OutputHead(layer, finishes)


def slowly(head: OutputHead, states: torch.Tensor) -> list[int]:
    """Return the first word of the largest float32 logit of each state, from products in float64."""
    found = []
    for state in states:
        logits = [head.finished((state.double() * row.double()).sum().float()) for row in head.module.weight]
        found.append(max(range(len(logits)), key=lambda word: (float(logits[word]), -word)))
    return found


def random_case(seed: int, kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    weight, states = torch.randn(512, 48), torch.randn(5, 48)
    if kind == "near ties":  # families of words whose logits differ in the last digits, or not at all
        weight = weight[:32].repeat(16, 1) + 1e-7 * torch.randn(512, 48) * (torch.arange(512) % 3 > 0)[:, None]
    elif kind == "norms":
        weight *= 10.0 ** torch.randint(-12, 4, (512, 1))
    elif kind == "zero rows":
        weight[torch.rand(512) < 0.9] = 0
        states[:2] = -weight[weight.any(1)].sum(0)
    elif kind == "large":
        weight, states = 1e12 * weight, 1e12 * states
    elif kind == "small":
        weight, states = 1e-12 * weight, 1e-12 * states
    elif kind == "outliers":
        states[:, 7] *= 1e4
    return weight, states


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AFTER", 0)
    monkeypatch.setattr(module, "_LEAST_BYTES", 0)
    monkeypatch.setattr(module, "has_native_bfloat16", lambda: True)


@pytest.mark.parametrize("kind", ["plain", "near ties", "norms", "zero rows", "large", "small", "outliers"])
@pytest.mark.parametrize("finishes", [(), (("multiply", 0.3),), (("divide", 7.0),)])
def test_the_choice_is_that_of_the_exact_products(kind, finishes):
    seen = 0
    for seed in range(4):
        weight, states = random_case(seed, kind)
        head = head_of(weight, *finishes)
        with torch.no_grad():
            found, known = Screen.of(head).best(states)
            expected = torch.tensor(slowly(head, states))
        assert torch.equal(found[known], expected[known])
        seen += int(known.sum())
    assert seen >= 4 * 3


def test_words_that_rounding_puts_in_the_wrong_order_are_both_looked_at():
    # Half a unit in the last place below and above: what is larger becomes smaller by rounding.
    larger, smaller = 1 + 2.0**-8 - 2.0**-20, 1 + 2.0**-8 + 2.0**-20
    weight = torch.full((64, 32), -1.0)
    weight[5], weight[9] = larger, smaller
    weight[5, :2] += 0.001
    states = torch.ones(1, 32)
    screen = Screen.of(head_of(weight))
    with torch.no_grad():
        rounded = (screen.rounded.float() @ states.T)[:, 0]
        found, known = screen.best(states)
    assert int(rounded.argmax()) == 9
    assert float((weight[5] - weight[9]).double().sum()) > 0
    assert known.all()
    assert found.tolist() == [5]


def test_the_bound_holds_for_every_word():
    for seed in range(20):
        weight, states = random_case(seed, ["plain", "outliers", "norms"][seed % 3])
        screen, near = Screen.of(head_of(weight)), states.bfloat16()
        with torch.no_grad():
            rounded = (screen.rounded @ near.T).T
            limit = screen._limit(states, near, rounded.amax(1))
        exact = states.double() @ weight.double().T
        assert (rounded[exact >= exact.amax(1, keepdim=True)] >= limit).all()
        # Whatever is left out is further from the best than float32 can tell.
        out = exact.masked_fill(rounded >= limit[:, None], -torch.inf)
        assert (out.amax(1) < exact.amax(1) * (1 - 1e-3)).all()


@pytest.mark.parametrize("value", [0.0, torch.inf, torch.nan, 1e38])
def test_states_that_no_bound_helps_go_the_plain_way(value, always):
    head = head_of(torch.randn(512, 16))
    states = torch.randn(70, 16)
    states[3] = value
    best = BestTokens(head, 10**9)
    with torch.no_grad():
        found, expected = best(states), head.best(states)
    assert best._screen is not None
    assert torch.equal(found, expected)


def test_a_copy_is_made_once_it_pays_and_only_within_its_bound(monkeypatch, always):
    monkeypatch.setattr(module, "_AFTER", 3)
    head, states = head_of(torch.randn(512, 16)), torch.randn(4, 16)
    best, none = BestTokens(head, 512 * 16 * 2), BestTokens(head, 512 * 16 * 2 - 1)
    assert (best.size, none.size) == (512 * 16 * 2, 0)
    made = []
    with torch.no_grad():
        for _ in range(5):
            assert torch.equal(best(states), head.best(states))
            assert torch.equal(none(states), head.best(states))
            made.append(best._screen is not None)
    assert made == [False, False, False, True, True]
    assert none._screen is None


def test_what_has_no_use_for_a_copy(always, monkeypatch):
    weight = torch.randn(512, 16)
    assert copy_size(head_of(weight, ("multiply", 0.5))) == weight.nbytes // 2
    assert copy_size(head_of(weight, ("cap", 30.0))) is None
    assert copy_size(head_of(weight, ("multiply", -0.5))) is None
    assert copy_size(head_of(weight, bias=True)) is None
    assert copy_size(head_of(weight.bfloat16())) is None
    assert copy_size(head_of(torch.randn(513, 16))) is None
    monkeypatch.setattr(module, "has_native_bfloat16", lambda: False)
    assert copy_size(head_of(weight)) is None


@pytest.mark.parametrize("member", ["llama", "gemma3"])
def test_generated_tokens_are_the_same(member, always, monkeypatch):
    model = make_model(member)
    prompts = [tuple((7 * n + k) % 380 + 3 for k in range(5 + n)) for n in range(9)]

    def answers() -> list[list[int]]:
        forward = Forward(model, OutputHead.of(model), CPU, 100)
        made = generate_greedily(forward, prompts, Stop(frozenset(), (), 8), str, Budget(10**6, 1, 1, 1))
        return [tokens for _, tokens in sorted(made)]

    used = []
    own = Screen.best
    monkeypatch.setattr(Screen, "best", lambda self, states: used.append(len(states)) or own(self, states))
    fast = answers()
    assert used
    monkeypatch.setattr(module, "_AFTER", 10**9)
    assert answers() == fast
