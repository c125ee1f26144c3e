"""The names that the glossary gives are those of the code."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = [
    line
    for line in (ROOT / "docs" / "concepts" / "glossary.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| (?!word \|)\w|\| ∆", line)
]


def test_there_are_as_many_words_as_lines():
    words = [line.split("|")[1].strip() for line in LINES]
    assert len(words) == len(set(words)) > 40
    assert all(line.count("|") == 4 for line in LINES)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("|")[1].strip())
def test_names_are_in_the_code(line):
    *names, path = re.findall(r"`([^`]+)`", line.split("|")[3])
    source = (ROOT / "mwork_eval" / path).read_text(encoding="utf-8")
    assert all(re.search(rf"\b{name}\b", source) for name in names)
