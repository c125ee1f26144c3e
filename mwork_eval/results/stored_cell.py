"""What the head of a stored cell says: its score, and what it is the score of."""

import math
from functools import cached_property
from typing import Any, Self

from pydantic import field_validator, model_validator

from mwork_eval.files.json_values import FileValue
from mwork_eval.results.definition import definition_of
from mwork_eval.results.prompting_record import PromptingRecord
from mwork_eval.results.task_score import TaskScore

REVISION = 3
"""Of the numbers, not of the file's form: `revisions.yaml` says what each one changed."""
_ROUNDING = 1e-6
_LARGEST = 1e100
"""Scores up to here can be scaled, squared and summed."""
ONE_BOS = 2
"""The first revision that scores whole texts after a single BOS; a matrix offers no other way."""


class TaskFacts(FileValue):
    """What lm-eval's results say of a task: its configuration, version and number of examples."""

    config: dict[str, Any] | None = None
    version: Any = None
    n_shot: Any = None


class CellAbout(FileValue):
    """What a cell says of itself; earlier versions say less.

    Attributes:
        label: Short text for progress and messages.
        masked: What was deactivated, as `mwork-hf` tells lm-eval; None if nothing was.
        task: What lm-eval's results say of the task.
        task_hash: lm-eval's digest of the samples.
    """

    label: str = ""
    masked: dict[str, Any] | None = None
    task: TaskFacts | None = None
    task_hash: str | None = None


class StoredScore(FileValue):
    """A score in a file; the attributes are those of `TaskScore`. Earlier versions do not tell the clusters."""

    metric: str
    higher_is_better: bool
    documents: tuple[tuple[float, float], ...]
    metrics: dict[str, float]
    documents_digest: str
    clusters: tuple[str, ...] = ()

    @field_validator("metrics", mode="before")
    @classmethod
    def _of_numbers(cls, value: Any) -> Any:
        """Drop aggregates that are no number, which earlier versions stored."""
        if not isinstance(value, dict):
            return value
        return {k: v for k, v in value.items() if not isinstance(v, float) or math.isfinite(v)}

    @model_validator(mode="after")
    def _is_a_ratio(self) -> Self:
        numerators, denominators = zip(*self.documents, strict=True) if self.documents else ((0,), (0,))
        if sum(denominators) <= 0 or min(denominators) < 0:
            raise ValueError("documents: no positive denominators")
        if max(max(denominators), max(numerators), -min(numerators)) > _LARGEST:
            raise ValueError(f"documents: a number beyond {_LARGEST:g}")
        if self.clusters and len(self.clusters) != len(self.documents):
            raise ValueError(f"clusters: {len(self.clusters)} of {len(self.documents)} documents")
        return self

    @cached_property
    def score(self) -> TaskScore:
        """The score."""
        return TaskScore(
            self.metric, self.higher_is_better, self.documents, self.metrics, self.documents_digest, self.clusters
        )


class StoredCell(StoredScore):
    """The first line of a cell's file: its score, and what it is the score of. lm-eval's samples follow it.

    Attributes:
        format: What kind of file it is.
        version: Version of its form.
        identity: Its name.
        about: What it says of itself.
        revision: Version of its numbers.
        samples_digest: SHA-256 of the lines of samples; None in cells of earlier versions.
    """

    format: str
    version: int
    identity: str
    about: CellAbout = CellAbout()
    revision: int = 1
    samples_digest: str | None = None

    @property
    def contradiction(self) -> str | None:
        """What the documents' scores and lm-eval's aggregate disagree about; None if nothing."""
        aggregate, score = self.metrics.get(self.metric), self.score.score
        if aggregate is None or math.isclose(aggregate, score, rel_tol=_ROUNDING, abs_tol=_ROUNDING):
            return None
        return f"{self.metric} {aggregate} where its documents give {score}"

    @property
    def begins_once(self) -> bool:
        """Whether a score of whole texts counts a single BOS; those of earlier versions count as `hf` does."""
        return self.revision >= ONE_BOS

    @property
    def output_type(self) -> str | None:
        """What kind of requests the task makes; None if it is not told."""
        found = ((self.about.task or TaskFacts()).config or {}).get("output_type")
        return found if isinstance(found, str) else None

    @property
    def shots(self) -> int | None:
        """The number of examples before each question; None if it is not told."""
        found = (self.about.task or TaskFacts()).n_shot
        return found if isinstance(found, int) else None

    def definition(self, prompting: PromptingRecord | None = None) -> str:
        """Return what the score is defined by, as `definition_of` gives it.

        Args:
            prompting: How the model was asked, which the manifest says.
        """
        task = self.about.task or TaskFacts()
        return definition_of(
            task.config, task.version, double_bos=not self.begins_once, prompting=prompting, shots=self.shots
        )
