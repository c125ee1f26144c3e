"""What every report format says of the language scores: column heads and numbers."""

from mwork_eval.reports.wording import difference, number
from mwork_eval.results.language_scores import AnswerCounts, LanguageChange, LanguageScore
from mwork_eval.results.tables import DeltaTable

ANSWER_COLUMNS = ("wrong language", "in English", "answers judged")
FEWEST_JUDGED = 10
"""Of fewer answers whose language can be told, no share is shown."""


def columns(table: DeltaTable) -> tuple[str, ...]:
    """Return the heads of the columns, without those of `ANSWER_COLUMNS`."""
    changes = ("masked", "change", "% change")
    return ("setting", "mask", "baseline", *changes, *(f"{table.pivot} {head}" for head in changes))


def title(table: DeltaTable) -> str:
    """Return the heading of a table of language scores."""
    return f"{table.preset} on {table.task}: what each mask does"


def language_rows(table: DeltaTable) -> list[tuple[str, str, LanguageScore]]:
    """Return setting, mask language and scores of every row of a table of language scores."""
    return [
        (row.name, language, score)
        for row in table.rows
        if row.delta is not None
        for language, score in row.delta.by_language.items()
    ]


def has_answers(table: DeltaTable) -> bool:
    """Tell whether the languages of answers are known for any row."""
    return any(score.answers_before or score.answers for _, _, score in language_rows(table))


def cells(setting: str, language: str, score: LanguageScore, table: DeltaTable) -> list[str]:
    """Return the texts of a row, in the order of `columns`."""
    own, pivot = (_change_cells(change, table.unit) for change in (score.own, score.english))
    return [setting, language, number(score.own.baseline, table.unit), *own, *pivot]


def answer_cells(score: LanguageScore) -> list[str]:
    """Return the texts about the languages of answers, in the order of `ANSWER_COLUMNS`, each baseline → masked."""
    pairs = [_answer_cells(answers) for answers in (score.answers_before, score.answers)]
    return [f"{before} → {after}" for before, after in zip(*pairs, strict=True)]


def _change_cells(change: LanguageChange, unit: str) -> list[str]:
    relative = "–" if change.relative is None else f"{change.relative:+.1f}"
    return [number(change.masked, unit), difference(change.difference, unit), relative]


def _answer_cells(answers: AnswerCounts | None) -> list[str]:
    if answers is None:
        return ["–"] * len(ANSWER_COLUMNS)
    shares = (answers.wrong, answers.english)
    return [*("?" if answers.judged < FEWEST_JUDGED else f"{share:.0f} %" for share in shares), str(answers.judged)]
