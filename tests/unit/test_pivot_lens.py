"""The lens with another pivot than English: whose tokens are whose, words, files, what is shown."""

import json

import numpy as np
import pytest
import torch
from conftest import make_model, make_tokenizer

from mwork_eval.analysis.lens_file import read_lens
from mwork_eval.analysis.shares import Curves
from mwork_eval.analysis.token_language import TokenClassifier
from mwork_eval.analysis.word_list import load_word_list
from mwork_eval.analysis.words_lens import WordQuery, WordTokens, look_at_words, word_queries
from mwork_eval.application.lens import lens
from mwork_eval.errors import InputError
from mwork_eval.models.layout import Layout
from mwork_eval.reports.html.lens import lens_parts
from mwork_eval.reports.lens_wording import class_name, describe_crossings, lens_cells
from mwork_eval.statistics.resampling import Estimate

GERMAN = "Die Regierung hat gestern beschlossen dass alle Schulen im Winter geschlossen bleiben"
RUSSIAN = "потому что не хватило денег на строительство"
ENGLISH = "The government has decided that every school should remain closed this winter"


class Words:
    """A tokenizer whose tokens are the words of texts."""

    def __init__(self, *texts):
        self.words = [f" {word}" for text in texts for word in text.split()]

    def decode(self, tokens, skip_special_tokens=False):
        return "".join(self.words[token] for token in tokens)

    def classify(self, language, pivot):
        classifier = TokenClassifier(self, language, pivot)
        column = np.arange(len(self.words))[:, None]
        return {classifier.classes[found] for found in classifier.classify(column).ravel()}


@pytest.mark.parametrize(
    ("text", "language", "pivot", "found"),
    [
        ("这 是 中国 首都", "th", "zh", "pivot"),
        ("เมือง หลวง", "th", "zh", "query"),
        ("the house", "th", "zh", "other"),  # English is another language
        ("東京 は 首都 です", "th", "zh", "other"),  # Japanese is not the pivot
        ("東京 は 首都 です", "ja", "zh", "query"),
        ("这 是 中国 首都", "ja", "zh", "pivot"),
        ("首都 水", "ja", "zh", "undecided"),  # of either
        ("首都 水", "th", "zh", "pivot"),
        ("12", "th", "zh", "undecided"),
        ("the house", "zh", "en", "english"),
        ("这 是 中国 首都", "zh", "th", "query"),
    ],
)
def test_scripts_tell_the_pivot(text, language, pivot, found):
    assert Words(text).classify(language, pivot) == {found}


@pytest.mark.parametrize(
    ("text", "language", "pivot", "found"),
    [
        (GERMAN, "zh", "de", "pivot"),
        (GERMAN, "zh", "de-AT", "pivot"),  # a variety is told as its base
        (GERMAN, "de", "zh", "query"),
        (GERMAN, "es", "de", "pivot"),
        (GERMAN, "de", "es", "query"),
        (ENGLISH, "zh", "de", "other"),
        (ENGLISH, "de", "zh", "other"),
        (ENGLISH, "en", "zh", "query"),
        (ENGLISH, "de", "en", "english"),
        (RUSSIAN, "de", "ru", "pivot"),
        (RUSSIAN, "ru", "de", "query"),
        (RUSSIAN, "es", "de", "other"),
    ],
)
def test_a_pivot_that_shares_its_script_is_identified(text, language, pivot, found):
    pytest.importorskip("lingua", reason="needs the extra [langid]")
    assert Words(text).classify(language, pivot) == {found}


def test_a_pivot_that_cannot_be_told_is_one_error():
    with pytest.raises(InputError, match="cannot be told; found mt"):
        TokenClassifier(make_tokenizer(), "zh", "mt")


def test_words_are_told_from_the_pivots():
    words, tokenizer = load_word_list(), make_tokenizer()
    lookup = WordTokens(tokenizer)
    found = word_queries(tokenizer, lookup, words, "es", "repetition", None, "de")
    first = next(word for word in words.words if lookup.beginning(word["de"]) and lookup.beginning(word["es"]))
    told = [word for word in words.words if not set(lookup.beginning(word["de"])) & set(lookup.beginning(word["es"]))]
    told = [word for word in told if lookup.beginning(word["de"]) and lookup.beginning(word["es"])]
    assert [query.pivot for query in found] == [lookup.beginning(word["de"]) for word in told]
    assert first in words.words
    with pytest.raises(InputError, match="the word list has no Japanese, the pivot; expected one of en de fr"):
        words.prompts("es", "translation", "ja")


def test_words_are_never_translated_from_the_pivot():
    words = load_word_list()
    assert words.prompts("zh", "translation")[0].endswith('Français: "livre" - 中文: "')
    assert words.prompts("zh", "translation", "fr")[0].endswith('Deutsch: "Buch" - 中文: "')
    assert words.prompts("de", "translation", "fr")[0].endswith('Español: "libro" - Deutsch: "')
    assert words.prompts("en", "translation", "zh")[0].endswith('Français: "livre" - English: "')


def test_a_words_curve_has_the_pivots_class():
    layout = Layout.of(make_model("llama"))
    query = WordQuery([5, 9], pivot=[30], query=[40])
    how = {"language": "es", "masked": None, "advance": lambda done: None}
    english, chinese = (look_at_words(layout, [query], **how, **more) for more in ({}, {"pivot": "zh"}))
    assert (english.classes, english.pivot) == (("english", "query", "neither"), "en")
    assert (chinese.classes, chinese.pivot) == (("pivot", "query", "neither"), "zh")
    assert chinese.shares == english.shares
    assert chinese.crossings() == english.crossings()


def test_files_and_views_say_the_pivot(tmp_path):
    torch.manual_seed(0)
    texts = {"th": ["กรุงเทพมหานครเป็นเมืองหลวง", "ประเทศไทย"]}
    found = lens(make_model("llama"), make_tokenizer(), texts, pivot="zh", out=tmp_path, progress=False)
    first, *rows = [json.loads(line) for line in found.files[0].read_text(encoding="utf-8").splitlines()]
    assert first["pivot"] == "zh"
    assert {row["class"] for row in rows if "class" in row} == {"pivot", "query", "other", "undecided"}
    (curves,) = read_lens(found.files[0]).curves
    assert curves.pivot == "zh"
    assert lens_cells(curves)[0] == ["layer", "zh", "th", "other", "undecided"]
    (part,) = lens_parts(tmp_path)
    assert (part["pivot"], part["classes"]) == ("Chinese", ["zh", "query", "other", "undecided"])
    share = [Estimate(value, value, value, None) for value in (0.6, 0.4)]
    crossing = Curves("th", None, ("pivot", "query"), [share, share[::-1]], np.ones((2, 2)), None, 3, "zh")
    assert describe_crossings(crossing) == "Chinese and th cross at layer 0.5"
    assert (class_name(crossing, "pivot"), class_name(crossing, "other")) == ("zh", "other")


def test_with_english_nothing_is_said_of_a_pivot(tmp_path):
    found = lens(make_model("llama"), make_tokenizer(), {"zh": ["今天天气很好。"]}, out=tmp_path, progress=False)
    assert "pivot" not in found.about
    assert "pivot" not in found.files[0].read_text(encoding="utf-8")
    assert lens_cells(found.curves[0])[0] == ["layer", "english", "zh", "other", "undecided"]


def test_bad_pivots_are_one_line_before_a_model_loads(tmp_path):
    with pytest.raises(InputError, match="Chinese is what the others are compared with; found zh; expected other"):
        lens("nowhere", texts={"zh": ["今天"]}, pivot="zh", progress=False)
    with pytest.raises(InputError, match="the word list has no Japanese, the pivot"):
        lens("nowhere", method="words", pivot="ja", progress=False)
    with pytest.raises(InputError, match="unusable pivot; found None"):
        lens("nowhere", pivot=None, progress=False)
