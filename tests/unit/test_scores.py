"""Scores against the slow truth: zero the neuron, recompute the block, take the squared norm of the change."""

import pytest
import torch
from conftest import FAMILIES, VARIANTS, make_model
from scipy.stats import spearmanr
from truth import Truth

from mwork_eval.detection.scoring import attention, closed_forms, exact, paper
from mwork_eval.detection.scoring.attention import Attention
from mwork_eval.detection.scoring.capture import run_batch
from mwork_eval.detection.scoring.exact import ExactQueryKey
from mwork_eval.detection.scoring.rotation import Rotation
from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.errors import InputError
from mwork_eval.models.layout import Layout

IDS = torch.randint(2, 384, (14,), generator=torch.Generator().manual_seed(3)).tolist()
MEMORY = 2**24
# Falcon with position biases adds them twice in its eager attention, the only one that returns weights.
WITHOUT_WEIGHTS = {"falcon-rw"}


class Recorder:
    """Keeps what the capture shows, and attends as the model does."""

    def __init__(self) -> None:
        self.seen = {}

    def attention(self, layer, document, seen):
        self.seen[layer, document] = seen
        return plain_heads(seen)

    def attention_output(self, layer, document, output):
        pass

    def feed_forward(self, layer, part, structure, rows):
        pass

    def changes(self, layer, part, structures, expert, found):
        pass


def plain_heads(seen: Attention) -> torch.Tensor:
    heads = torch.empty_like(seen.query)
    for rows in seen.blocks(MEMORY):
        value = seen.value[rows.groups, None, rows.keys]
        heads.unflatten(0, (-1, seen.per_group))[rows.groups, :, rows.queries] = rows.weights @ value
    return heads


@pytest.mark.parametrize("member", [*FAMILIES, *VARIANTS])
def test_closed_forms_equal_zeroing_the_neuron(member):
    layout = Layout.of(make_model(member))
    found = Scorer(layout).score([IDS])[0]
    with Truth(layout, IDS, eager=member not in WITHOUT_WEIGHTS) as truth:
        for layer in (0, layout.shape.layers - 1):
            for structure in set(layout.shape.sizes[layer]) - {"q", "k"}:
                expected = truth.scores(layer, structure)
                scores_found = torch.from_numpy(found[layer, structure]).double()
                torch.testing.assert_close(scores_found, expected, rtol=1e-4, atol=1e-4 * float(expected.mean()))


def errors_of(layout: Layout, structure: str) -> tuple[float, float]:
    """Return the worst Spearman correlation and median relative error of q or k over the first and last layer."""
    found = Scorer(layout).score([IDS])[0]
    worst, error = 1.0, 0.0
    with Truth(layout, IDS) as truth:
        for layer in (0, layout.shape.layers - 1):
            expected = truth.scores(layer, structure)
            scores_found = torch.from_numpy(found[layer, structure]).double()
            worst = min(worst, float(spearmanr(scores_found, expected).statistic))
            error = max(error, float(((scores_found - expected).abs() / expected).median()))
    return worst, error


@pytest.mark.parametrize("structure", ["q", "k"])
@pytest.mark.parametrize("member", sorted({*FAMILIES, *VARIANTS} - WITHOUT_WEIGHTS))
def test_query_and_key_equal_zeroing_the_neuron(member, structure):
    worst, error = errors_of(Layout.of(make_model(member)), structure)
    assert worst > 0.99
    assert error < 0.02


@pytest.mark.parametrize("structure", ["q", "k"])
@pytest.mark.parametrize("member", sorted({*FAMILIES, *VARIANTS} - WITHOUT_WEIGHTS))
def test_the_second_order_alone_is_near_the_truth_for_small_changes(member, structure, monkeypatch):
    monkeypatch.setattr(exact, "_ALWAYS_RECOMPUTED", 0)
    monkeypatch.setattr(exact, "_MOST_RECOMPUTED", 0.0)
    monkeypatch.setattr(exact, "_CROSS_HEADS", 0.0)
    model = make_model(member)
    layout = Layout.of(model)
    with torch.no_grad():
        for layer in range(layout.shape.layers):
            norm = getattr(layout.attentions[layer][0].module, "q_norm", None)
            if norm is not None:  # a norm undoes small projections, so its own weights must be small
                norm.weight.copy_(0.05 * norm.weight - (0.95 if "gemma3" in member else 0.0))
            else:
                layout.blocks[layer, "q"][0].weight.mul_(0.03)
                if layout.blocks[layer, "q"][0].bias is not None:
                    layout.blocks[layer, "q"][0].bias.mul_(0.03)
    worst, error = errors_of(layout, structure)
    assert worst > 0.99
    assert error < 0.02


def test_the_paper_method_equals_the_papers_formula_spelt_out(layout):
    recorder = Recorder()
    run_batch(layout, [IDS], recorder)
    found = Scorer(layout, "paper").score([IDS])[0]
    for (layer, _), seen in recorder.seen.items():
        heads, tokens, width = seen.query.shape
        expected_q = torch.zeros(heads, width, dtype=torch.double)
        distance = torch.arange(tokens)[:, None] - torch.arange(tokens)
        hidden = (distance < 0) | (distance >= (seen.window or tokens))
        bias = torch.zeros(tokens, tokens).masked_fill(hidden, -1e30)
        for head in range(heads):
            q, k = seen.query[head].double(), seen.key[head // seen.per_group].double()
            raw = seen.scale * q @ k.T
            own = bias.double() + (0 if seen.key_bias is None else seen.key_bias[head].double())

            def weights(raw, seen=seen, own=own):
                capped = raw if seen.softcap is None else seen.softcap * torch.tanh(raw / seen.softcap)
                return torch.softmax(capped + own, -1)

            for dim in range(width):
                without = raw - seen.scale * torch.outer(q[:, dim], k[:, dim])
                expected_q[head, dim] = (weights(without) - weights(raw)).square().sum()
        expected_k = expected_q.unflatten(0, (-1, seen.per_group)).sum(1)
        for structure, expected in (("q", expected_q), ("k", expected_k)):
            scores_found = torch.from_numpy(found[layer, structure]).double()
            torch.testing.assert_close(scores_found, expected.flatten(), rtol=5e-4, atol=1e-6)


def test_the_reference_method_spelt_out():
    layout = Layout.of(make_model("llama"))
    recorder = Recorder()
    run_batch(layout, [IDS], recorder)
    found = Scorer(layout, "reference").score([IDS])[0]
    seen = recorder.seen[0, 0]
    causal = torch.full((len(IDS), len(IDS)), -1e30).triu(1)
    raw = seen.query[4] @ seen.key[1].T
    without = raw - torch.outer(seen.query[4][:, 2], seen.key[1][:, 2])
    expected = (torch.softmax(without + causal, -1) - torch.softmax(raw + causal, -1)).square().sum()
    width = seen.query.shape[-1]
    torch.testing.assert_close(torch.tensor(found[0, "q"][4 * width + 2]), expected, rtol=1e-4, atol=1e-7)
    of_group = plain_heads(seen)[3:].abs().sum((0, 1))
    torch.testing.assert_close(torch.from_numpy(found[0, "v"][width:]), of_group)
    outputs = {}
    up = layout.blocks[0, "up"][0].module
    hook = up.register_forward_hook(lambda _, __, out: outputs.update(up=out[0]))
    with torch.no_grad():
        layout.decoder(input_ids=torch.tensor([IDS]))
    hook.remove()
    torch.testing.assert_close(torch.from_numpy(found[0, "down"]), outputs["up"].abs().sum(0))


def test_moments_and_recomputing_agree(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    seen = random_attention(generator, tokens=30, width=16, scale=0.1)
    monkeypatch.setattr(paper, "_MOMENT_LIMIT", -1.0)
    slow = query_key(paper.PaperQueryKey, seen)
    monkeypatch.setattr(paper, "_MOMENT_LIMIT", 1.0)
    fast = query_key(paper.PaperQueryKey, seen)
    for quick, recomputed in zip(fast, slow, strict=True):
        torch.testing.assert_close(quick, recomputed, rtol=1e-4, atol=1e-8)


def random_attention(generator: torch.Generator, *, tokens: int, width: int, scale: float) -> Attention:
    query, key, value = (torch.randn(heads, tokens, width, generator=generator) for heads in (4, 2, 2))
    rotation = Rotation.none(tokens, width, query.device)
    return Attention(query, key, value, rotation, None, None, None, None, scale, None)


def query_key(method, seen: Attention, memory: int = MEMORY):
    found = method(seen, memory)
    for rows in seen.blocks(memory):
        found.add(rows)
    return found.result()


@pytest.mark.parametrize("method", [ExactQueryKey, paper.PaperQueryKey])
def test_the_memory_budget_changes_the_blocks_and_not_the_scores(method, monkeypatch):
    seen = random_attention(torch.Generator().manual_seed(1), tokens=23, width=8, scale=0.3)
    monkeypatch.setattr(exact, "_ALWAYS_RECOMPUTED", 2**40)
    whole = query_key(method, seen, 2**30)
    monkeypatch.setattr(attention, "_MOST_ROWS", 5)
    assert len(list(seen.blocks(0))) == 2 * 23
    assert len(list(seen.blocks(2**30))) == 5
    for memory in (0, 20_000, 2**30):
        for one, other in zip(whole, query_key(method, seen, memory), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-9)


def test_a_bfloat16_model_is_scored_in_float32(family):
    full, half = (Layout.of(make_model(family).to(dtype)) for dtype in (torch.float32, torch.bfloat16))
    with torch.no_grad():  # the same weights in both
        for mine, theirs in zip(full.model.parameters(), half.model.parameters(), strict=True):
            mine.copy_(theirs)
    expected, found = (Scorer(layout).score([IDS])[0] for layout in (full, half))
    for structure in full.shape.sizes[0]:
        assert found[0, structure].dtype == expected[0, structure].dtype == "float32"
        assert spearmanr(found[0, structure], expected[0, structure]).statistic > 0.95


def test_batch_composition_changes_no_score(layout):
    generator = torch.Generator().manual_seed(5)
    documents = [torch.randint(2, 384, (n,), generator=generator).tolist() for n in (5, 9, 9, 17)]
    together = Scorer(layout).score(documents)
    for document, found in zip(documents, together, strict=True):
        for place, alone in Scorer(layout).score([document])[0].items():
            expected = torch.from_numpy(alone)
            torch.testing.assert_close(
                torch.from_numpy(found[place]), expected, rtol=1e-5, atol=1e-5 * float(expected.mean())
            )


def test_grouped_values_add_up_before_the_norm():
    generator = torch.Generator().manual_seed(2)
    heads, output = torch.randn(4, 7, 3, generator=generator), torch.randn(12, 5, generator=generator)
    grouped = closed_forms.value_scores(heads, output, groups=2)
    naive = closed_forms.output_scores(heads, output).reshape(2, 2, 3).sum(1).flatten()
    removed = torch.zeros(7, 5)
    for head in (0, 1):
        removed += torch.outer(heads[head, :, 0], output[3 * head])
    torch.testing.assert_close(grouped[0], removed.square().sum())
    assert not torch.allclose(grouped, naive)


def test_without_grouped_queries_o_repeats_v():
    generator = torch.Generator().manual_seed(4)
    heads, output = torch.randn(3, 7, 4, generator=generator), torch.randn(12, 6, generator=generator)
    torch.testing.assert_close(
        closed_forms.value_scores(heads, output, groups=3), closed_forms.output_scores(heads, output)
    )


@pytest.mark.parametrize("member", [*FAMILIES, *VARIANTS])
def test_capturing_changes_neither_output_nor_model(member):
    layout = Layout.of(make_model(member))
    ids = torch.tensor([IDS])
    with torch.no_grad():
        before = layout.decoder(input_ids=ids).last_hidden_state
    implementation = layout.model.config._attn_implementation
    outputs = {}
    hook = layout.decoder.register_forward_hook(lambda m, a, out: outputs.update(last=out.last_hidden_state))
    run_batch(layout, [IDS], Recorder())
    hook.remove()
    torch.testing.assert_close(outputs["last"], before, rtol=1e-4, atol=1e-4)
    assert layout.model.config._attn_implementation == implementation
    with torch.no_grad():
        torch.testing.assert_close(layout.decoder(input_ids=ids).last_hidden_state, before, rtol=0, atol=0)


def test_an_exception_in_the_sink_leaves_the_model_as_it_was(layout):
    class Failing(Recorder):
        def attention(self, layer, document, seen):
            raise RuntimeError("stop")

    implementation = layout.model.config._attn_implementation
    with pytest.raises(RuntimeError, match="stop"):
        run_batch(layout, [IDS], Failing())
    assert layout.model.config._attn_implementation == implementation
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in layout.model.modules())


@pytest.mark.parametrize(("kind", "rotated"), [("half", 8), ("half", 4), ("interleaved", 8), ("none", 0)])
def test_a_rotation_can_be_undone(kind, rotated):
    generator = torch.Generator().manual_seed(7)
    angles = torch.rand(6, rotated // 2, generator=generator)
    angles = angles.repeat_interleave(2, -1) if kind == "interleaved" else torch.cat([angles, angles], -1)
    if kind == "none":
        rotation = Rotation.none(6, 8, angles.device)
    else:
        rotation = Rotation.of(kind, 1.2 * angles.cos(), 1.2 * angles.sin(), 8)
    channels = torch.randn(3, 6, 8, generator=generator)
    torch.testing.assert_close(rotation.undo(rotation.apply(channels)), channels)
    torch.testing.assert_close(rotation.swap(channels), channels[..., rotation.partner])
    unit = torch.eye(8)[2].expand(1, 6, 8)
    turned = rotation.apply(unit)[0]
    torch.testing.assert_close(turned[:, 2], rotation.cos[:, 2])
    if rotated:
        torch.testing.assert_close(turned[:, int(rotation.partner[2])], rotation.sign[2] * rotation.sin[:, 2])


def test_a_token_without_an_embedding_is_one_error():
    with pytest.raises(InputError, match=r"no embedding for; found token 384; expected tokens below 384"):
        Scorer(Layout.of(make_model("llama"))).score([[3, 384]])
