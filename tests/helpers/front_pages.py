"""The front page and the page that compares, rendered from made-up scores: what the browser does with them."""

import base64
from pathlib import Path
from typing import Any

import numpy as np

from mwork_eval.reports.html import environment

PACKAGE = "mwork_eval.leaderboard"
NAMES = {"en": "English", "zh": "Chinese", "es": "Spanish", "de": "German", "vi": "Vietnamese", "ar": "Arabic"}
FAMILIES = (("gemma3", 268_098_176), ("llama", 3_200_000_000), ("qwen3", 8_000_000_000), (None, None))


def bits(answers: np.ndarray) -> str:
    """Return right and wrong answers as a page has them."""
    return "0:" + base64.b64encode(np.packbits(answers.astype(bool), bitorder="little").tobytes()).decode()


def floats(values: np.ndarray) -> str:
    """Return float32 numbers as a page has them."""
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def made_up_row(number: int, **about: Any) -> dict[str, Any]:
    family, parameters = FAMILIES[number % 4]
    row = {"name": f"model-{number:04}", "slug": f"m{number}", "href": f"models/m{number}/index.html"}
    row |= {"family": family, "parameters": parameters, "mask": None, "weights": None, "layers": {}}
    row |= {"changed": False} | about
    return row if row["mask"] is None else row | {"slug": f"{row['slug']}-masked"}


def column(language: str, answers: dict[int, np.ndarray], **about: Any) -> dict[str, Any]:
    """Return a column of right and wrong answers, `[documents]` per row."""
    documents = len(next(iter(answers.values())))
    made = {"language": language, "name": NAMES[language], "task": f"xquad_{language}", "documents": documents}
    made |= {"factor": 100.0, "clusters": None, "weights": None}
    made["shown"] = [
        [row, 100 * float(own.mean()), 100 * float(own.std(ddof=1) / np.sqrt(documents))]
        for row, own in answers.items()
    ]
    made["scores"] = {str(row): bits(own) for row, own in answers.items()}
    return made | about


def contest(columns: list[dict[str, Any]], **about: Any) -> dict[str, Any]:
    made = {"benchmark": "xquad", "href": "tasks/xquad/index.html", "metric": "acc,none", "unit": "points"}
    made |= {"higher": True, "prompting": "as the task says", "label": "32 documents", "columns": columns}
    return made | {"changes": []} | about


def made_up_front(models: int, *, documents: int = 64, languages: tuple[str, ...] = tuple(NAMES)) -> dict[str, Any]:
    """Return a board of models whose scores rise with their number; every fifth is also masked."""
    generator = np.random.default_rng(0)
    rows = [made_up_row(number) for number in range(models)]
    rows += [made_up_row(number, mask="9 neurons of zh") for number in range(0, models, 5)]
    for row in rows[: models // 2]:
        row["layers"] = {
            language: [int(generator.integers(0, 12 + 3 * layer)) for layer in range(18)] for language in ("zh", "es")
        }
    chances = 0.15 + 0.7 * np.arange(len(rows)) / max(1, len(rows) - 1)
    columns = []
    for place, language in enumerate(languages):
        there = [number for number in range(len(rows)) if place < 3 or number % 3]
        answers = {number: generator.random(documents) < chances[number] for number in there}
        columns.append(column(language, answers, clusters=[document // 2 for document in range(documents)]))
    values = []
    for number in range(0, models, 2):
        delta = float(generator.normal(8, 8))
        values.append([number, {"zh": -delta, "es": -delta / 2}, delta, delta - 7, delta + 7, 0.5, 0.5 - delta])
    change = {"label": "LS all", "pivot": "en", "unit": "points", "values": values}
    label = f"{documents} documents"
    chat = [number for number in range(len(rows)) if number % 2]
    told = {number: generator.random(documents) < chances[number] for number in chat}
    return {
        "rows": rows,
        "contests": [
            contest(columns, label=label, changes=[change]),
            contest([column("en", told, clusters=columns[0]["clusters"])], label=label, prompting="chat template"),
            contest(
                [bits_per_byte(language, list(range(0, len(rows), 2)), generator) for language in languages[:2]],
                **{"benchmark": "text", "unit": "bits/byte", "higher": False, "metric": "bits_per_byte,none"},
                href="tasks/text/index.html",
            ),
        ],
    }


def bits_per_byte(language: str, rows: list[int], generator: np.random.Generator, documents: int = 24):
    """Return a column of unequal texts, where lower is better."""
    weights = generator.integers(50, 900, documents).astype(float)
    numerators = {row: weights * (1 + generator.random(documents) + row / 50) for row in rows}
    made = {"language": language, "name": NAMES[language], "task": f"text_{language}", "documents": documents}
    made |= {"factor": 1.0, "clusters": None, "weights": floats(weights)}
    made["shown"] = [[row, float(own.sum() / weights.sum()), 0.05] for row, own in numerators.items()]
    return made | {"scores": {str(row): "f:" + floats(own) for row, own in numerators.items()}}


def write_pages(folder: Path, front: dict[str, Any]) -> Path:
    """Write both pages, and empty ones where their links lead."""
    news = [{"date": "2026-11-20", "model": row["name"], "href": row["href"], "text": "scores on xquad: en, zh"}
            for row in front["rows"][:3]]  # fmt: skip
    benchmarks = [{"name": one, "href": f"tasks/{one}/index.html", "about": "6 languages"} for one in ("xquad", "text")]
    counts = {"models": len(front["rows"]), "scores": 100, "changes": 10}
    given = {"front": front, "news": news, "skipped": [], "benchmarks": benchmarks, "counts": counts}
    (folder / "compare").mkdir(parents=True)
    (folder / "index.html").write_text(_rendered("index.html", "choices.js", "cells.js", "front.js", **given))
    (folder / "compare" / "index.html").write_text(_rendered("compare.html", "compare.js", front=front))
    for href in {one["href"] for one in (*front["rows"], *front["contests"])}:
        (folder / href).parent.mkdir(parents=True, exist_ok=True)
        (folder / href).write_text("<!DOCTYPE html><html lang=en><title>page</title><main><h1>page</h1></main></html>")
    return folder


def _rendered(template: str, *scripts: str, **given: Any) -> str:
    names = ((PACKAGE, name) for name in ("site.js", "student.js", "ranking.js", *scripts))
    found = environment.assets(*names, styles=((PACKAGE, "site.css"),))
    return environment.page_environment(PACKAGE).get_template(template).render(**found, **given)
