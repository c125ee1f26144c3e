"""Named corpora of the hub: what is asked for, which languages they have, and what is said when they cannot be read."""

import json

import datasets
import pytest
from datasets.exceptions import DatasetNotFoundError

from mwork_eval.detection.corpus.hub import presets
from mwork_eval.detection.corpus.sources import Corpus
from mwork_eval.errors import InputError
from mwork_eval.languages.table import rows


@pytest.fixture
def asked(monkeypatch):
    """The arguments of every call of `load_dataset`, which gives two records."""
    calls = []

    def fake(**arguments):
        calls.append(arguments)
        return [{"text": json.dumps({"content": text}), "body": text} for text in ("one", "two")]

    monkeypatch.setattr(datasets, "load_dataset", fake)
    return calls


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "zh=hub:oscar",
            {
                "path": "text",
                "data_files": "hf://datasets/oscar-corpus/OSCAR-2301/zh_meta/*.jsonl.zst",
                "split": "train",
            },
        ),
        ("sw=hub:culturax", {"path": "uonlp/CulturaX", "name": "sw", "split": "train"}),
        ("zh=hub:fineweb-2", {"path": "HuggingFaceFW/fineweb-2", "name": "cmn_Hani", "split": "train"}),
        ("en=hub:fineweb-2", {"path": "HuggingFaceFW/fineweb", "name": "sample-10BT", "split": "train"}),
        ("de=hub:c4", {"path": "allenai/c4", "name": "de", "split": "train"}),
        (
            "th=hub:wikipedia",
            {
                "path": "wikimedia/wikipedia",
                "name": "20231101.th",
                "revision": "b04c8d1ceb2f5cd4588862100d08de323dccfbaa",
                "split": "train",
            },
        ),
        (
            "zh=hub:xlsum",
            {
                "path": "parquet",
                "data_files": "hf://datasets/csebuetnlp/xlsum@refs/convert/parquet/chinese_simplified/train/*.parquet",
                "split": "train",
            },
        ),
        ("zh=hub:org/mine:zh_all:test:body", {"path": "org/mine", "name": "zh_all", "split": "test"}),
        ("zh=hub:org/mine", {"path": "org/mine", "split": "train"}),
    ],
)
def test_what_is_asked_of_the_hub(asked, source, expected):
    documents = list(Corpus.parse(source).documents())
    assert asked == [{**expected, "streaming": True}]
    plain = source.endswith(("oscar", "body"))
    assert documents == (["one", "two"] if plain else ['{"content": "one"}', '{"content": "two"}'])


def test_every_preset_has_every_language_or_says_so_before_anything_is_read(asked):
    lacking = {}
    for name in presets():
        for language in rows():
            try:
                Corpus.parse(f"{language}=hub:{name}")
            except InputError as error:
                lacking[name, language] = str(error)
    assert ("fineweb-2", "en") not in lacking
    assert lacking["xlsum", "de"] == (
        "hub:xlsum has no de; expected en fr zh es ru vi th ar sw pt ja ko hi tr zh-Hans zh-Hant am az bn cy fa gd gu "
        "ha id ig ky mr my ne om pa pcm ps rn si so sr sr-Latn ta te ti uk ur uz yo; other corpora are hub:oscar "
        "hub:culturax hub:fineweb-2 hub:c4 hub:wikipedia"
    )
    assert {name for name, language in lacking if language in ("en", "fr", "zh", "es", "ru", "sw")} == set()
    assert asked == []
    with pytest.raises(InputError, match=r"hub:wikipedia has its configuration by itself; found hub:wikipedia:2023"):
        Corpus.parse("en=hub:wikipedia:20231101.en")


@pytest.mark.parametrize(
    ("source", "hints"),
    [
        (
            "zh=hub:oscar",
            r"accept its conditions on https://huggingface.co/datasets/oscar-corpus/OSCAR-2301 and run "
            r"`hf auth login`; reading it needs `pip install zstandard`; without network",
        ),
        ("zh=hub:culturax", r"datasets/uonlp/CulturaX and run `hf auth login`; without network"),
        ("zh=hub:org/closed", r"datasets/org/closed and run `hf auth login`; without network"),
    ],
)
def test_a_gated_corpus_says_how_to_log_in(monkeypatch, source, hints):
    def refuse(**arguments):
        raise DatasetNotFoundError("It is a gated dataset on the Hub.\nYou must be authenticated to access it.")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(InputError, match=hints):
        list(Corpus.parse(source).documents())


def test_an_open_corpus_says_nothing_of_logging_in(monkeypatch):
    def fail(**arguments):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(InputError, match="fineweb-2 cannot be read; found ConnectionError: no route to host") as failed:
        list(Corpus.parse("zh=hub:fineweb-2").documents())
    assert "login" not in str(failed.value)


def test_articles_of_a_benchmark_file_are_drawn_at_random(tmp_path):
    path = tmp_path / "chinese_simplified_test.jsonl"
    path.write_text("".join(json.dumps({"id": n, "text": f"article {n}"}) + "\n" for n in range(1000)))
    corpus = Corpus.parse(f"zh={path}#text")

    def drawn(seed):
        found = [
            int(text.removeprefix("article ")) for text, _ in zip(corpus.documents(seed), range(500), strict=False)
        ]
        assert len(set(found)) == 500
        return found

    first = drawn(1)
    assert first == drawn(1) != drawn(2)
    # Of the whole file, not of its beginning.
    assert 400 < sum(first) / 500 < 600


def test_a_hub_corpus_without_network_is_one_clear_error():
    with pytest.raises(InputError, match="cannot be read"):
        list(Corpus("en", "hub:nobody/nothing-of-this-name").documents())


NAMES_THERE = {
    # tag: FineWeb-2, Wikipedia, mC4, XL-Sum
    "de": ("deu_Latn", "de", "de", None),
    "zh": ("cmn_Hani", "zh", "zh", "chinese_simplified"),
    "cmn": ("cmn_Hani", "zh", "zh", "chinese_simplified"),
    "yue": ("yue_Hani", "zh-yue", "yue", None),
    "ar": ("arb_Arab", "ar", "ar", "arabic"),
    "arb": ("arb_Arab", "ar", "ar", "arabic"),
    "arz": ("arz_Arab", "arz", "arz", None),
    "sw": ("swh_Latn", "sw", "sw", "swahili"),
    "fa": ("fas_Arab", "fa", "fa", "persian"),
    "lv": ("lvs_Latn", "lv", "lv", None),
    "ja": ("jpn_Jpan", "ja", "ja", "japanese"),
    "ko": ("kor_Hang", "ko", "ko", "korean"),
    "nb": ("nob_Latn", "no", "no", None),
    "he": ("heb_Hebr", "he", "iw", None),
    "gsw": ("gsw_Latn", "als", "gsw", None),
    "als": ("als_Latn", "sq", "sq", None),
    "fil": ("fil_Latn", "tl", "fil", None),
    "sr": ("srp_Cyrl", "sr", "sr", "serbian_cyrillic"),
    "sr-Latn": ("srp_Latn", None, None, "serbian_latin"),
    "hi-Latn": ("hin_Latn", None, "hi-Latn", None),
    # Scripts and territories whose texts are not apart are not taken for the language's.
    "zh-Hant": (None, None, None, "chinese_traditional"),
    "pt-BR": (None, None, None, None),
    "tlh": (None, "tlh", "tlh", None),
}


@pytest.mark.parametrize("tag", NAMES_THERE)
def test_a_language_is_called_as_the_data_set_calls_it(tag):
    found = tuple(presets()[name].name_of(tag) for name in ("fineweb-2", "wikipedia", "c4", "xlsum"))
    assert found == NAMES_THERE[tag]


def test_a_variety_without_texts_of_its_own_is_refused_before_anything_is_read(asked):
    with pytest.raises(InputError, match=r"hub:wikipedia has no zh-Hant \(Chinese \(Trad"):
        Corpus.parse("zh-Hant=hub:wikipedia")
    assert asked == []
