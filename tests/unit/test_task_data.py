"""What is read of the files of benchmarks."""

from pathlib import Path

import datasets
import pytest
from helpers.benchmark_files import csqa, question, squad, summary, write

from mwork_eval.benchmarks.corpora import DETECTION_DOCUMENTS
from mwork_eval.benchmarks.data import load, locate
from mwork_eval.benchmarks.documents import ARTICLE_LETTERS
from mwork_eval.errors import InputError

pytestmark = pytest.mark.usefixtures("no_other_source")


def test_xquad_is_read_without_marks_and_repeated_answers(tmp_path: Path) -> None:
    write(tmp_path / "xquad.de.json", squad(question("q1", "Der Fluss", "Der Fluss", "Fluss"), context="\ufeffLang."))
    (doc,) = load("xquad", "de", tmp_path)["test"]
    assert doc == {
        "id": "q1",
        "language": "de",
        "paragraph": 1,
        "context": "Lang.",
        "question": "Was ist lang?",
        "answers": ["Der Fluss", "Fluss"],
    }


def test_mgsm_is_read_line_by_line_with_plain_numbers(tmp_path: Path) -> None:
    rows = ["Frage 1?\t2,125", 'Mit "Zitat\t-3', "Mit Zeilentrenner\u2028darin?\t12.0\r", ""]
    write(tmp_path / "mgsm_de.tsv", *rows)
    docs = list(load("mgsm", "de", tmp_path)["test"])
    assert [(doc["question"], doc["answer"]) for doc in docs] == [
        ("Frage 1?", "2125"),
        ('Mit "Zitat', "-3"),
        ("Mit Zeilentrenner\u2028darin?", "12"),
    ]
    assert docs[1]["id"] == "line 2"
    assert docs[0]["language"] == "de"


def test_xcsqa_is_read_with_the_label_as_a_position(tmp_path: Path) -> None:
    write(tmp_path / "xcsqa/de.jsonl", csqa("C", ORIGINAL={"id": 1}, options=("eins", "zwei", " drei ", "drei")))
    (doc,) = load("xcsqa", "de", tmp_path)["test"]
    assert doc == {
        "id": "x",
        "language": "de",
        "question": "Was?",
        "choices": ["eins", "zwei", "drei", "drei"],
        "label": 2,
    }


@pytest.mark.parametrize(("language", "limit"), [("en", ARTICLE_LETTERS), ("th", ARTICLE_LETTERS), ("zh", 500)])
def test_articles_of_xlsum_are_cut(tmp_path: Path, language: str, limit: int) -> None:
    write(tmp_path / f"xlsum/{language}.jsonl", summary("这是一句话。" * 600, " Kurz. "))
    (doc,) = load("xlsum", language, tmp_path)["test"]
    assert doc == {"id": "s", "language": language, "text": "这是一句话。" * (limit // 6), "summary": "Kurz."}


def test_bpb_leaves_out_what_detection_reads_of_a_corpus_but_not_heldout_text(tmp_path: Path) -> None:
    write(tmp_path / "corpus/de.txt", *[f"Dokument {number}" for number in range(DETECTION_DOCUMENTS + 2)])
    docs = load("bpb", "de", tmp_path)["test"]
    assert [doc["text"] for doc in docs] == [f"Dokument {DETECTION_DOCUMENTS + number}" for number in (0, 1)]
    write(tmp_path / "heldout/de.txt", "eins", "", " zwei ")
    assert list(load("bpb", "de", tmp_path)["test"]["text"]) == ["eins", "zwei"]


def test_a_corpus_that_detection_uses_up_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "corpus/de.txt", *["Dokument"] * DETECTION_DOCUMENTS)
    with pytest.raises(
        InputError, match=f"without its first {DETECTION_DOCUMENTS} documents: too few .* found 0 of 0;"
    ):
        load("bpb", "de", tmp_path)


def test_metadata_for_others_is_ignored(tmp_path: Path) -> None:
    write(tmp_path / "mgsm_de.tsv", "Frage?\t1")
    metadata = {"version": 1.0, "pretrained": "x", "config_source": "y", "data": str(tmp_path)}
    assert len(load(**metadata, benchmark="mgsm", language="de")["test"]) == 1


def test_bpb_reads_corpora_that_are_named_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = [f"第{number}文。" for number in range(DETECTION_DOCUMENTS + 2)]
    write(tmp_path / "ja.txt", *first)
    write(tmp_path / "short.txt", "文。")
    asked: list[dict[str, object]] = []

    def stream(**arguments: object) -> list[dict[str, str]]:
        asked.append(arguments)
        return [{"text": f"{number}. " + "Wort. " * 300} for number in range(300)]

    monkeypatch.setattr(datasets, "load_dataset", stream)
    data = f"Japanese={tmp_path}/ja.txt,yue={tmp_path}/short.txt,arz=hub:fineweb-2"
    docs = load("bpb", "ja", data)["test"]
    assert list(docs["text"]) == first[DETECTION_DOCUMENTS:]
    assert list(docs["id"]) == ["document 65", "document 66"]
    assert asked == []
    docs = load("bpb", "arz", data)["test"]
    assert asked == [
        {"path": "HuggingFaceFW/fineweb-2", "name": "arz_Arab", "split": "train", "streaming": True},
    ]
    assert len(docs) == 200
    assert docs[0]["text"].startswith("64. Wort.")
    assert 900 < len(docs[0]["text"]) <= 1000
    with pytest.raises(InputError, match="the corpus of yue has no text to score; found no more than 64 documents"):
        load("bpb", "yue", data)
    with pytest.raises(
        InputError, match="no corpus of the held-out text in ko; found ja yue arz; expected also ko=FILE"
    ):
        locate("bpb", "ko", data)
    with pytest.raises(InputError, match=r"XQuAD is no free text; found corpora, de=a.txt"):
        locate("xquad", "de", "de=a.txt")
    with pytest.raises(InputError, match="no corpus for ko; found no file"):
        locate("bpb", "ko", f"ko={tmp_path}/none.txt")
