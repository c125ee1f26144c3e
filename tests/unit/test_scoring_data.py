from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from mwork_eval.benchmarks.answers import mgsm, xlsum, xquad

DATA = Path(__file__).parents[1] / "data"


def read(name: str) -> Any:
    return yaml.safe_load((DATA / name).read_text(encoding="utf-8"))


COMPLETIONS = [(language, *row) for language, rows in read("mgsm_completions.yaml").items() for row in rows]
PAIRS = [(language, *row) for language, rows in read("scoring_pairs.yaml").items() for row in rows]


def test_there_are_enough_of_them() -> None:
    assert len(COMPLETIONS) >= 100
    assert len({language for language, *_ in COMPLETIONS}) >= 10
    assert len(PAIRS) >= 200
    assert len({language for language, *_ in PAIRS}) >= 10
    # A row that is there twice would count twice.
    assert not [row for row, times in Counter(map(repr, COMPLETIONS + PAIRS)).items() if times > 1]


@pytest.mark.parametrize(("language", "last", "stated", "completion"), COMPLETIONS)
def test_a_completion_has_the_number_that_a_person_reads(
    language: str, last: str | None, stated: str | None, completion: str
) -> None:
    doc = {"language": language}
    assert mgsm.flexible_extract([[completion]], [doc]) == [[last or mgsm.NO_NUMBER]]
    assert mgsm.strict_match([[completion]], [doc]) == [[stated or mgsm.NO_NUMBER]]


@pytest.mark.parametrize(("language", "metric", "gold", "answer", "value"), PAIRS)
def test_a_pair_has_the_score_that_was_worked_out_by_hand(
    language: str, metric: str, gold: str, answer: str, value: float
) -> None:
    if metric in ("chrf", "rouge1", "rouge2", "rougeL"):
        found = xlsum.score({"language": language, "summary": gold}, [answer])
    else:
        found = xquad.score({"language": language, "answers": [gold]}, [answer])
    assert found[metric] == pytest.approx(value)
