"""Read a results folder of `mwork ablate` or `mwork run` for a leaderboard: its report and its baselines."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mwork_eval.benchmarks.data import published_dataset
from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.languages.table import ENGLISH
from mwork_eval.leaderboard.entries import Contender, FolderResults, MaskEffect, Score
from mwork_eval.matrix.plan import TaskFamily
from mwork_eval.reports.formats.json import as_json
from mwork_eval.results.scale import Scale
from mwork_eval.results.store import CellStore, load_manifest
from mwork_eval.results.tables import read_results
from mwork_eval.results.task_score import lm_eval_digest

REPORT = "report.json"


def read_matrix(folder: Path) -> FolderResults:
    """Read the unmasked scores and the rows of all tables.

    The tables are those of `report.json` if it belongs to the folder's cells; else they are computed anew.

    Raises:
        InputError: If a file is missing or damaged.
    """
    manifest = load_manifest(folder)
    try:
        contender = Contender.of(manifest["model"], manifest["fingerprint"])
        time = (folder / "manifest.json").stat().st_mtime
        scores = {score.task: score for score in _scores(folder, manifest, contender, time)}
        changes = tuple(_changes(_report(folder, manifest), scores, contender, folder, time))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"the results in {folder} are damaged", found=f"{type(error).__name__} {error}") from error
    return FolderResults(tuple(scores.values()), changes)


def _scores(folder: Path, manifest: Mapping[str, Any], contender: Contender, time: float) -> Iterator[Score]:
    store = CellStore(folder)
    baselines = {
        TaskFamily(entry["task"], ()).task(entry["language"]): entry
        for entry in manifest["cells"]
        if entry["setting"] is None
    }
    for task, entry in baselines.items():
        if (score := store.load(entry["identity"])) is None:
            continue
        scale = Scale.of(score)
        yield Score(
            contender=contender,
            task=task,
            benchmark=entry["task"].replace("_{l}", "").replace("{l}", ""),
            language=entry["language"],
            metric=score.metric,
            higher_is_better=score.higher_is_better,
            unit=scale.unit,
            value=scale.factor * score.score,
            error=None if (error := score.standard_error) is None else scale.factor * error,
            documents=len(score.documents),
            compared_by=_compared_by(store, entry["identity"]),
            dataset=published_dataset(task, manifest.get("data")),
            folder=folder,
            time=time,
        )


def _compared_by(store: CellStore, identity: str) -> str:
    return digest_of([_digest_of_documents(store, identity), store.definition(identity)])


def _digest_of_documents(store: CellStore, identity: str) -> str:
    """Return lm-eval's digest of a cell's samples: from its head, or for cells that lack it from the samples."""
    known = store.about(identity).get("task_hash")
    return lm_eval_digest(store.samples(identity)) if known is None else str(known)


def _report(folder: Path, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    path = folder / REPORT
    if path.is_file():
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if report.get("format") == "mwork-report" and _belongs(report, manifest):
            return report
    computed: dict[str, Any] = json.loads(as_json(read_results(folder)))
    return computed


def _belongs(report: Mapping[str, Any], manifest: Mapping[str, Any]) -> bool:
    """Say whether a report has every cell of a manifest, and of the same sets."""
    keys = ("preset", "mask_language", "seed", "task", "language")
    shown = [(*(cell[key] for key in keys), cell["setting"]) for cell in report["cells"] if cell["score"] is not None]
    stored = [(*(cell[key] for key in keys), cell["setting"] or "baseline") for cell in manifest["cells"]]
    return shown == stored and report["sets"] == manifest["sets"] and report["fingerprint"] == manifest["fingerprint"]


def _changes(
    report: Mapping[str, Any], scores: Mapping[str, Score], contender: Contender, folder: Path, time: float
) -> Iterator[MaskEffect]:
    for table in report["tables"]:
        family = TaskFamily(table["task"], ())
        languages = tuple(table["languages"])
        tasks = [family.task(language) for language in (ENGLISH, *languages)]
        for row in table["rows"]:
            if row["delta"] is None:
                continue
            yield MaskEffect(
                contender=contender,
                preset=table["preset"],
                setting=row["name"],
                random=row["random"],
                benchmark=table["task"].replace("_{l}", "").replace("{l}", ""),
                languages=languages,
                neurons=table["counts"],
                unit=table["unit"],
                values={
                    name: (row["delta"][name]["value"], row["delta"][name]["low"], row["delta"][name]["high"])
                    for name in ("delta_eng", "delta_non_eng", "delta")
                },
                p_holm=(row["comparison"] or {}).get("p_holm"),
                documents=min(table["documents"].values()),
                compared_by=digest_of([[task, scores[task].compared_by] for task in tasks]),
                folder=folder,
                time=time,
            )
