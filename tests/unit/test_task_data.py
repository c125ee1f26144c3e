import json
import logging
import re
from pathlib import Path
from typing import Any

import datasets
import pytest

from mwork_eval.benchmarks import data as task_data
from mwork_eval.benchmarks.clusters import cluster_keys
from mwork_eval.benchmarks.data import DETECTION_DOCUMENTS, load, locate
from mwork_eval.benchmarks.documents import ARTICLE_LETTERS
from mwork_eval.benchmarks.rows import BENCHMARKS, languages_of, task_of
from mwork_eval.errors import InputError


@pytest.fixture(autouse=True)
def no_other_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MWORK_DATA", raising=False)

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a test asked for the network")

    monkeypatch.setattr(datasets, "load_dataset", refuse)


def write(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def squad(*questions: dict[str, Any], context: str = "Der Fluss ist lang.") -> dict[str, Any]:
    return {"version": "1.1", "data": [{"title": "t", "paragraphs": [{"context": context, "qas": list(questions)}]}]}


def question(key: str = "q1", *answers: str, text: str = "Was ist lang?") -> dict[str, Any]:
    found = [{"text": answer, "answer_start": 0} for answer in answers or ("Der Fluss",)]
    return {"id": key, "question": text, "answers": found}


def csqa(key: object = "B", options: tuple[str, ...] = ("eins", "zwei", "drei"), **extra: Any) -> dict[str, Any]:
    choices = [{"label": label, "text": text} for label, text in zip("ABCDE", options, strict=False)]
    return {"id": "x", "lang": "de", "question": {"stem": "Was?", "choices": choices}, "answerKey": key, **extra}


def summary(text: str = "A long article.", short: str = "Short.") -> dict[str, Any]:
    return {"id": "s", "url": "", "title": "t", "summary": short, "text": text}


# ---- which benchmarks, which languages -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("benchmark", "codes"),
    [
        ("xquad", "en de zh es ru vi th ar el hi ro tr"),
        ("mgsm", "en de fr zh es ru th sw"),
        ("xcsqa", "en de fr zh es ru vi ar sw"),
        ("xlsum", "en fr zh es ru vi th ar sw"),
        ("bpb", "en de fr zh es ru vi th ar sw el hi it ja ko pt ro tr"),
    ],
)
def test_languages(benchmark: str, codes: str) -> None:
    assert languages_of(benchmark) == codes.split()


def test_benchmarks() -> None:
    assert list(BENCHMARKS) == ["xquad", "mgsm", "xcsqa", "xlsum", "bpb"]
    with pytest.raises(InputError, match="unknown benchmark; found 'squad'; expected one of xquad mgsm"):
        languages_of("squad")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("xquad_zh", ("xquad", "zh")),
        ("xquad_el", ("xquad", "el")),
        ("xquad_fr", ("xquad", "fr")),
        ("bpb_sw", ("bpb", "sw")),
        ("xquad_xx", None),
        ("xquad", None),
        ("mgsm_direct_de", None),
        ("wikitext", None),
        ("", None),
    ],
)
def test_task_of(name: str, expected: tuple[str, str] | None) -> None:
    assert task_of(name) == expected


# ---- locate ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("benchmark", "language", "file"),
    [
        ("xquad", "zh", "xquad/xquad.zh.json"),
        ("xquad", "zh", "xquad.zh.json"),
        ("mgsm", "sw", "mgsm/mgsm_sw.tsv"),
        ("mgsm", "sw", "mgsm_sw.tsv"),
        ("xcsqa", "vi", "xcsqa/vi.jsonl"),
        ("xcsqa", "vi", "X-CSQA/vi/dev.jsonl"),
        ("xcsqa", "vi", "X-CSR_datasets/X-CSQA/vi/dev.jsonl"),
        ("xcsqa", "vi", "X-CSQA-vi/dev.jsonl"),
        ("xcsqa", "vi", "X-CSQA-vi.dev.jsonl"),
        ("xlsum", "zh", "xlsum/zh.jsonl"),
        ("xlsum", "zh", "chinese_simplified_test.jsonl"),
        ("xlsum", "en", "xlsum/english_test.jsonl"),
        ("bpb", "ar", "heldout/ar.txt"),
        ("bpb", "ar", "corpus/ar.txt"),
    ],
)
def test_locate_finds_published_names(tmp_path: Path, benchmark: str, language: str, file: str) -> None:
    path = write(tmp_path / file, "anything")
    assert locate(benchmark, language, tmp_path) == path
    assert locate(benchmark, language, str(tmp_path)) == path


def test_locate_prefers_the_folder_and_heldout_text(tmp_path: Path) -> None:
    write(tmp_path / "mgsm_de.tsv", "x")
    inside = write(tmp_path / "mgsm/mgsm_de.tsv", "x")
    assert locate("mgsm", "de", tmp_path) == inside
    write(tmp_path / "corpus/de.txt", "x")
    heldout = write(tmp_path / "heldout/de.txt", "x")
    assert locate("bpb", "de", tmp_path) == heldout


def test_locate_source_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locate("mgsm", "de") is None
    for name in ("environment", "argument", "package"):
        write(tmp_path / name / "mgsm_de.tsv", "x")
    monkeypatch.setattr(task_data, "embedded_folder", lambda: tmp_path / "package")
    monkeypatch.setenv("MWORK_DATA", str(tmp_path / "environment"))
    assert locate("mgsm", "de") == tmp_path / "environment/mgsm_de.tsv"
    assert locate("mgsm", "de", tmp_path / "argument") == tmp_path / "argument/mgsm_de.tsv"
    assert locate("mgsm", "de", "embedded") == tmp_path / "package/mgsm_de.tsv"
    monkeypatch.setenv("MWORK_DATA", "embedded")
    assert locate("mgsm", "de") == tmp_path / "package/mgsm_de.tsv"


@pytest.mark.parametrize(
    ("benchmark", "language", "message"),
    [
        ("xquad", "fr", "XQuAD has no French; it has en de zh es ru vi th ar el hi ro tr"),
        ("xlsum", "de", "XL-Sum has no German; it has en fr"),
        ("mgsm", "ar", "MGSM has no Arabic; it has en de"),
        ("xcsqa", "th", "X-CSQA has no Thai; it has"),
        ("mgsm", "el", "MGSM has no Greek; it has"),
        ("mgsm", "xx", "unknown language; found 'xx'; expected one of en de fr"),
        ("squad", "en", "unknown benchmark; found 'squad'; expected one of"),
    ],
)
def test_locate_unknown(benchmark: str, language: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        locate(benchmark, language)


def test_locate_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"no such data directory; found {tmp_path}/no; .*metadata data=embedded"):
        locate("mgsm", "de", tmp_path / "no")


def test_locate_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        locate("xquad", "de", tmp_path)
    message = str(caught.value)
    assert message.startswith(f"no file of XQuAD in German; found none in {tmp_path}; expected xquad/xquad.de.json or")
    assert "\n" not in message
    write(tmp_path / "xquad.en.json", "x")
    with pytest.raises(InputError, match="only en; expected"):
        locate("xquad", "de", tmp_path)


@pytest.mark.parametrize(("benchmark", "needs"), [("xquad", True), ("xlsum", True), ("mgsm", False), ("bpb", False)])
def test_locate_thai_without_its_extra(monkeypatch: pytest.MonkeyPatch, benchmark: str, needs: bool) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    if needs:
        with pytest.raises(InputError, match=r'pip install "mwork-eval\[thai\]"'):
            locate(benchmark, "th")
    else:
        assert locate(benchmark, "th") is None
    assert locate(benchmark, "zh") is None


# ---- load from files -------------------------------------------------------------------------------------------------


def test_load_xquad(tmp_path: Path) -> None:
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


def test_load_mgsm(tmp_path: Path) -> None:
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


def test_load_xcsqa(tmp_path: Path) -> None:
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
def test_load_xlsum(tmp_path: Path, language: str, limit: int) -> None:
    write(tmp_path / f"xlsum/{language}.jsonl", summary("这是一句话。" * 600, " Kurz. "))
    (doc,) = load("xlsum", language, tmp_path)["test"]
    assert doc == {"id": "s", "language": language, "text": "这是一句话。" * (limit // 6), "summary": "Kurz."}


def test_load_bpb(tmp_path: Path) -> None:
    write(tmp_path / "corpus/de.txt", *[f"Dokument {number}" for number in range(DETECTION_DOCUMENTS + 2)])
    docs = load("bpb", "de", tmp_path)["test"]
    assert [doc["text"] for doc in docs] == [f"Dokument {DETECTION_DOCUMENTS + number}" for number in (0, 1)]
    write(tmp_path / "heldout/de.txt", "eins", "", " zwei ")
    assert list(load("bpb", "de", tmp_path)["test"]["text"]) == ["eins", "zwei"]


def test_load_bpb_of_a_corpus_that_detection_uses_up(tmp_path: Path) -> None:
    write(tmp_path / "corpus/de.txt", *["Dokument"] * DETECTION_DOCUMENTS)
    with pytest.raises(
        InputError, match=f"without its first {DETECTION_DOCUMENTS} documents: too few .* found 0 of 0;"
    ):
        load("bpb", "de", tmp_path)


def test_load_ignores_other_metadata(tmp_path: Path) -> None:
    write(tmp_path / "mgsm_de.tsv", "Frage?\t1")
    metadata = {"version": 1.0, "pretrained": "x", "config_source": "y", "data": str(tmp_path)}
    assert len(load(**metadata, benchmark="mgsm", language="de")["test"]) == 1


# ---- bad files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("benchmark", "file", "content", "message"),
    [
        ("xquad", "xquad.de.json", "{", "xquad.de.json: not JSON; found Expecting"),
        ("xquad", "xquad.de.json", "[]", "xquad.de.json: not in SQuAD 1.1 form"),
        ("xquad", "xquad.de.json", '{"data": [{}]}', "article 1: not in SQuAD 1.1 form"),
        ("xquad", "xquad.de.json", '{"data": [{"paragraphs": [{}]}]}', "article 1, paragraph 1: not in SQuAD"),
        ("xquad", "xquad.de.json", '{"data": [{"paragraphs": [{"qas": [1]}]}]}', "paragraph 1, question 1: not in"),
        ("xquad", "xquad.de.json", squad({"id": "q"}), "question 1: no list of texts 'text' under 'answers'"),
        ("xquad", "xquad.de.json", squad({**question(), "id": 7}), "question 1: no text under 'id', but int"),
        ("mgsm", "mgsm_de.tsv", "Frage?\t1\nFrage ohne Antwort", "line 2: 1 tab-separated fields"),
        ("mgsm", "mgsm_de.tsv", "Frage?\tdrei", "line 1: the answer 'drei' is no number"),
        ("xcsqa", "xcsqa/de.jsonl", "{}\n", "line 1: no object 'question'"),
        ("xcsqa", "xcsqa/de.jsonl", "{nope", "xcsqa/de.jsonl, line 1: not JSON"),
        ("xcsqa", "xcsqa/de.jsonl", "[1]", "line 1: not a JSON object; found list"),
        ("xcsqa", "xcsqa/de.jsonl", csqa(question={"stem": "Was?"}), "line 1: no list of texts 'text' under 'choices'"),
        ("xlsum", "xlsum/fr.jsonl", {"id": "s", "text": "x"}, "line 1: no text under 'summary', but NoneType"),
    ],
)
def test_malformed(tmp_path: Path, benchmark: str, file: str, content: Any, message: str) -> None:
    write(tmp_path / file, content)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        load(benchmark, "fr" if benchmark == "xlsum" else "de", tmp_path)
    assert str(tmp_path / file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "mgsm_de.tsv").write_bytes("Größe?\t1\n".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8; found a bad byte at 2"):
        load("mgsm", "de", tmp_path)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (csqa(options=("eins", "")), "empty option"),
        (csqa(options=()), "no option is the answer"),
        (csqa(key=""), "no option is the answer"),
        (csqa(key=None), "no option is the answer"),
        (csqa(key="E"), "no option is the answer"),
    ],
)
def test_unusable_records_are_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, record: dict[str, Any], reason: str
) -> None:
    path = write(tmp_path / "xcsqa/de.jsonl", csqa(), record, csqa())
    with caplog.at_level(logging.WARNING):
        docs = load("xcsqa", "de", tmp_path)["test"]
    assert len(docs) == 2
    assert caplog.messages == [f"{path}: left out 1 of 3 records: 1 x {reason}"]
    write(path, csqa(), record, record)
    with pytest.raises(
        InputError, match=f"too few usable records; found 1 of 3 .2 x {reason}.; expected at least half"
    ):
        load("xcsqa", "de", tmp_path)


@pytest.mark.parametrize(
    ("benchmark", "file", "content", "reason"),
    [
        ("xquad", "xquad.de.json", squad({**question(), "answers": []}), "no answer"),
        ("xquad", "xquad.de.json", squad(question("q1", " ")), "no answer"),
        ("xquad", "xquad.de.json", squad(question(text=" ")), "empty question"),
        ("xquad", "xquad.de.json", squad(question(), context=""), "empty context"),
        ("mgsm", "mgsm_de.tsv", " \t3", "empty question"),
        ("xlsum", "xlsum/fr.jsonl", summary(short=" "), "empty summary"),
        ("xlsum", "xlsum/fr.jsonl", summary(text=""), "empty article"),
    ],
)
def test_no_usable_record(tmp_path: Path, benchmark: str, file: str, content: Any, reason: str) -> None:
    write(tmp_path / file, content)
    with pytest.raises(InputError, match=f"too few usable records; found 0 of 1 .1 x {reason}"):
        load(benchmark, "fr" if benchmark == "xlsum" else "de", tmp_path)


def test_empty_file(tmp_path: Path) -> None:
    write(tmp_path / "mgsm_de.tsv", "")
    with pytest.raises(InputError, match="too few usable records; found 0 of 0; expected"):
        load("mgsm", "de", tmp_path)


@pytest.mark.parametrize(("data", "task", "key"), [("embedded", "bpb_zh", "line 3"), (None, "bpb_zh", "bpb_zh line 3")])
def test_cluster_keys_are_shared_between_languages_only_where_documents_are_parallel(data, task, key, monkeypatch):
    monkeypatch.delenv("MWORK_DATA", raising=False)
    assert cluster_keys(task, [{"id": "line 3", "text": "x"}], data) == (key,)


def test_questions_about_one_paragraph_are_one_cluster_in_every_language():
    keys = {}
    for language in ("en", "zh"):
        documents = load("xquad", language, "embedded")["test"]
        keys[language] = cluster_keys(f"xquad_{language}", list(documents), "embedded")
    assert keys["en"] == keys["zh"] == tuple(str(1 + number // 3) for number in range(24))


def test_other_tasks_cluster_by_a_named_field_or_not_at_all():
    documents = [{"passage": "a"}, {"passage": "a"}]
    assert cluster_keys("belebele_zho", documents, by="passage") == ("a", "a")
    assert len(set(cluster_keys("belebele_zho", documents))) == 2
    with pytest.raises(InputError, match="no field 'link'"):
        cluster_keys("belebele_zho", documents, by="link")
