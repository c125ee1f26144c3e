"""The stream of documents: order, what is left out, and when a corpus is given up."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mwork_eval.detection.corpus import language_check
from mwork_eval.detection.corpus.documents import DocumentRules, DocumentStream
from mwork_eval.detection.corpus.sources import Corpus
from mwork_eval.errors import InputError
from mwork_eval.resources import embedded_folder

LONG = "a sentence that has enough words to be of use in this test, number {}"


@dataclass(frozen=True)
class Endless(Corpus):
    """A corpus without an end that counts what is read."""

    text: str = LONG

    def documents(self, seed: int | None = None) -> Iterator[str]:
        number = 0
        while True:
            yield self.text.format(number)
            number += 1


def write(path, *lines: str) -> Corpus:
    path.write_text("\n".join(lines), encoding="utf-8")
    return Corpus("en", str(path))


def test_documents_keep_their_order_and_are_cut(tokenizer):
    stream = DocumentStream(Corpus("zh", "embedded"), tokenizer, DocumentRules(5, 20))
    texts = (embedded_folder() / "corpus/zh.txt").read_text(encoding="utf-8").splitlines()[:5]
    assert list(stream) == [tokenizer(text).input_ids[:20] for text in texts]
    assert (stream.kept, stream.tokens, stream.short, stream.duplicates) == (5, 100, 0, 0)
    digest = hashlib.sha256("".join(text + "\n" for text in texts).encode()).hexdigest()
    assert stream.digest == stream.describe()["digest"] == digest
    assert stream.summary() == "zh: 5 documents, 100 tokens of embedded"


def test_short_documents_and_duplicates_are_counted(tokenizer, tmp_path):
    first, second = LONG.format(1), LONG.format(2)
    corpus = write(tmp_path / "en.txt", first, "too short", second, f"  {first.replace(' ', '   ')} ", second, "")
    stream = DocumentStream(corpus, tokenizer, DocumentRules(None, 50))
    for _ in range(2):
        assert len(list(stream)) == 2
        assert (stream.kept, stream.short, stream.duplicates) == (2, 1, 2)
    assert stream.summary().endswith("of en.txt; left out: 1 short, 2 duplicates")
    assert stream.describe()["skipped"] == 1
    assert "wrong_language" not in stream.describe()


def test_a_corpus_without_usable_documents_is_an_error(tokenizer, tmp_path):
    corpus = write(tmp_path / "en.txt", "a", "b", "c", LONG)
    with pytest.raises(InputError, match=r"found 1 of at least 16 tokens, 3 shorter.*lower `min_tokens`"):
        list(DocumentStream(corpus, tokenizer, DocumentRules(9, 50)))
    assert len(list(DocumentStream(corpus, tokenizer, DocumentRules(9, 50, min_tokens=1)))) == 4
    empty = write(tmp_path / "empty.txt", "")
    with pytest.raises(InputError, match="too few usable documents; found 0"):
        list(DocumentStream(empty, tokenizer, DocumentRules(9, 50)))


@pytest.mark.parametrize("wanted", [3, None])
def test_a_hopeless_endless_corpus_is_given_up(tokenizer, wanted):
    with pytest.raises(InputError, match="too few usable documents; found 0"):
        list(DocumentStream(Endless("en", "endless", "{}"), tokenizer, DocumentRules(wanted, 50)))
    repeated = DocumentStream(Endless("en", "endless", LONG.replace("{}", "")), tokenizer, DocumentRules(3, 50))
    assert len(list(repeated)) == 1
    assert repeated.duplicates == 59


def test_an_endless_corpus_is_read_as_far_as_needed(tokenizer):
    assert len(list(DocumentStream(Endless("en", "endless"), tokenizer, DocumentRules(40, 50)))) == 40


def test_a_seed_shuffles_the_same_way_every_time(tokenizer, tmp_path):
    lines = [LONG.format(number) for number in range(30)]
    corpus = write(tmp_path / "en.txt", *lines)
    shuffled = list(corpus.documents(seed=3))
    assert shuffled != lines
    assert sorted(shuffled) == sorted(lines)
    assert list(corpus.documents(seed=3)) == shuffled != list(corpus.documents(seed=4))
    records = tmp_path / "en.jsonl"
    records.write_text("".join(json.dumps({"body": line}) + "\n" for line in lines), encoding="utf-8")
    assert list(Corpus("en", f"{records}#body").documents(seed=3)) != lines
    assert sorted(Corpus("en", f"{records}#body").documents(seed=3)) == sorted(lines)


def test_the_missing_extra_is_one_error(monkeypatch):
    monkeypatch.setattr(language_check, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"found no lingua.*pip install \"mwork-eval\[langid\]\""):
        language_check.require()


@pytest.mark.slow
def test_documents_in_another_language_are_left_out(tokenizer, tmp_path):
    pytest.importorskip("lingua", reason="needs the extra [langid]")
    folder = embedded_folder() / "corpus"
    german, english = ((folder / f"{code}.txt").read_text(encoding="utf-8").splitlines() for code in ("de", "en"))
    path = tmp_path / "de.txt"
    path.write_text("\n".join([*german[:6], *english[:2]]), encoding="utf-8")
    stream = DocumentStream(Corpus("de", str(path)), tokenizer, DocumentRules(None, 50, check_language=True))
    assert len(list(stream)) == 6
    assert stream.wrong_language == stream.describe()["wrong_language"] == 2
    assert stream.summary().endswith("left out: 2 in another language (25.0 %)")
    path.write_text("\n".join([*german[:1], *english[:4]]), encoding="utf-8")
    with pytest.raises(InputError, match=r"4 in another language.*use text in de"):
        list(stream)


@pytest.mark.slow
def test_the_embedded_texts_are_in_their_languages():
    pytest.importorskip("lingua", reason="needs the extra [langid]")
    for path in (embedded_folder() / "corpus").glob("*.txt"):
        check = language_check.LanguageCheck(path.stem)
        for text in path.read_text(encoding="utf-8").splitlines():
            assert check.passes(text), (path.stem, text)


def test_neighbours_and_languages_beyond_the_benchmarks_are_told_too():
    pytest.importorskip("lingua", reason="needs the extra [langid]")
    turkish = "Cumhurbaşkanı salı günü hükümetinin anlaşmayı imzalamayacağını açıkladı ve sebeplerini anlattı."
    danish = "Præsidenten meddelte tirsdag, at hans regering ikke vil underskrive aftalen, og forklarede hvorfor."
    assert language_check.LanguageCheck("tr").passes(turkish)
    assert not language_check.LanguageCheck("tr").passes(danish)
    assert not language_check.LanguageCheck("de").passes(danish)
    assert language_check.LanguageCheck("de").passes("1990, 1991, 1992: 12 %, 14 %, 15 %")
    with pytest.raises(InputError, match=r"cannot tell this language; found mt"):
        language_check.LanguageCheck("mt")


def test_corpora_that_cannot_be_read_are_errors(tmp_path):
    with pytest.raises(InputError, match="expected LANGUAGE=SOURCE"):
        Corpus.parse("zh.txt")
    with pytest.raises(InputError, match="unknown language"):
        Corpus.parse("xx=a.txt")
    with pytest.raises(InputError, match="no corpus for zh"):
        Corpus.parse(f"zh={tmp_path / 'missing.txt'}")
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"text": "fine"}\n{"body": 1}\n')
    with pytest.raises(InputError, match="record 2"):
        list(Corpus("en", str(broken)).documents())
    latin = tmp_path / "latin.txt"
    latin.write_bytes("größe".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8"):
        list(Corpus("de", str(latin)).documents())
