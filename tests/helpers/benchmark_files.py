"""Files of benchmarks as they are published, with records made by hand."""

import json
from pathlib import Path
from typing import Any


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
