"""What lm-eval's files say, as far as it is read: foreign JSON, checked here so that what comes after may trust it."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from mwork_eval.errors import InputError
from mwork_eval.files.json_values import misfit, parse, read_bytes
from mwork_eval.files.key_values import parse_key_values
from mwork_eval.results.model_asking import asking_of
from mwork_eval.results.prompting_record import PromptingRecord

BYPASS = "bypass"
"""The metric that stands for all others after `lm_eval --predict_only`; its value of 999 is no score."""
_LATEST = 253402300799
"""The last second of the year 9999, which is the last one that has a date."""
_MOST = 2**53
_LARGEST = 1e100
"""Values up to here can be scaled, squared and summed."""
_Named = Annotated[list[str], Field(min_length=2, max_length=2)]
_Value = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)]
_ENGINES = {"vllm": "vllm", "mwork-vllm": "vllm"}
"""By lm-eval's name of a kind of model, its engine; others are transformers, or not told."""
_CONFIG_TYPES = {"metric_list": list, "dataset_path": str, "output_type": str}


class _Foreign(BaseModel):
    """A value in a file that is not ours: read as far as it is needed, of exact types where anything depends on it."""

    model_config = ConfigDict(frozen=True, strict=True)


class SampleCount(_Foreign):
    """Number of documents of a task that were scored."""

    effective: int = Field(ge=0, le=_MOST)


class TrainedWeights(_Foreign):
    """Digest of what training made of the weights."""

    digest: str


class MaskRecord(_Foreign):
    """What `mwork-hf` deactivated.

    Attributes:
        neurons: Name of the set.
        positions: Where.
        total: Number of neurons.
        random_control: Seed of the random neurons that stood for those of the set, if any did.
        digest: Of the neurons, and of what was done to them.
        intervention: What was done to them instead of deactivating, if anything was.
    """

    neurons: str | None = None
    positions: str = "all"
    total: int | None = None
    random_control: int | None = None
    digest: str | None = None
    intervention: str | None = None


class MworkConfig(_Foreign):
    """What `mwork-hf` says of itself; earlier versions say less.

    Attributes:
        model: Name of the model.
        fingerprint: Fingerprint of its weights, before a delta was added.
        masked: What was deactivated, if anything.
        delta: What was added to the weights, if anything.
        double_bos: Whether a second BOS may be scored; who does not say begins texts as `hf` does.
        tasks: Benchmark and language of tasks whose names do not tell them.
        engine: What computed the answers, if not transformers.
    """

    model: str | None = None
    fingerprint: str | None = None
    masked: MaskRecord | None = None
    delta: TrainedWeights | None = None
    double_bos: bool | int | None = True
    tasks: dict[str, _Named] = Field(default_factory=dict)
    engine: dict[str, str | int | bool | None] = Field(default_factory=dict)

    @field_validator("masked", mode="before")
    @classmethod
    def _nothing_is_none(cls, value: Any) -> Any:
        return None if value == {} else value


class RunConfig(_Foreign):
    """How lm-eval was run."""

    model: str | None = None
    mwork: MworkConfig | None = None
    model_args: Any = None
    gen_kwargs: Any = None
    model_num_parameters: Any = None

    @property
    def parameters(self) -> int | None:
        """Number of the model's parameters; None if it is not told, which lm-eval writes as -1."""
        told = self.model_num_parameters
        return told if isinstance(told, int) and not isinstance(told, bool) and 0 < told <= _MOST else None


def _measures(of_task: dict[str, Any]) -> dict[str, Any]:
    """Check what is reported of a task; NaN, which is read as None, stays a metric that is no number."""
    found = dict(of_task)
    for name, value in of_task.items():
        if "," not in name:
            continue
        is_error = "_stderr," in name
        if isinstance(value, bool | list | dict) or (_is_number(value) and abs(value) > _LARGEST):
            raise ValueError(f"{name}: a number is needed")
        if is_error and _is_number(value) and value < 0:
            raise ValueError(f"{name}: below 0")
        if value is None and not is_error:
            found[name] = math.nan
    return found


def _configured(config: dict[str, Any]) -> dict[str, Any]:
    for name, kind in _CONFIG_TYPES.items():
        if not isinstance(config.get(name), kind | None):
            raise ValueError(f"{name}: a {kind.__name__} is needed")
    return config


class LmEvalContent(_Foreign):
    """The content of a results file as far as it is read; what is by task is by the task's name.

    Attributes:
        model_name: Name of the model.
        model_source: What kind of model lm-eval took it for.
        config: How lm-eval was run.
        date: When, in seconds since 1970.
        counts: Documents by task.
        results: Metrics by task; NaN for one that is no number.
        higher_is_better: Directions of metrics by task.
        configs: Configurations of tasks.
        versions: Versions of tasks.
        shots: Numbers of examples.
        task_hashes: Digests of samples.
        chat_template_sha: Digest of the chat template that rendered the prompts, if any did.
        system_instruction: What stood before the tasks' own descriptions.
        fewshot_as_multiturn: Whether examples were turns of their own.
    """

    model_name: str | None = None
    model_source: str | None = None
    config: RunConfig | None = None
    date: float | None = Field(default=None, ge=0, le=_LATEST)
    counts: dict[str, SampleCount] = Field(alias="n-samples")
    results: dict[str, Annotated[dict[str, Any], AfterValidator(_measures)]]
    higher_is_better: dict[str, dict[str, Any] | None] = Field(default_factory=dict)
    configs: dict[str, Annotated[dict[str, Any], AfterValidator(_configured)] | None] = Field(default_factory=dict)
    versions: dict[str, Any] = Field(default_factory=dict)
    shots: dict[str, Any] = Field(default_factory=dict, alias="n-shot")
    task_hashes: dict[str, str | None] = Field(default_factory=dict)
    chat_template_sha: str | None = None
    system_instruction: str | None = None
    fewshot_as_multiturn: bool | None = None

    @model_validator(mode="after")
    def _has_results(self) -> "LmEvalContent":
        if not self.counts:
            raise ValueError("no task")
        if lacking := self.counts.keys() - self.results.keys():
            raise ValueError(f"no results of {' '.join(sorted(lacking))}")
        return self

    @property
    def prompting(self) -> PromptingRecord:
        """How the model was asked; files of earlier versions say less."""
        given = self.config and self.config.gen_kwargs
        return PromptingRecord(
            chat_template_sha=self.chat_template_sha,
            system_instruction=self.system_instruction or None,
            fewshot_as_multiturn=bool(self.fewshot_as_multiturn),
            gen_kwargs=given if isinstance(given, dict) else {"": given} if given else {},
        )

    @property
    def model_args(self) -> dict[str, Any]:
        """The arguments that the model was loaded with, as far as they can be told apart."""
        given = self.config and self.config.model_args
        if isinstance(given, str):
            try:
                return parse_key_values("model_args", given)
            except InputError:
                return dict(part.split("=", 1) for part in given.split(",") if "=" in part)
        return dict(given) if isinstance(given, dict) else {}

    @property
    def asking(self) -> dict[str, str]:
        """How the model was asked, and by which engine it answered, as `asking_of` tells it."""
        told = self.config and self.config.mwork and self.config.mwork.engine
        name = str(told.get("name")) if told else _ENGINES.get(self.model_source or "")
        return asking_of(self.model_args, name)

    def has_answers_alone(self, task: str) -> bool:
        """Tell whether a task was answered and not scored, as with `--predict_only`."""
        return BYPASS in (self.higher_is_better.get(task) or {}) or f"{BYPASS},none" in self.results[task]


class _SampleLine(_Foreign):
    """A line of a file of samples: what it needs to have beside the numbers of its metrics."""

    doc_id: int = Field(ge=0, le=_MOST)
    filter: str
    doc_hash: str
    prompt_hash: str
    target_hash: str
    doc: dict[str, Any] | None = None
    bits_per_byte: Annotated[list[_Value], Field(min_length=2, max_length=2)] | None = None


def read_content(path: Path) -> LmEvalContent:
    """Read a results file.

    Raises:
        InputError: If it cannot be read or is damaged.
    """
    try:
        return LmEvalContent.model_validate(parse(read_bytes(path), foreign=True))
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError as error:
        raise InputError(f"{path} is damaged", found=misfit(error)) from error


def read_samples(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the samples of a file; a number that is none, such as NaN, is None.

    Raises:
        InputError: If it cannot be read or a line is damaged.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    sample = parse(line, foreign=True)
                    _SampleLine.model_validate(sample)
                    _check_size(sample)
                except ValueError as error:
                    raise InputError(f"{path} is damaged", found=f"line {number}: {misfit(error)}") from error
                yield sample
    except OSError as error:
        raise _unreadable(path, error) from error


def _check_size(sample: Mapping[str, Any]) -> None:
    for name, value in sample.items():
        if _is_number(value) and abs(value) > _LARGEST:
            raise ValueError(f"{name}: too large a number")


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path} cannot be read", found=error.strerror or error)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
