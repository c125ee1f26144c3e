"""The lens: a model built so that its layers decode to known tokens, and everything recomputed the slow way."""

import numpy as np
import pytest
import torch
from conftest import FAMILIES, make_model, make_tokenizer
from torch import nn

from mwork_eval.analysis.layer_states import read_layers
from mwork_eval.analysis.lens import look_with_masks
from mwork_eval.analysis.queries import distinct_queries, prompts_of_tasks
from mwork_eval.analysis.shares import crossings, estimate_shares
from mwork_eval.analysis.token_language import CLASSES, SPAN, TokenClassifier, require_identifier
from mwork_eval.analysis.tokens_lens import look_at_tokens
from mwork_eval.analysis.word_list import PROMPTS, load_word_list
from mwork_eval.analysis.words_lens import WordQuery, WordTokens, look_at_words
from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import prepare_tasks
from mwork_eval.interventions.zero import zero_neurons
from mwork_eval.languages.table import ENGLISH, rows
from mwork_eval.models import head as head_module
from mwork_eval.models.head import OutputHead
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet

TEXTS = ["the", "house", "书", "水", "д", "12", ".", "の"]


class Words:
    """A tokenizer whose token n is the n-th text."""

    def decode(self, tokens, skip_special_tokens=False):
        return " ".join(TEXTS[token] if token < len(TEXTS) else "" for token in tokens)


def scripted_layout(best: list[list[int]]) -> Layout:
    """A Llama whose layer l gives, at every position, the tokens best[l] in this order: logits 8, 7, 6, ..."""
    model = make_model("llama")
    layout = Layout.of(model)
    layout.decoder.norm = nn.Identity()
    width = model.config.hidden_size
    with torch.no_grad():
        model.lm_head.weight.zero_()
        for token in range(width):
            model.lm_head.weight[token, token] = 1.0

    def script(tokens):
        def hook(module, args, output):
            states = output[0] if isinstance(output, tuple) else output
            chosen = torch.full_like(states, -9.0)
            for rank, token in enumerate(tokens):
                chosen[..., token] = 8.0 - rank
            return (chosen, *output[1:]) if isinstance(output, tuple) else chosen

        return hook

    for layer, tokens in zip(layout.layers, best, strict=True):
        layer.register_forward_hook(script(tokens))
    return layout


def look(layout, classifier, *, k, weight="count", queries=((5, 6, 7), (8, 9, 10, 11))):
    return look_at_tokens(
        layout, classifier, queries, language="zh", masked=None, k=k, weight=weight, advance=lambda done: None
    )


def test_layers_that_decode_to_known_languages_give_exactly_their_shares():
    layout = scripted_layout([[5, 6, 2], [0, 1, 2], [0, 2, 4], [2, 3, 7]])
    curves = look(layout, TokenClassifier(Words(), "zh"), k=3)
    third = 1 / 3
    expected = [[0, third, 0, 2 * third], [2 * third, third, 0, 0], [third, third, third, 0], [0, 2 * third, third, 0]]
    found = [[share.value for share in layer] for layer in curves.shares]
    np.testing.assert_allclose(found, expected)
    assert curves.tokens.sum(1).tolist() == [21.0] * 4
    weights = np.exp([8.0, 7.0, 6.0])
    weighted = look(layout, TokenClassifier(Words(), "zh"), k=3, weight="probability")
    assert weighted.values("english")[2] == pytest.approx(weights[0] / weights.sum(), rel=1e-5)
    assert crossings(curves.values("english"), curves.values("query")) == [0.5, 2.0]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_last_layer_gives_the_models_own_logits_and_each_layer_its_own_state(family):
    model = make_model(family)
    layout, head = Layout.of(model), OutputHead.of(model)
    tokens = list(range(3, 14))
    found = read_layers(layout, tokens, lambda states: head.top(states, 5))
    assert len(found) == len(layout.layers)
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0].float().log_softmax(-1)
    values, best = logits.topk(5)
    torch.testing.assert_close(found[-1][1], values, atol=1e-4, rtol=1e-4)
    assert (found[-1][0] == best).float().mean() > 0.98
    assert not torch.equal(found[0][0], found[-1][0])
    (last, *_), *_ = [read_layers(layout, tokens, lambda states: head.top(states, 5)[1], last=True)]
    torch.testing.assert_close(last, found[0][1][-1:], atol=1e-4, rtol=1e-4)


def test_final_steps_are_found_by_when_they_are_called():
    layout = Layout.of(make_model("llama"))
    tokens = [3, 4, 5]
    with torch.no_grad():
        expected = layout.decoder(torch.tensor([tokens])).last_hidden_state[0]
    layout.decoder.something = layout.decoder.norm
    layout.decoder.norm = nn.Identity()
    layout.decoder.register_forward_hook(
        lambda module, args, output: output.__class__(last_hidden_state=module.something(output.last_hidden_state))
    )
    torch.testing.assert_close(read_layers(layout, tokens, lambda states: states)[-1], expected)


def test_a_final_step_that_is_no_module_is_an_error():
    layout = Layout.of(make_model("llama"))
    layout.decoder.register_forward_hook(
        lambda module, args, output: output.__class__(last_hidden_state=2 * output.last_hidden_state)
    )
    with pytest.raises(InputError, match="the architecture llama cannot be read by its output head; found another"):
        read_layers(layout, [3, 4, 5], lambda states: None)


@pytest.mark.parametrize("k", [1, 5, 384])
def test_the_best_tokens_of_parts_of_the_vocabulary_are_those_of_all(k, monkeypatch):
    head = OutputHead.of(make_model("gemma2"))
    states = torch.randn(40, 24)
    with torch.no_grad():
        values, tokens = head.logits(states).log_softmax(-1).topk(k)
        monkeypatch.setitem(head_module.BLOCK_BYTES, "cpu", 40 * 4 * 7)  # seven words at a time
        monkeypatch.setattr(head_module, "POSITIONS", 11)
        found_tokens, found = head.top(states, k)
    torch.testing.assert_close(found, values, atol=1e-5, rtol=1e-5)
    assert torch.equal(found_tokens[:, : min(k, 20)], tokens[:, : min(k, 20)])


def test_no_more_logits_than_a_block_are_in_memory(monkeypatch):
    head = OutputHead.of(make_model("llama"))
    monkeypatch.setitem(head_module.BLOCK_BYTES, "cpu", 32 * 4 * 10)
    sizes = []
    blocks = OutputHead._blocks
    monkeypatch.setattr(
        OutputHead,
        "_blocks",
        lambda self, states: ((sizes.append(b.numel()), (s, b))[1] for s, b in blocks(self, states)),
    )
    head.top(torch.randn(32, 24), 3)
    assert max(sizes) == 32 * 10
    assert sum(sizes) == 32 * 384


def test_a_mask_changes_the_curve_and_leaves_no_trace():
    layout = Layout.of(make_model("llama"))
    neurons = NeuronSet(layout.shape, {(0, "up"): np.arange(40)}, {})
    classifier = TokenClassifier(make_tokenizer(), "zh")

    def looked(language, queries, masked):
        return look_at_tokens(
            layout, classifier, queries, language=language, masked=masked, k=5, weight="probability",
            advance=lambda done: None,
        )  # fmt: skip

    queries = {"zh": [list(range(3, 30))]}
    whole, masked, again = (
        *look_with_masks(layout, queries, {"zh": {"under": neurons}}, looked),
        looked("zh", queries["zh"], None),
    )
    assert (whole.masked, masked.masked) == (None, "under")
    assert not np.allclose(whole.amounts, masked.amounts)
    np.testing.assert_array_equal(whole.amounts, again.amounts)
    with zero_neurons(layout, neurons):
        np.testing.assert_array_equal(looked("zh", queries["zh"], "under").amounts, masked.amounts)


def test_the_probability_of_a_word_is_that_of_the_tokens_that_begin_it():
    model = make_model("llama")
    layout = Layout.of(model)
    query = WordQuery([5, 9, 17], pivot=[30, 31], query=[40])
    curves = look_at_words(layout, [query], language="zh", masked=None, advance=lambda done: None)
    with torch.no_grad():
        chances = model(torch.tensor([query.tokens])).logits[0, -1].softmax(-1)
    expected = [float(chances[30] + chances[31]), float(chances[40])]
    assert [share.value for share in curves.shares[-1]] == pytest.approx([*expected, 1 - sum(expected)], abs=1e-6)


def test_tokens_that_begin_a_word_are_found_with_and_without_a_blank():
    tokenizer = make_tokenizer()
    found = {tokenizer.decode([token]) for token in WordTokens(tokenizer).beginning("the")}
    assert found == {
        text for text in (tokenizer.decode([n]) for n in range(384)) if text.strip(" ") in ("t", "th", "the")
    }


def test_shares_are_sums_over_queries_with_intervals_around_them():
    rng = np.random.default_rng(0)
    parts = rng.random((12, 3, 2))
    shares = estimate_shares(parts, parts.sum(-1))
    for layer in range(3):
        for column in range(2):
            share = shares[layer][column]
            assert share.value == pytest.approx(parts[:, layer, column].sum() / parts[:, layer].sum())
            assert share.low < share.value < share.high


def test_curves_cross_where_the_difference_changes_its_sign():
    assert crossings([1, 0], [0, 3]) == [0.25]
    assert crossings([1, 1, 0], [0, 1, 1]) == [1.0]
    assert crossings([1, 1, 1], [0, 1, 0]) == []
    assert crossings([0, 0], [0, 0]) == []


def test_spans_of_latin_tokens_are_identified_together():
    pytest.importorskip("lingua", reason="needs the extra [langid]")
    sentences = (
        "Die Regierung hat gestern beschlossen dass alle Schulen im Winter geschlossen bleiben sollen",
        "The government has decided that every school should remain closed during the whole winter season",
    )
    german, english = (sentence.split() for sentence in sentences)
    assert max(len(german), len(english)) <= SPAN

    class Tokenizer:
        def decode(self, tokens, skip_special_tokens=False):
            return " ".join([*german, *english, "12", "水"][token] for token in tokens)

    numbers, sign = len(german) + len(english), len(german) + len(english) + 1
    size = min(len(german), len(english))
    columns = np.stack([np.arange(size), len(german) + np.arange(size), np.full(size, numbers), np.full(size, sign)], 1)
    found = TokenClassifier(Tokenizer(), "de").classify(columns)
    assert [CLASSES[n] for n in found[0]] == ["query", "english", "undecided", "other"]
    assert (found == found[0]).all()
    assert CLASSES[int(TokenClassifier(Tokenizer(), "de").classify(columns[:1, :1])[0, 0])] == "undecided"


class GivenTokens:
    """A tokenizer whose tokens are given words."""

    def __init__(self, *words):
        self.words = words

    def decode(self, tokens, skip_special_tokens=False):
        return "".join(self.words[token] for token in tokens)

    def classify(self, language):
        column = np.arange(len(self.words))[:, None]
        return [CLASSES[found] for found in TokenClassifier(self, language).classify(column).ravel()]


def test_signs_that_chinese_and_japanese_share_go_by_the_span():
    japanese, chinese = (
        GivenTokens("東京", "は", "日本", "の", "首都", "です", " Tokyo"),
        GivenTokens("这", "是", "中国", "首都", "12"),
    )
    assert japanese.classify("zh") == ["other"] * 6 + ["english"]
    assert japanese.classify("ja") == ["query"] * 6 + ["english"]
    assert chinese.classify("zh") == ["query"] * 4 + ["undecided"]
    assert chinese.classify("ja") == ["other"] * 4 + ["undecided"]
    assert GivenTokens("首都", "水").classify("zh") == GivenTokens("首都", "水").classify("ja") == ["query"] * 2


@pytest.mark.parametrize(
    ("language", "own", "neighbour"),
    [
        ("ru", "потому что не хватило денег на строительство", "тому що не вистачило грошей на будівництво"),
        ("ar", "لأنه لم يكن هناك ما يكفي من المال", "چون پول کافی برای ساختن آن وجود نداشت"),
        ("pt", "porque não havia dinheiro suficiente", "porque no había suficiente dinero"),
    ],
)
def test_a_neighbour_in_the_same_script_is_another_language(language, own, neighbour):
    pytest.importorskip("lingua", reason="needs the extra [langid]")
    for text, right in ((own, "query"), (neighbour, "other"), ("Αθήνα και", "other")):
        words = GivenTokens(*(f" {word}" for word in text.split()))
        assert words.classify(language) == [right] * len(words.words)


def test_languages_that_share_a_script_need_the_identifier(monkeypatch):
    pytest.importorskip("lingua", reason="needs the extra [langid]")
    require_identifier(["zh", "th", "ko", "ru", "de"])
    with pytest.raises(InputError, match="cannot be told; found mt xx"):
        require_identifier(["zh", "mt", "xx"])
    monkeypatch.setattr("mwork_eval.languages.identifier.find_spec", lambda name: None)
    require_identifier(["zh", "th", "ko"])
    for language in ("de", "ru", "ar"):
        with pytest.raises(InputError, match=f"{language} share a script .*langid"):
            require_identifier(["zh", language])


def test_the_word_list_is_complete_and_differs_from_english():
    words = load_word_list()
    assert tuple(words.names) == tuple(dict.fromkeys(("en", *words.names)))
    assert set(words.names) == set(list(rows())[:10])  # the paper's languages
    assert 30 <= len(words.words) <= 60
    for word in words.words:
        assert all(word.values())
        assert all(word[code].casefold() != word[ENGLISH].casefold() for code in words.names if code != ENGLISH)
    for code in words.names:
        assert len({word[code] for word in words.words}) == len(words.words)


def test_a_language_without_words_is_one_error():
    with pytest.raises(InputError, match="the word list has no Japanese; expected one of en de fr"):
        load_word_list().prompts("ja", "translation")


def test_prompts_show_four_other_words_and_stop_before_the_answer():
    words = load_word_list()
    for kind in PROMPTS:
        for code in ("zh", "fr"):
            for word, prompt in zip(words.words, words.prompts(code, kind), strict=True):
                *examples, last = prompt.split("\n")
                assert len(examples) == 4
                assert last.endswith(f'{words.names[code]}: "')
                assert f'"{word["en"]}"' not in prompt
                assert not any(line.endswith(f'"{word[code]}"') for line in examples)
    assert words.prompts("zh", "translation")[0].endswith('Français: "livre" - 中文: "')
    assert words.prompts("zh", "repetition")[0].endswith('中文: "书" - 中文: "')


def test_queries_that_are_equal_once_cut_count_once():
    tokenizer = make_tokenizer()
    texts = ["the same paragraph: one", "the same paragraph: two", "another"]
    assert len(distinct_queries(tokenizer, texts, 100)) == 3
    cut = distinct_queries(tokenizer, texts, 4)
    assert cut == [tokenizer(text).input_ids[:4] for text in texts[1:]]


def test_queries_are_spread_over_a_task():
    every = [one.args[0] for one in prepare_tasks(["xquad_zh"], data="embedded")["xquad_zh"].task.instances]
    found = prompts_of_tasks(["xquad"], ["zh"], data="embedded", limit=2)
    assert found == {"zh": [every[0], every[16]]}
    assert prompts_of_tasks(["xquad"], ["zh"], data="embedded", limit=10_000)["zh"] == every
