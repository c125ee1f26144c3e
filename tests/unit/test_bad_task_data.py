"""Files of benchmarks that are damaged, and records that cannot be scored."""

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from helpers.benchmark_files import csqa, question, squad, summary, write

from mwork_eval.benchmarks.data import load
from mwork_eval.errors import InputError

pytestmark = pytest.mark.usefixtures("no_other_source")


@pytest.mark.parametrize(
    ("benchmark", "file", "content", "message"),
    [
        ("xquad", "xquad.de.json", "{", "xquad.de.json: not JSON; found EOF while parsing"),
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
def test_a_malformed_file_is_an_error_that_says_where(
    tmp_path: Path, benchmark: str, file: str, content: Any, message: str
) -> None:
    write(tmp_path / file, content)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        load(benchmark, "fr" if benchmark == "xlsum" else "de", tmp_path)
    assert str(tmp_path / file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_not_utf8_are_an_error(tmp_path: Path) -> None:
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
def test_a_file_without_a_usable_record_is_an_error(
    tmp_path: Path, benchmark: str, file: str, content: Any, reason: str
) -> None:
    write(tmp_path / file, content)
    with pytest.raises(InputError, match=f"too few usable records; found 0 of 1 .1 x {reason}"):
        load(benchmark, "fr" if benchmark == "xlsum" else "de", tmp_path)


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "mgsm_de.tsv", "")
    with pytest.raises(InputError, match="too few usable records; found 0 of 0; expected"):
        load("mgsm", "de", tmp_path)
