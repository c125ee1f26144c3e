"""Results files of lm-eval, `results_*.json` with `samples_*.jsonl` beside them, of any model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonlines
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mwork_eval.benchmarks.rows import task_of
from mwork_eval.errors import InputError
from mwork_eval.results.definition import definition_of
from mwork_eval.results.file_value import misfit
from mwork_eval.results.main_metric import MainMetric, factor_and_unit, find_main_metric, need_documents
from mwork_eval.results.scored_document import ScoredDocument
from mwork_eval.results.task_score import lm_eval_digest

PATTERN = "results_*.json"
_PROMPT = ("doc_to_text", "doc_to_target", "doc_to_choice", "description", "dataset_path", "dataset_name", "test_split")


class _Foreign(BaseModel):
    """A value in a file that is not ours: read as far as it is needed, and leniently."""

    model_config = ConfigDict(frozen=True)


class SampleCount(_Foreign):
    """Number of documents of a task that were scored."""

    effective: int


class TrainedWeights(_Foreign):
    """Digest of what training made of the weights."""

    digest: Any


class MworkConfig(_Foreign):
    """What `mwork-hf` says of itself; earlier versions say less.

    Attributes:
        model: Name of the model.
        fingerprint: Fingerprint of its weights, before a delta was added.
        masked: What was deactivated, if anything.
        delta: What was added to the weights, if anything.
        double_bos: Whether a second BOS may be scored; who does not say begins texts as `hf` does.
    """

    model: Any = None
    fingerprint: Any = None
    masked: dict[str, Any] | None = None
    delta: TrainedWeights | None = None
    double_bos: Any = True


class RunConfig(_Foreign):
    """How lm-eval was run."""

    model: Any = None
    mwork: MworkConfig | None = None


class LmEvalContent(_Foreign):
    """The content of a results file as far as it is read; what is by task is by the task's name.

    Attributes:
        model_name: Name of the model.
        model_source: What kind of model lm-eval took it for.
        config: How lm-eval was run.
        date: When, in seconds since 1970.
        counts: Documents by task.
        results: Metrics by task.
        higher_is_better: Directions of metrics by task.
        configs: Configurations of tasks.
        versions: Versions of tasks.
        shots: Numbers of examples.
        task_hashes: Digests of samples.
    """

    model_name: Any = None
    model_source: Any = None
    config: RunConfig | None = None
    date: float | None = None
    counts: dict[str, SampleCount] = Field(alias="n-samples")
    results: dict[str, dict[str, Any]]
    higher_is_better: dict[str, dict[str, Any] | None] = Field(default_factory=dict)
    configs: dict[str, dict[str, Any] | None] = Field(default_factory=dict)
    versions: dict[str, Any] = Field(default_factory=dict)
    shots: dict[str, Any] = Field(default_factory=dict, alias="n-shot")
    task_hashes: dict[str, str | None] = Field(default_factory=dict)


@dataclass(frozen=True)
class ReportedTask:
    """What a results file says of a task.

    Attributes:
        name: Name of the task.
        metric: Its main metric, with the filter.
        higher_is_better: Whether a higher score is better.
        unit: Unit of the score for a reader.
        value: The score in that unit.
        error: Its standard error, or None if none is reported.
        documents: Number of documents.
        known_by: What the documents are known by: lm-eval's digest of them or, where none was logged, what stands for
            them: name, version, shots, number and templates.
        definition: What the score is defined by, as `definition_of` gives it.
        data: Where the data of a task of ours came from.
        dataset_path: What its configuration calls `dataset_path`.
    """

    name: str
    metric: str
    higher_is_better: bool
    unit: str
    value: float
    error: float | None
    documents: int
    known_by: str | Sequence[Any]
    definition: str
    data: str | None
    dataset_path: str | None


@dataclass(frozen=True)
class LmEvalFile:
    """A results file of lm-eval.

    Attributes:
        path: The file.
        content: What it says.
    """

    path: Path
    content: LmEvalContent

    @classmethod
    def read(cls, path: Path) -> "LmEvalFile":
        """Read a file.

        Raises:
            InputError: If it is damaged.
        """
        try:
            content = LmEvalContent.model_validate(json.loads(path.read_text(encoding="utf-8")))
            if lacking := content.counts.keys() - content.results.keys():
                raise ValueError(f"no results of {' '.join(sorted(lacking))}")
        except ValidationError as error:
            raise InputError(f"{path} is damaged", found=misfit(error)) from error
        except ValueError as error:
            raise InputError(f"{path} is damaged", found=f"{type(error).__name__} {error}") from error
        return cls(path, content)

    @property
    def mwork(self) -> MworkConfig:
        """What `mwork-hf` says of itself; of other models, what holds for them."""
        return (self.content.config and self.content.config.mwork) or MworkConfig()

    def definition(self, task: str) -> str:
        """Return what the score of a task is defined by."""
        config, version = self.content.configs.get(task), self.content.versions.get(task)
        return definition_of(config, version, double_bos=bool(self.mwork.double_bos))

    def samples_path(self, task: str) -> Path:
        """Return the file of a task's samples, whether or not they were logged."""
        return self.path.parent / f"samples_{task}{self.path.stem.removeprefix('results')}.jsonl"

    def task(self, name: str) -> ReportedTask:
        """Return what is said of a task; of tasks that are not ours, the samples tell the main metric if there are any.

        Raises:
            InputError: If the samples are damaged, or lm-eval reports no number.
        """
        needs_samples = task_of(name) is None and self.samples_path(name).is_file()
        main = self._main_metric(name, self._samples(name) if needs_samples else None)
        content, reported = self.content, self.content.results[name]
        short, _, filter_name = main.metric.partition(",")
        value, error = float(reported[main.metric]), reported.get(f"{short}_stderr,{filter_name}")
        factor, unit = factor_and_unit(short, [n / d for n, d in main.documents if d] or [value])
        config, documents = content.configs.get(name) or {}, content.counts[name].effective
        version, shots = content.versions.get(name), content.shots.get(name)
        stand_in = [name, version, shots, documents, [str(config.get(part)) for part in _PROMPT]]
        return ReportedTask(
            name,
            main.metric,
            main.higher_is_better,
            unit,
            value=factor * value,
            error=factor * float(error) if isinstance(error, int | float) else None,
            documents=documents,
            known_by=content.task_hashes.get(name) or stand_in,
            definition=self.definition(name),
            data=(config.get("metadata") or {}).get("data"),
            dataset_path=config.get("dataset_path"),
        )

    def documents(self, task: str) -> tuple[MainMetric, list[ScoredDocument]]:
        """Return the main metric of a task that is a mean over documents, and the documents in the same order.

        Raises:
            InputError: If the samples are missing, damaged or not those scored, or no metric is such a mean.
        """
        file = self.samples_path(task)
        if not file.is_file():
            raise InputError(
                f"{self.path} has no samples of {task}", found=f"no {file.name}", hint="run lm_eval with --log_samples"
            )
        samples = self._samples(task)
        self._check_whole(task, samples)
        main = need_documents(task, self._main_metric(task, samples), self.content.results[task])
        try:
            return main, [ScoredDocument.of(sample, with_content=True) for sample in main.samples]
        except KeyError as error:
            raise _damaged(file, error) from error

    def _main_metric(self, task: str, samples: Sequence[Mapping[str, Any]] | None) -> MainMetric:
        content = self.content
        try:
            return find_main_metric(
                task,
                content.results[task],
                declared=content.configs.get(task),
                directions=content.higher_is_better.get(task),
                samples=samples,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(self.path if samples is None else self.samples_path(task), error) from error

    def _samples(self, task: str) -> list[dict[str, Any]]:
        file = self.samples_path(task)
        try:
            with jsonlines.open(file) as lines:
                return list(lines.iter(type=dict))
        except (jsonlines.Error, ValueError) as error:
            raise _damaged(file, error) from error

    def _check_whole(self, task: str, samples: Sequence[Mapping[str, Any]]) -> None:
        """Check that the samples are those scored: their number, and lm-eval's digest of them."""
        file, expected = self.samples_path(task), self.content.counts[task].effective
        try:
            documents = len({sample["doc_id"] for sample in samples})
            digest = lm_eval_digest(samples)
        except (KeyError, TypeError) as error:
            raise _damaged(file, error) from error
        if documents != expected:
            raise InputError(f"{file} is damaged", found=f"{documents} documents", expected=f"the {expected} scored")
        if (self.content.task_hashes.get(task) or digest) != digest:
            raise InputError(f"{file} is damaged", found="other samples than those scored")


def _damaged(file: Path, error: Exception) -> InputError:
    return InputError(f"{file} is damaged", found=f"{type(error).__name__} {error}")
