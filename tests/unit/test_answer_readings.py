"""How answers are read in every language, recorded: a change of any reading changes stored scores, so it must be meant.

`python tests/unit/test_answer_readings.py` writes the record anew; an entry of `tasks/README.md` and a revision in
`mwork_eval/matrix/revisions.yaml` then say what changed.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mwork_eval.benchmarks.answers import spelling, text
from mwork_eval.benchmarks.answers.numbers import last_number, parse_number, stated_number
from mwork_eval.benchmarks.answers.words import units, words
from mwork_eval.languages import identifier, table
from mwork_eval.languages.judgement import can_judge, decided_by_script, judge_text
from mwork_eval.languages.scripts import same_as
from mwork_eval.languages.table import find_language, languages

DATA = Path(__file__).parents[1] / "data"
RECORD = DATA / "answer_readings.json"
NUMBERS = ["en", "de", "fr", "zh", "es", "ru", "th", "sw", "vi", "ar"]
"""Languages whose numbers are read."""
OTHERS = ["nb", "pl", "sr", "uk", "fa", "am", "xx"]
"""Languages that no benchmark has, and a code that none has."""


def examples() -> Iterator[str]:
    """Yield answers as models give them, in many languages."""
    with (DATA / "answer_languages.tsv").open(encoding="utf-8", newline="") as lines:
        yield from (row["answer"] for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    for rows in yaml.safe_load((DATA / "mgsm_completions.yaml").read_text(encoding="utf-8")).values():
        yield from (completion for _, _, completion in rows)
    for rows in yaml.safe_load((DATA / "scoring_pairs.yaml").read_text(encoding="utf-8")).values():
        yield from (side for _, gold, answer, _ in rows for side in (gold, answer))


READINGS: dict[str, Callable[[str, str], Any]] = {
    "fold": spelling.fold,
    "fold_with_signs": spelling.fold_with_signs,
    "normalise": text.normalise,
    "units": lambda answer, language: units(text.normalise(answer, language), language),
    "words": lambda answer, language: language == "th" or words(text.normalise(answer, language), language),
    "summary_words": lambda answer, language: language == "th" or text.summary_words(answer, language),
    "parse_number": parse_number,
    "last_number": last_number,
    "stated_number": stated_number,
    "judge_text": lambda answer, language: judge_text(answer, language).value,
    "can_judge": lambda _, language: (can_judge(language), decided_by_script(language)),
}
"""Every function that reads an answer in a language. Thai words are left to `test_text.py`, since another dictionary
splits otherwise; languages that share a script are judged without the identifier."""


def record(reading: str, language: str, answers: list[str]) -> str:
    """Return a digest of what a function makes of all answers, or what it says instead of reading them."""
    if reading.endswith("_number") and language not in NUMBERS:
        return "unknown"
    if find_language(language).words == "dictionary" and reading.endswith("words"):
        return "a dictionary's"
    found = [READINGS[reading](answer, language) for answer in answers]
    return hashlib.sha256(json.dumps(found, ensure_ascii=False).encode()).hexdigest()[:16]


def scripts_of_everything() -> dict[str, str]:
    """Return the scripts of all languages of ISO 639-1, and with whom each is one."""
    return {code: " ".join([*row.scripts, *sorted(same_as(code))]) for code, row in sorted(languages().items())}


def recorded_now() -> dict[str, Any]:
    answers = sorted(set(examples()))
    languages = [*table.rows(), *OTHERS]
    readings = {name: {language: record(name, language, answers) for language in languages} for name in READINGS}
    return {
        "answers": len(answers),
        "names": {code: row.name for code, row in table.rows().items()},
        "scripts": scripts_of_everything(),
        "readings": readings,
    }


@pytest.fixture(scope="module")
def now() -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identifier, "find_spec", lambda name: None)
        yield json.loads(json.dumps(recorded_now()))


THEN = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}


@pytest.mark.parametrize("reading", READINGS)
def test_answers_are_read_as_ever(reading: str, now: dict[str, Any]) -> None:
    assert now["answers"] == THEN["answers"]
    assert now["readings"][reading] == THEN["readings"][reading]


def test_languages_are_those_of_ever(now: dict[str, Any]) -> None:
    assert list(now["names"].items()) == list(THEN["names"].items())
    assert now["scripts"] == THEN["scripts"]


if __name__ == "__main__":
    identifier.find_spec = lambda name: None
    RECORD.write_text(json.dumps(recorded_now(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
