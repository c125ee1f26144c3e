"""The tables of a matrix as far as a leaderboard shows them: of its `report.json`, or computed anew."""

from typing import Any

from pydantic import Field, model_validator

from mwork_eval.files.json_values import FileValue, parse_as, read_bytes
from mwork_eval.files.seal import unsealed
from mwork_eval.languages.pivot import Pivot
from mwork_eval.languages.table import ENGLISH
from mwork_eval.results.manifest import Manifest, preset_sets
from mwork_eval.results.matrix_folder import MatrixFolder
from mwork_eval.results.set_entry import SetEntry
from mwork_eval.results.tables import results_of

REPORT = "report.json"
_FORMAT = "mwork-report"


class ReportEstimate(FileValue):
    """A number with the ends of its interval, None if there is none."""

    value: float
    low: float | None
    high: float | None

    @property
    def ends(self) -> tuple[float, float | None, float | None]:
        """The number and the ends."""
        return self.value, self.low, self.high


class ReportChange(FileValue):
    """How a score changes."""

    difference: float


class ReportLanguage(FileValue):
    """What the mask of one language does to the language itself and to the pivot."""

    own: ReportChange
    english: ReportChange

    @model_validator(mode="before")
    @classmethod
    def _of_any_pivot(cls, value: Any) -> Any:
        return {**value, "english": value["pivot"]} if isinstance(value, dict) and "pivot" in value else value

    @property
    def delta(self) -> float:
        """Change of the pivot minus change of the language."""
        return self.english.difference - self.own.difference


class ReportDelta(FileValue):
    """What a row does; reports of earlier versions may not tell it by mask language."""

    delta_eng: ReportEstimate
    delta_non_eng: ReportEstimate
    delta: ReportEstimate
    by_language: dict[str, ReportLanguage] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _of_any_pivot(cls, value: Any) -> Any:
        """Read what the file calls `delta_zh` and `delta_non_zh` with the pivot `zh`."""
        start = "delta_non_"
        tags = [key.removeprefix(start) for key in value if key.startswith(start)] if isinstance(value, dict) else []
        keys = Pivot(tags[0]).keys if tags else {}
        return {**value, **{name: value[key] for name, key in keys.items() if key in value}} if tags else value


class ReportComparison(FileValue):
    """A row against its random control."""

    p_holm: float | None


class ReportRow(FileValue):
    """A row of a table; `delta` is None while cells are missing, and `comparison` for a random control."""

    name: str
    random: bool
    delta: ReportDelta | None
    comparison: ReportComparison | None


class ReportTable(FileValue):
    """A table, as `DeltaTable`."""

    preset: str
    task: str
    languages: tuple[str, ...]
    counts: dict[str, int]
    unit: str
    documents: dict[str, int]
    rows: tuple[ReportRow, ...]


class ReportCell(FileValue):
    """A score of a report, as `CellRow`."""

    preset: str
    setting: str
    mask_language: str | None
    seed: int | None
    task: str
    language: str
    score: float | None


class Report(FileValue):
    """What a report tells."""

    fingerprint: str
    pivot: str = ENGLISH
    sets: dict[str, SetEntry]
    preset_sets: dict[str, dict[str, str]] = Field(default_factory=dict)
    tables: tuple[ReportTable, ...]
    cells: tuple[ReportCell, ...]

    def belongs_to(self, manifest: Manifest) -> bool:
        """Say whether it has every cell of a manifest's tables and no other, and is of the same sets and pivot."""
        shown = [
            (cell.preset, cell.setting, cell.mask_language, cell.seed, cell.task, cell.language)
            for cell in self.cells
            if cell.score is not None
        ]
        stored = [
            (cell.preset, cell.setting or "baseline", cell.mask_language, cell.seed, cell.task, cell.language)
            for cell in manifest.cells
        ]
        made_of = (self.sets, self.preset_sets, self.fingerprint, self.pivot)
        sets = (manifest.sets, preset_sets(manifest))
        return shown == stored and made_of == (*sets, manifest.fingerprint, manifest.pivot)


class ReportHead(FileValue):
    """What tells a report of one folder from other files of its name."""

    format: Any = None


def tables_of(matrix: MatrixFolder) -> tuple[ReportTable, ...]:
    """Return the tables of a matrix: those of `report.json` if it belongs to the folder's cells, else computed anew.

    Raises:
        InputError: If a file is damaged.
    """
    path = matrix.path / REPORT
    if path.is_file():
        text = read_bytes(path)
        if parse_as(ReportHead, text, path).format == _FORMAT:
            report = parse_as(Report, unsealed(text, path), path)
            if report.belongs_to(matrix.manifest):
                return report.tables
    return tuple(ReportTable.model_validate(table, from_attributes=True) for table in results_of(matrix).tables)
