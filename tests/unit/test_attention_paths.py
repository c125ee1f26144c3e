"""What lies around the softmax of attention: each special thing by one small model, and one that breaks it."""

from dataclasses import replace

import pytest
import torch
from helpers.architectures import build, token_ids
from helpers.zeroing import Zeroing
from scipy.stats import spearmanr
from transformers.masking_utils import (
    causal_mask_function,
    chunked_causal_mask_function,
    eager_mask,
    or_masks,
    sliding_window_causal_mask_function,
)

from mwork_eval.detection.scoring import attention_capture, path
from mwork_eval.detection.scoring.attention_capture import AttentionCapture
from mwork_eval.detection.scoring.core import Core
from mwork_eval.detection.scoring.masks import Masks
from mwork_eval.detection.scoring.outside import Work
from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.errors import InputError
from mwork_eval.models.layout import Layout

IDS = token_ids()


def known_of(member, ids=IDS):
    """Score a member; return its scores, and what was found out about each attention."""
    scorer = Scorer(Layout.of(build(member)))
    found = scorer.score([ids])[0]
    return found, scorer._known


@pytest.mark.parametrize(
    ("member", "kind", "permuted", "start"),
    [
        ("llama", "half", False, 0),
        ("cohere", "interleaved", False, 0),
        ("llama4_text", "interleaved", False, 0),  # complex numbers
        ("gptj", "interleaved", False, 0),  # angles that no argument tells
        ("deepseek_v3", "interleaved", True, 8),  # pairs are moved apart, after the channels that are not rotated
        ("hy_v4", "half", False, 8),
        ("stablelm", "half", False, 0),  # a part of the channels
        ("bloom", "none", False, 0),
        ("smollm3", "half", False, 0),
    ],
)
def test_rotations_are_found_by_trying(member, kind, permuted, start):
    _, known = known_of(member)
    angles = known[0, 0].angles
    assert (angles.kind, angles.permuted, angles.start) == (kind, permuted, start)
    assert known[0, 0].formulas


@pytest.mark.parametrize(
    ("member", "values"),
    [
        ("llama", "plain"),
        ("afmoe", "plain"),  # a gate
        ("bitnet", "before a norm"),
        ("gemma4_text", "normed"),
        ("doge", "replayed one by one"),  # values that make a mask
    ],
)
def test_what_stands_behind_values_is_found_by_trying(member, values):
    _, known = known_of(member)
    assert {about.values for about in known.values()} == {values}


@pytest.mark.parametrize(("member", "slow"), [("llama", False), ("doge", True)])
def test_what_is_run_again_for_each_neuron_is_told_once(member, slow, caplog):
    scorer = Scorer(Layout.of(build(member)))
    for _ in range(2):
        scorer.score([IDS])
    told = [record.message for record in caplog.records if "fits no formula" in record.message]
    assert told == ["the attention of 2 layers fits no formula, and is run again for its neurons, which is slow"] * slow


def truth_of(member, layer, structure, most=12):
    """Return the neurons and the true scores of a structure in a layer."""
    truth = Zeroing(build(member), IDS)
    part = next(part for part in truth.parts[layer] if part.structure == structure)
    neurons = list(range(0, part.size, max(1, part.size // most)))
    return neurons, truth.changes(layer, part, neurons)


@pytest.mark.parametrize(
    "member", ["llama", "hunyuan_v1_dense", "olmo2", "gpt_oss", "gemma2", "codegen", "deepseek_v2"]
)
@pytest.mark.parametrize("structure", ["q", "k"])
def test_running_a_module_again_gives_the_same_as_the_formulas(member, structure, monkeypatch):
    by_formula, known = known_of(member)
    assert all(about.formulas for about in known.values())
    monkeypatch.setattr(attention_capture, "find_paths", lambda *_: None)
    replayed, known = known_of(member)
    assert not any(about.formulas for about in known.values())
    one, other = (torch.from_numpy(found[1, structure]).double() for found in (by_formula, replayed))
    assert float(((one - other).abs() / other).median()) < 0.01
    neurons, expected = truth_of(member, 1, structure)
    torch.testing.assert_close(other[neurons], expected, rtol=1e-3, atol=1e-4 * float(expected.mean()))


@pytest.mark.parametrize(
    ("member", "way"),
    [("llama", "replayed"), ("beam", "replayed"), ("beam", "replayed one by one"), ("bitnet", "replayed one by one")],
)
def test_running_a_module_again_gives_the_values(member, way, monkeypatch):
    by_formula, _ = known_of(member)
    monkeypatch.setattr(attention_capture, "formula_of_values", lambda *_: way)
    replayed, _ = known_of(member)
    expected = torch.from_numpy(replayed[1, "v"])
    torch.testing.assert_close(
        torch.from_numpy(by_formula[1, "v"]), expected, rtol=1e-4, atol=1e-4 * float(expected.mean())
    )


def test_a_wrong_hypothesis_is_refuted_by_zeroing(monkeypatch):
    right = path.find_paths

    def without_norms(*given):
        found = right(*given)
        return replace(found, query=replace(found.query, norm=None), key=replace(found.key, norm=None))

    monkeypatch.setattr(attention_capture, "find_paths", without_norms)
    found, known = known_of("qwen3")
    assert not any(about.formulas for about in known.values())
    neurons, expected = truth_of("qwen3", 0, "q")
    torch.testing.assert_close(torch.from_numpy(found[0, "q"][neurons]).double(), expected, rtol=1e-3, atol=1e-6)


def test_arguments_that_do_not_tell_all_are_refuted_by_the_models_own_function(monkeypatch):
    monkeypatch.setattr("mwork_eval.detection.scoring.core._SINKS", ())
    found, known = known_of("gpt_oss")
    assert all(about.by_eager for about in known.values())
    neurons, expected = truth_of("gpt_oss", 0, "k")
    assert spearmanr(found[0, "k"][neurons], expected).statistic > 0.99
    monkeypatch.setattr(AttentionCapture, "_as_eager", lambda *_: True)
    wrong, _ = known_of("gpt_oss")
    assert float(((torch.from_numpy(wrong[0, "k"][neurons]) - expected).abs() / expected).median()) > 0.05


def test_masks_are_what_the_model_makes_them():
    masks = Masks()
    query = torch.zeros(1, 2, 6, 4)
    hidden = torch.ones(6, 6, dtype=torch.bool).triu(1)
    least = torch.finfo(torch.float32).min
    causal = torch.zeros(1, 1, 6, 6).masked_fill(hidden, least)
    assert masks.read(causal, query, None) == (None, None)
    assert masks.read(~hidden[None, None], query, 3) == (None, None)  # a mask counts, and not the window beside it
    assert masks.read(None, query, 3) == (3, None)
    window = causal.masked_fill(torch.ones(6, 6, dtype=torch.bool).tril(-3), least)
    assert masks.read(window, query, None) == (3, None)
    chunks = causal.masked_fill((torch.arange(6)[:, None] // 3) != (torch.arange(6) // 3), least)
    found, mask = masks.read(chunks, query, None)
    assert found is None
    assert torch.equal(mask, chunks)
    slopes = causal + torch.arange(6) * torch.tensor([0.5, 0.25])[None, :, None, None]
    _, mask = masks.read(slopes.clamp_min(least), query, None)
    torch.testing.assert_close(masks.of_keys(mask)[0, 0], 0.5 * torch.arange(6))
    slopes[0, 1, 4, 2] += 1  # for one row alone
    assert masks.of_keys(slopes.clamp_min(least)) is None


CHUNKS = chunked_causal_mask_function(4, torch.zeros(2, dtype=torch.int))


@pytest.mark.parametrize(
    ("function", "size", "tokens", "window"),
    [
        (causal_mask_function, None, 6, None),
        (sliding_window_causal_mask_function(3), 3, 6, 3),
        (sliding_window_causal_mask_function(6), 6, 6, None),
        (CHUNKS, 4, 4, None),
    ],
)
def test_masks_that_are_windows_are_not_made_until_a_model_looks_inside(function, size, tokens, window):
    about = {"q_length": tokens, "kv_length": tokens, "mask_function": function, "local_size": size}
    about |= {"dtype": torch.float32, "device": torch.device("cpu")}
    masks, query = Masks(), torch.zeros(2, 2, tokens, 4)
    mask = masks.make(batch_size=2, **about)
    assert masks.read(mask, query, 1) == (window, None)
    assert mask.shape == (2, 1, tokens, tokens)
    assert not masks._made
    expected = eager_mask(batch_size=2, **about)
    assert torch.equal(mask[:, :, 1:], expected[:, :, 1:])
    assert torch.equal(torch.cat([mask, mask]), torch.cat([expected, expected]))
    assert masks.read(mask.to("cpu"), query, 1) == (window, None)


@pytest.mark.parametrize(
    "other",
    [
        {"mask_function": CHUNKS, "local_size": 4},
        {"mask_function": sliding_window_causal_mask_function(2), "local_size": 3},
        {"attention_mask": torch.tensor([[False, True, True, True, True, True]])},
        {"mask_function": or_masks(causal_mask_function, lambda b, h, q, k: k == 3)},
    ],
)
def test_masks_whose_arguments_do_not_tell_a_window_are_made(other):
    about = {"q_length": 6, "kv_length": 6, "mask_function": causal_mask_function, "dtype": torch.float32}
    about |= {"device": torch.device("cpu"), **other}
    mask = Masks().make(batch_size=1, **about)
    assert type(mask) is torch.Tensor
    assert torch.equal(mask, eager_mask(batch_size=1, **about))


def test_a_few_rows_tell_a_bias_of_keys_and_windows_but_not_one_of_rows():
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(2, heads, 40, 4, generator=generator) for heads in (4, 2))
    later = torch.ones(40, 40, dtype=torch.bool).triu(1)
    slopes = torch.tensor([0.1, 0.2, 0.3, 0.4])[None, :, None, None] * torch.arange(40)
    scores = 0.5 * Work(query, key).products()
    window, bias = Work(query, key, (scores + slopes).masked_fill(later, -1e30)).bias_of_keys(0.5)
    assert window is None
    torch.testing.assert_close(bias, slopes[:, :, 0].expand(2, -1, -1), rtol=1e-4, atol=1e-4)
    behind = later | torch.ones(40, 40, dtype=torch.bool).tril(-7)
    window, bias = Work(query, key, scores.masked_fill(behind, -1e30)).bias_of_keys(0.5)
    assert window == 7
    assert not bias.masked_fill(behind[-1], 0).any()
    rows = (scores + slopes * torch.arange(40)[:, None]).masked_fill(later, -1e30)
    assert Work(query, key, rows).bias_of_keys(0.5) is None
    chunks = scores.masked_fill(later | (torch.arange(40)[:, None] // 8 != torch.arange(40) // 8), -1e30)
    assert Work(query, key, chunks).bias_of_keys(0.5) is None


def test_a_sink_takes_its_share_of_every_row():
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, heads, 5, 4, generator=generator) for heads in (2, 1, 1))
    heads = Core(query, key, value, 0.5, sink=torch.tensor([[[0.3], [-1.0]]])).heads([5], 2**20)
    logits = 0.5 * query[0, 1] @ key[0, 0].T + torch.full((5, 5), -1e30).triu(1)
    with_sink = torch.softmax(torch.cat([logits, torch.full((5, 1), -1.0)], 1), -1)[:, :5]
    torch.testing.assert_close(heads[0, 1], with_sink @ value[0, 0])


def test_keys_of_another_layer_are_scored_by_what_all_layers_do_with_them():
    found, known = known_of("gemma4_text")
    sources = {number: about.keys_of for (number, _), about in known.items()}
    users = {number: source for number, source in sources.items() if source is not None}
    assert users
    assert all((number, "k") not in found for number in users)
    for structure in "kv":
        neurons, expected = truth_of("gemma4_text", min(users.values()), structure)
        scores = torch.from_numpy(found[min(users.values()), structure][neurons]).double()
        torch.testing.assert_close(scores, expected, rtol=0.02, atol=1e-3 * float(expected.mean()))


def test_layers_without_softmax_attention_have_no_scores_of_it():
    layout = Layout.of(build("jamba"))
    found = Scorer(layout).score([IDS])[0]
    mixers = [number for number, of_layer in enumerate(layout.attentions) if not of_layer]
    assert mixers
    assert all((number, structure) not in found for number in mixers for structure in "qkvo")
    assert {structure for number, structure in found if number not in mixers} >= set("qkvo")


@pytest.mark.parametrize("member", ["llama", "bloom", "gptj", "deepseek_v3", "gemma4_text"])
def test_what_one_batch_found_out_serves_the_next(member, monkeypatch):
    layout = Layout.of(build(member))
    scorer = Scorer(layout)
    first = scorer.score([IDS])[0]
    monkeypatch.setattr(attention_capture, "queries_and_keys_hold", lambda *_: pytest.fail("proven again"))
    again = scorer.score([IDS, IDS[:5]])
    alone = Scorer(layout)
    alone._known = scorer._known
    for place, scores in alone.score([IDS[:5]])[0].items():
        torch.testing.assert_close(
            torch.from_numpy(again[1][place]), torch.from_numpy(scores), rtol=1e-3, atol=1e-5 * float(scores.mean())
        )
    for place, scores in first.items():
        torch.testing.assert_close(
            torch.from_numpy(again[0][place]), torch.from_numpy(scores), rtol=1e-3, atol=1e-5 * float(scores.mean())
        )


def test_a_document_too_short_to_tell_is_not_kept():
    _, known = known_of("llama", IDS[:3])
    assert known[0, 0].formulas is None
    assert known[0, 0].angles is None
    assert known[0, 0].values is None


def test_attention_that_is_not_understood_is_one_clear_error(monkeypatch):
    monkeypatch.setattr("mwork_eval.detection.scoring.outside._PRODUCTS", {})
    with pytest.raises(InputError, match=r"layer 0, self_attention \(BloomAttention\).*no product of queries and keys"):
        known_of("bloom")
