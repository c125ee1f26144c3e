"""The scores of an enhancement folder, read back without the model: what `improvement.json` says of its cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.digests import canonical_json
from mwork_eval.enhancement.record import FILE, Record, TrainedDelta
from mwork_eval.enhancement.scores import DeltaCell, Scores
from mwork_eval.errors import InputError
from mwork_eval.files.json_values import FileValue, parse_as, read_bytes
from mwork_eval.files.seal import unsealed
from mwork_eval.languages.table import ENGLISH
from mwork_eval.lm.model_identity import answering
from mwork_eval.matrix.cell_plan import CellPlan
from mwork_eval.results.manifest import TaskEntry
from mwork_eval.results.prompting_record import PromptingRecord
from mwork_eval.results.store import CellStore
from mwork_eval.results.task_score import TaskScore

SCORES = "improvement"
"""Name of the files of scores, without their endings."""


@dataclass(frozen=True)
class ScoredEnhancement:
    """What was scored of an enhancement.

    Attributes:
        folder: The folder.
        record: What was trained.
        families: What was scored.
        scores: The scores.
        pivot: The language that the others are compared with.
        prompting: How the model was asked; None if as task files say.
        model_args: Further arguments of the model.
    """

    folder: Path
    record: Record
    families: tuple[TaskFamily, ...]
    scores: Scores
    pivot: str
    prompting: PromptingRecord | None = None
    model_args: Mapping[str, Any] = field(default_factory=dict)


class ImprovementCell(FileValue):
    """A score of an enhancement: the delta's file (None for the base), the lm-eval task, and the cell's name."""

    delta: str | None
    task: str
    identity: str


class ImprovementCells(FileValue):
    """What `improvement.json` says of where scores are; None in files of earlier versions."""

    families: tuple[TaskEntry, ...] | None = None
    cells: tuple[ImprovementCell, ...] | None = None


class ImprovementFile(ImprovementCells):
    """What is read of `improvement.json`."""

    pivot: str = ENGLISH
    prompting: PromptingRecord | None = None
    model_args: dict[str, Any] = Field(default_factory=dict)


def describe_cells(plan: CellPlan, families: Sequence[TaskFamily]) -> dict[str, Any]:
    """Return what `improvement.json` says of where scores are, as JSON values."""
    cells = (
        ImprovementCell(delta=None if cell.trained is None else cell.trained.file, task=cell.task, identity=identity)
        for identity, cell in zip(plan.identities, plan.cells, strict=True)
        if isinstance(cell, DeltaCell)
    )
    content = ImprovementCells(families=tuple(map(TaskEntry.of, families)), cells=tuple(cells))
    return content.model_dump(mode="json", exclude_unset=True)


def read_enhancement(folder: Path) -> ScoredEnhancement:
    """Read the scores of the base and of every delta.

    Raises:
        InputError: If nothing was scored, a file is damaged, or it does not say where the scores are.
    """
    record, path = Record.load(folder), folder / f"{SCORES}.json"
    if not path.is_file():
        raise InputError(f"{folder} holds no scores", found=f"no {path.name}", hint="run `enhance(tasks=...)`")
    content = parse_as(ImprovementFile, unsealed(read_bytes(path), path), path)
    if content.cells is None or content.families is None:
        raise InputError(
            f"{path} does not say where the scores are",
            found="a file of an earlier version",
            hint="look at its improvement.md, or train into another `out`: controls are drawn otherwise now",
        )
    deltas, store = {delta.file: delta for delta in record.deltas}, CellStore(folder)
    scores: dict[tuple[TrainedDelta | None, str], TaskScore] = {}
    for cell in content.cells:
        if cell.delta is not None and cell.delta not in deltas:
            raise InputError(f"{path} is damaged", found=f"no delta {cell.delta} in {FILE}")
        if (score := store.load(cell.identity)) is not None:
            scores[None if cell.delta is None else deltas[cell.delta], cell.task] = score
    families = tuple(task.family for task in content.families)
    return ScoredEnhancement(folder, record, families, scores, content.pivot, content.prompting, content.model_args)


def read_enhancements(folders: Sequence[Path]) -> list[ScoredEnhancement]:
    """Read several folders, such as one per language.

    Raises:
        InputError: As `read_enhancement`, or if they are of different models or pivots, asked in different ways, or
            train one language twice.
    """
    found = [read_enhancement(folder) for folder in folders]
    if len(pivots := list(dict.fromkeys(one.pivot for one in found))) > 1:
        raise InputError(
            "enhancements compared with different languages", found=", ".join(pivots), expected="one pivot"
        )
    if len(models := {one.record.fingerprint: one.record.model for one in found}) > 1:
        raise InputError("enhancements of different models", found=", ".join(models.values()), expected="one model")
    ways = {canonical_json(_asking(one)): _asked(one) for one in found}
    if len(ways) > 1:
        raise InputError(
            "enhancements asked in different ways", found=", ".join(ways.values()), expected="one way of asking"
        )
    groups = [group for one in found for group in dict.fromkeys(delta.languages for delta in one.record.deltas)]
    if len(set(groups)) < len(groups):
        twice = sorted({"+".join(group) for group in groups if groups.count(group) > 1})
        raise InputError("folders that train the same language", found=" ".join(twice), expected="one each")
    return found


def _asking(one: ScoredEnhancement) -> list[Any]:
    """Return what of an enhancement says how its model was asked."""
    return [None if one.prompting is None else one.prompting.to_values(), answering(one.model_args)]


def _asked(one: ScoredEnhancement) -> str:
    """Say the same in words."""
    prompts = "as the task files say" if one.prompting is None else one.prompting.in_words()
    given = answering(one.model_args)
    return f"{one.folder.name} {prompts}{f'; model arguments {canonical_json(given)}' if given else ''}"
