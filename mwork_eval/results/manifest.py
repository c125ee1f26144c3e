"""The manifest of a results folder: what its matrix consists of, and which cell stands for what."""

from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationInfo, field_validator

from mwork_eval.benchmarks.task_family import TaskFamily, task_name
from mwork_eval.errors import InputError
from mwork_eval.files.json_values import FileValue
from mwork_eval.files.seal import read_sealed, write_sealed
from mwork_eval.languages.table import ENGLISH
from mwork_eval.neurons.stages import POSITIONS, Stages
from mwork_eval.results.model_asking import asking_of
from mwork_eval.results.prompting_record import PromptingRecord
from mwork_eval.results.set_entry import SetEntry

FORMAT = "mwork-ablation"
VERSION = 1
PARTS = ("cells", "cross", "dose", "draws")
"""Lists of cells: those of the tables, those that make them squares, those of several sizes, and those with sets of
other documents."""


class CellEntry(FileValue):
    """What a cell stands for.

    Attributes:
        preset: Name of the table.
        setting: Name of its row; None without a mask, and then language and seed of the mask are None, too.
        mask_language: Whose neurons are deactivated.
        seed: Seed of a random control.
        task: The benchmark.
        language: The language of the documents.
        identity: Name of the cell's file; cells that presets share appear once for each.
        count: Number of neurons deactivated, in `dose` only.
        draw: Number of the random half of the detection documents, in `draws` only.
    """

    preset: str
    setting: str | None
    mask_language: str | None
    seed: int | None
    task: str
    language: str
    identity: str
    count: int | None = None
    draw: int | None = None

    @property
    def table(self) -> tuple[str, str]:
        """What tells its table from others: preset and benchmark."""
        return self.preset, self.task


class SettingEntry(FileValue):
    """A row of a table.

    Attributes:
        name: Its name.
        random: Whether it is a random control.
        positions: Where neurons are changed.
        intervention: What is done to them; not written where they are deactivated.
    """

    name: str
    random: bool
    positions: tuple[str, ...]
    intervention: str = "zero"

    @field_validator("positions")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := set(value) - set(POSITIONS):
            raise ValueError(f"{' '.join(sorted(unknown))} is none of {' '.join(POSITIONS)}")
        return value


class PresetEntry(FileValue):
    """A table, and how it was made.

    Attributes:
        name: Name of the preset.
        table: Number of the table in the paper, or None if it is not the paper's.
        ability: What it is about; may be empty.
        settings: Its rows.
        counts: Neurons that every row deactivates, by mask language.
        limit: Documents per task, or None for all.
        order: Which ones; None if not told.
        seeds: Seeds of the random controls by benchmark; in some folders of earlier versions, of all benchmarks.
        controls: What the random controls were drawn from; None if not told.
        shared_hits: By mask language and random row, how many neurons of each draw are the language's own; None if its
            set does not say.
        draw_overlaps: By row and mask language, the Jaccard index of what each drawn set and the table deactivate.
        limits: By benchmark, the documents per task where they are not ``limit``.
        sets: By mask language, its own neuron sets, if it does not share those of the manifest.
        cost: What recording took that these were selected from, in words; may be empty.
    """

    name: str
    table: int | None
    ability: str
    settings: tuple[SettingEntry, ...]
    counts: dict[str, int]
    limit: int | None = None
    order: int | str | None = None
    seeds: dict[str, tuple[int, ...]] | tuple[int, ...] = ()
    controls: str | None = None
    shared_hits: dict[str, dict[str, tuple[int | None, ...]]] = Field(default_factory=dict)
    draw_overlaps: dict[str, dict[str, tuple[float, ...]]] = Field(default_factory=dict)
    limits: dict[str, int] = Field(default_factory=dict)
    sets: dict[str, SetEntry] = Field(default_factory=dict)
    cost: str = ""

    @field_validator("shared_hits")
    @classmethod
    def _of_known_languages(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if unknown := value.keys() - info.data.get("counts", value).keys():
            raise ValueError(f"{' '.join(sorted(unknown))} without a number of neurons")
        return value


class TaskEntry(FileValue):
    """A benchmark, the languages it has among those asked for, and those it lacks.

    Attributes:
        name: The benchmark, or a pattern.
        languages: Languages it has.
        missing: Languages it lacks.
        tasks: By language, the lm-eval task or group where its name does not follow from these.
    """

    name: str
    languages: tuple[str, ...]
    missing: tuple[str, ...]
    tasks: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def of(cls, family: TaskFamily) -> Self:
        """Return the entry of a benchmark; names of tasks that follow from the rest are not set."""
        named = {"tasks": family.named_otherwise} if family.named_otherwise else {}
        return cls(name=family.name, languages=family.languages, missing=family.missing, **named)

    @property
    def family(self) -> TaskFamily:
        """The benchmark."""
        return TaskFamily(self.name, self.languages, self.missing, tasks=self.tasks)


class RequestsEntry(FileValue):
    """The requests of an lm-eval task: a digest of documents, right answers and prompts, and their count."""

    digest: str
    count: int


class Manifest(FileValue):
    """What the matrix of a results folder consists of, and which cell stands for what.

    Attributes:
        model: Name of the model.
        fingerprint: Fingerprint of its weights.
        dtype: Their dtype.
        stages: Where understanding ends and generation begins.
        languages: The languages asked for.
        limit: Documents per task, or None for all.
        seeds: Seeds of the random controls, of any benchmark.
        data: Where the tasks' data came from.
        versions: Versions of the software.
        sets: The neuron sets by language.
        tasks: The benchmarks.
        presets: The tables.
        cells: The cells of the tables.
        cross: Those that make them squares.
        dose: Those of other numbers of neurons.
        draws: Those with sets of halves of the detection documents.
        model_identity: Digest of what determines an answer besides mask and request; None if not told.
        order: Which documents `limit` leaves; None in folders of earlier versions, which took the file's first.
        requests: By lm-eval task, its requests.
        metrics: By lm-eval task, the main metric that was asked for.
        pivot: The language that the others are compared with.
        prompting: How the model was asked; None if as task files say.
        model_args: Further arguments that the model was loaded with.
        limits: By benchmark, the documents per task where they are not ``limit``.
        lacking: Which layers of the model lack structures, a line for each kind of them.
        engine: What computed the answers: `name`, `version`, `dtype` and parallelism; empty for transformers.
    """

    model: str
    fingerprint: str
    dtype: str
    stages: Stages
    languages: tuple[str, ...]
    limit: int | None
    seeds: tuple[int, ...]
    data: str | None
    versions: dict[str, str]
    sets: dict[str, SetEntry]
    tasks: tuple[TaskEntry, ...]
    presets: tuple[PresetEntry, ...]
    cells: tuple[CellEntry, ...]
    # Folders of earlier versions lack what follows, and it is not written to them: only what was set is written.
    cross: tuple[CellEntry, ...] = ()
    dose: tuple[CellEntry, ...] = ()
    draws: tuple[CellEntry, ...] = ()
    model_identity: str | None = None
    order: int | str | None = None
    requests: dict[str, RequestsEntry] = Field(default_factory=dict)
    metrics: dict[str, str] = Field(default_factory=dict)
    pivot: str = ENGLISH
    prompting: PromptingRecord | None = None
    model_args: dict[str, Any] = Field(default_factory=dict)
    limits: dict[str, int] = Field(default_factory=dict)
    lacking: tuple[str, ...] = ()
    engine: dict[str, str | int | bool | None] = Field(default_factory=dict)

    @property
    def asking(self) -> dict[str, str]:
        """How the model was asked, and by which engine it answered, as `asking_of` tells it."""
        return asking_of(self.model_args, str(self.engine.get("name")) if self.engine else None)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a manifest of this version or an earlier one.

        Raises:
            InputError: If the file is of another kind, something is missing or of another type, or a cell stands for
                what the manifest does not have; the first such place is named.
        """
        hint = "run `ablate(repair=True)`; finished cells stay"
        manifest = read_sealed(cls, path, (FORMAT, VERSION), hint)
        if undescribed := next(manifest._undescribed(), None):
            raise InputError(f"{path} is damaged", found=undescribed, hint=hint)
        return manifest

    def to_values(self) -> dict[str, Any]:
        """Return the manifest as JSON values, in the order of the file."""
        values = {"format": FORMAT, "version": VERSION, **self.model_dump(mode="json", exclude_unset=True)}
        return dict(sorted(values.items()))

    def save(self, path: Path) -> None:
        """Write the manifest, whole or not at all."""
        write_sealed(path, self.to_values(), indent=1, sort_keys=True)

    def part(self, name: str) -> tuple[CellEntry, ...]:
        """Return one of the lists of cells that `PARTS` names."""
        found: tuple[CellEntry, ...] = getattr(self, name)
        return found

    def of_table(self, table: tuple[str, str], *parts: str) -> list[CellEntry]:
        """Return the cells of some parts that are about one preset and benchmark."""
        return [cell for part in parts for cell in self.part(part) if cell.table == table]

    def task_name(self, family: str, language: str) -> str:
        """Return the name of the lm-eval task, or group, of a benchmark in a language."""
        named = next((task.tasks for task in self.tasks if task.name == family), {})
        return named.get(language) or task_name(family, language)

    def preset(self, name: str) -> PresetEntry:
        """Return the table of that name; every cell's is there."""
        return next(preset for preset in self.presets if preset.name == name)

    def _undescribed(self) -> Iterator[str]:
        """Yield what cells stand for that the manifest does not have, such as a score to compare a mask's with."""
        presets, tasks = {preset.name: preset for preset in self.presets}, {task.name for task in self.tasks}
        unmasked = {(*cell.table, cell.language) for cell in self.cells if cell.setting is None}
        for part in PARTS:
            for number, cell in enumerate(self.part(part)):
                if cell.preset not in presets or cell.task not in tasks:
                    yield f"{part}.{number}: no preset {cell.preset} or no task {cell.task}"
                elif reason := _undescribed(part, cell, presets[cell.preset], unmasked):
                    yield f"{part}.{number}: {reason}"


def preset_sets(manifest: Manifest) -> dict[str, dict[str, str]]:
    """Return the digests of the neuron sets by preset and mask language, of presets that have their own."""
    return {
        preset.name: {language: entry.digest for language, entry in preset.sets.items()}
        for preset in manifest.presets
        if preset.sets
    }


def _undescribed(
    part: str, cell: CellEntry, preset: PresetEntry, unmasked: Container[tuple[str, str, str]]
) -> str | None:
    """Say what a cell stands for that its table does not have; None if all is there."""
    language = cell.mask_language
    if cell.setting is None:
        return None if part == "cells" and language is None else "a mask without a setting"
    if language is None or language not in preset.counts:
        return f"{preset.name} has no number of neurons of {language}"
    if cell.setting not in {row.name for row in preset.settings}:
        return f"{preset.name} has no setting {cell.setting}"
    if part != "cross" and (*cell.table, cell.language) not in unmasked:
        return f"no cell of {cell.task} {cell.language} without a mask"
    if part == "dose" and cell.count is None:
        return "no count"
    drawn = len(preset.draw_overlaps.get(cell.setting, {}).get(language, ()))
    if part == "draws" and not 1 <= (cell.draw or 0) <= drawn:
        return f"no overlap of draw {cell.draw}"
    return None
