"""The results folder of a matrix of two languages and a handful of scores, given one by one."""

from pathlib import Path

from helpers.manifests import write_manifest
from helpers.task_scores import accuracy
from mwork_eval.matrix.settings import Setting
from mwork_eval.neurons.stages import POSITIONS
from mwork_eval.results.store import CellStore
from mwork_eval.results.task_score import TaskScore

LS_ALL, R_ALL = Setting(False, POSITIONS), Setting(True, POSITIONS)


def save_matrix(folder: Path, settings, scores, table: int | None = 1) -> Path:
    """Store a matrix of English and Chinese.

    Args:
        folder: Where.
        settings: The rows.
        scores: By (setting or None, seed, language), a score or None for a missing cell.
        table: Number of the table.
    """
    cells = []
    for number, ((setting, seed, language), score) in enumerate(scores.items()):
        identity = str(number)
        if score is not None:
            CellStore(folder).save(identity, score, {}, [])
        cells.append(
            {
                "preset": "mine",
                "setting": setting,
                "mask_language": setting and "zh",
                "seed": seed,
                "task": "xquad",
                "language": language,
                "identity": identity,
            }
        )
    write_manifest(
        folder,
        model="tiny <b>",
        languages=["en", "zh"],
        limit=2,
        seeds=[1],
        sets={"zh": {}},
        tasks=[{"name": "xquad", "languages": ["en", "zh"], "missing": ["fr"]}],
        presets=[
            {
                "name": "mine",
                "table": table,
                "settings": [
                    {"name": setting.name, "random": setting.random, "positions": list(setting.positions)}
                    for setting in settings
                ],
                "counts": {"zh": 5},
            }
        ],
        cells=cells,
    )
    return folder


def two_documents(last_cell: TaskScore | None):
    return {
        (None, None, "en"): accuracy(1, 1),
        (None, None, "zh"): accuracy(1, 0),
        ("LS all", None, "zh"): accuracy(0, 0),
        ("LS all", None, "en"): accuracy(1, 0),
        ("R all", 1, "zh"): accuracy(1, 0),
        ("R all", 1, "en"): last_cell,
    }
