"""Results files of lm-eval, of any model, with the samples beside them: where they lie, and what each task scored.

`lm_eval --output_path FOLDER` writes `FOLDER/MODEL/results_DATE.json`, `--output_path NAME.json` writes
`NAME_DATE.json`; samples lie beside it as `samples_TASK_DATE.jsonl`.
"""

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mwork_eval.benchmarks.rows import BENCHMARKS, task_of
from mwork_eval.digests import file_name
from mwork_eval.errors import InputError
from mwork_eval.results.definition import definition_of
from mwork_eval.results.lm_eval_content import LmEvalContent, MworkConfig, read_content, read_samples
from mwork_eval.results.main_metric import MainMetric, factor_and_unit, find_main_metric, need_documents
from mwork_eval.results.prompting_record import PromptingRecord
from mwork_eval.results.scored_document import ScoredDocument
from mwork_eval.results.task_score import lm_eval_digest

_FILE = re.compile(r"(?P<name>.+)_(?P<date>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(\.\d+)?)\.json", re.DOTALL)
_PREFIX, _SUFFIX = "results_", ".json"
_PROMPT = ("doc_to_text", "doc_to_target", "doc_to_choice", "description", "dataset_path", "dataset_name", "test_split")


def is_results_file(name: str) -> bool:
    """Tell whether a file is called as lm-eval calls its results."""
    return (name.startswith(_PREFIX) and name.endswith(_SUFFIX)) or _FILE.fullmatch(name) is not None


def results_files(place: Path) -> list[Path]:
    """Return lm-eval's results files, the oldest first.

    Args:
        place: One of them, a folder with some in it or below, or the `NAME.json` that lm-eval was given.
    """
    if place.is_file():
        return [place]
    if place.suffix == _SUFFIX and not place.exists() and place.parent.is_dir():
        beside = place.parent.glob(f"*{_SUFFIX}")
        found = [path for path in beside if is_results_file(path.name) and name_of(path) == place.stem]
    else:
        found = [path for path in place.rglob(f"*{_SUFFIX}") if is_results_file(path.name)]
    return sorted(found, key=lambda path: (_date_of(path), path.name))


def name_of(path: Path) -> str:
    """Return the name of a results file without its date: `results`, or what lm-eval was given."""
    file = _FILE.fullmatch(path.name)
    return file["name"] if file else path.stem.partition("_")[0]


def _date_of(path: Path) -> str:
    file = _FILE.fullmatch(path.name)
    return file["date"] if file else path.stem.removeprefix(_PREFIX)


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
        prompting: How the model was asked beyond what the task file says, in words.
        shots: Examples before each question, or None if that is not told.
        factor: What a ratio of the metric is multiplied by to be in the unit.
        numbers: Numerator and denominator by document; empty if the documents are not known.
        logged: What those documents are known by, in the same order.
        ranked_definition: ``definition``, the same for every chat template; None if none rendered the prompts.
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
    prompting: tuple[str, ...] = ()
    shots: int | None = None
    factor: float = 1.0
    numbers: tuple[tuple[float, float], ...] = ()
    logged: tuple[ScoredDocument, ...] = ()
    ranked_definition: str | None = None


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
            InputError: If it cannot be read or is damaged.
        """
        return cls(path, read_content(path))

    @property
    def mwork(self) -> MworkConfig:
        """What `mwork-hf` says of itself; of other models, what holds for them."""
        return (self.content.config and self.content.config.mwork) or MworkConfig()

    @property
    def scored_by(self) -> str:
        """What tells the results of one model, with one mask, from those of another in one folder."""
        masked, delta = self.mwork.masked, self.mwork.delta
        parts = (self.content.model_name, masked and masked.digest, delta and delta.digest)
        return " ".join(map(str, parts))

    def definition(self, task: str) -> str:
        """Return what the score of a task is defined by."""
        return self._definition(task, self.content.prompting)

    def _definition(self, task: str, prompting: PromptingRecord) -> str:
        config, version = self.content.configs.get(task), self.content.versions.get(task)
        return definition_of(
            config,
            version,
            double_bos=bool(self.mwork.double_bos),
            prompting=prompting,
            shots=self.shots(task),
        )

    def shots(self, task: str) -> int | None:
        """Return the number of examples before each question of a task; None if it is not told."""
        found = self.content.shots.get(task)
        return found if isinstance(found, int) else None

    def samples_path(self, task: str) -> Path:
        """Return the file of a task's samples, whether or not they were logged."""
        return self.path.parent / f"samples_{file_name(task)}_{_date_of(self.path)}.jsonl"

    def task(self, name: str) -> ReportedTask:
        """Return what is said of a task, and the numbers of its documents if samples of it were logged.

        Of tasks that are not ours, the samples tell the main metric.

        Raises:
            InputError: If the samples are damaged, or lm-eval reports no number, or answers alone.
        """
        self._check_scored(name)
        samples = self._samples(name) if self._has_samples(name) else None
        if samples is not None:
            self._check_whole(name, samples)
        content, reported = self.content, self.content.results[name]
        main = self._main_metric(name, None if task_of(name) else samples)
        short, _, filter_name = main.metric.partition(",")
        value, error = float(reported[main.metric]), reported.get(f"{short}_stderr,{filter_name}")
        if not math.isfinite(value):
            raise InputError(f"{self.path} has no score of {name}", found=f"{main.metric} that is no number")
        if samples is not None and task_of(name):
            main = self._main_metric(name, samples)
            self._check_ours(name, main)
        factor, unit = factor_and_unit(short, [n / d for n, d in main.documents if d] or [value])
        metadata = (content.configs.get(name) or {}).get("metadata")
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
            data=metadata.get("data") if isinstance(metadata, Mapping) else None,
            dataset_path=config.get("dataset_path"),
            prompting=tuple(content.prompting.parts(config.get("output_type"), shots)),
            shots=self.shots(name),
            factor=factor,
            numbers=main.documents,
            logged=tuple(ScoredDocument.of(sample, with_content=True) for sample in main.samples),
            ranked_definition=self._definition(name, content.prompting.with_any_template())
            if content.prompting.renders(config.get("output_type"))
            else None,
        )

    def documents(self, task: str) -> tuple[MainMetric, list[ScoredDocument]]:
        """Return the main metric of a task that is a mean over documents, and the documents in the same order.

        Raises:
            InputError: If the samples are missing, damaged or not those scored, or no metric is such a mean.
        """
        self._check_scored(task)
        if not self._has_samples(task):
            missing = self.samples_path(task).name
            raise InputError(
                f"{self.path} has no samples of {task}", found=f"no {missing}", hint="run lm_eval with --log_samples"
            )
        samples = self._samples(task)
        self._check_whole(task, samples)
        main = self._main_metric(task, samples)
        with self._naming_it():
            need_documents(task, main, self.content.results[task])
        self._check_ours(task, main)
        return main, [ScoredDocument.of(sample, with_content=True) for sample in main.samples]

    def _check_ours(self, task: str, main: MainMetric) -> None:
        if (located := task_of(task)) and main.metric != (ours := BENCHMARKS[located[0]].metric):
            raise InputError(f"{self.path} is damaged", found=f"another {ours} of {task} than that of its documents")

    def _check_scored(self, task: str) -> None:
        if self.content.has_answers_alone(task):
            raise InputError(
                f"{self.path} has no score of {task}",
                found="answers alone, as lm_eval --predict_only writes them",
                hint="run lm_eval without it, or name another file",
            )

    def _has_samples(self, task: str) -> bool:
        return os.path.isfile(self.samples_path(task))  # noqa: PTH113 - a name too long for a file is no error here

    def _main_metric(self, task: str, samples: Sequence[Mapping[str, Any]] | None) -> MainMetric:
        content = self.content
        with self._naming_it():
            return find_main_metric(
                task,
                content.results[task],
                declared=content.configs.get(task),
                directions=content.higher_is_better.get(task),
                samples=samples,
            )

    @contextmanager
    def _naming_it(self) -> Iterator[None]:
        try:
            yield
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from error

    def _samples(self, task: str) -> list[Mapping[str, Any]]:
        return list(read_samples(self.samples_path(task)))

    def _check_whole(self, task: str, samples: Sequence[Mapping[str, Any]]) -> None:
        """Check that the samples are those scored: their number, and lm-eval's digest of them."""
        file, expected = self.samples_path(task), self.content.counts[task].effective
        documents, digest = len({sample["doc_id"] for sample in samples}), lm_eval_digest(samples)
        if documents != expected:
            raise InputError(f"{file} is damaged", found=f"{documents} documents", expected=f"the {expected} scored")
        if (self.content.task_hashes.get(task) or digest) != digest:
            raise InputError(f"{file} is damaged", found="other samples than those scored")
