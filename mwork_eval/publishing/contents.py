"""Read what is to be published, check every file of it, and say where each goes in the repository."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from mwork_eval.detection.score_table import ScoreTable
from mwork_eval.enhancement.record import Record
from mwork_eval.errors import InputError
from mwork_eval.neurons.files import load_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import SUFFIX
from mwork_eval.publishing.privacy import last_of, paths_in
from mwork_eval.publishing.recognition import ENHANCEMENT, MATRIX, RUN, SETS, Recognised
from mwork_eval.publishing.results_files import (
    files_of_enhancement,
    files_of_matrix,
    files_of_run,
    is_whole,
    read_whole_matrix,
    versions_in,
)
from mwork_eval.results.lm_eval_folder import LmEvalFile
from mwork_eval.results.sanitized_names import shown_part
from mwork_eval.results.summaries.entries import Score
from mwork_eval.results.summaries.lm_eval_file import read_results_file
from mwork_eval.results.summaries.matrix import read_matrix
from mwork_eval.results.tables import Results
from mwork_eval.weight_deltas.delta import load_delta

_NAME = re.compile(r"[^\w.+-]+", re.ASCII)
_TRANSFORMERS = ("", "hf", "hf-auto", "huggingface", "mwork-hf")
"""What lm-eval calls models of transformers; it says nothing of those in earlier files."""
_PUT_IN = ("peft", "delta", "steer_path")
"""Arguments of models of lm-eval that name what is added to a model: with it, a score is not the model's own."""
Advance = Callable[[str, int], Any]


@dataclass(frozen=True)
class Weights:
    """Which weights something was made with.

    Attributes:
        place: What it is, for messages.
        model: The model's name, or None.
        fingerprint: Fingerprint of its weights, or None.
    """

    place: str
    model: str | None
    fingerprint: str | None


@dataclass(frozen=True)
class Matrix:
    """A results folder of `ablate`, `compare_detectors` or mwork run.

    Attributes:
        name: Its folder in the repository.
        results: What it holds.
        scores: Its unmasked scores.
    """

    name: str
    results: Results
    scores: Sequence[Score]

    @property
    def is_of_the_model_alone(self) -> bool:
        """Whether nothing was put into the model."""
        return not put_in(self.results.manifest.model_args)


@dataclass(frozen=True)
class PublishedRun:
    """A results file of lm-eval.

    Attributes:
        name: Its folder in the repository.
        file: The file.
        scores: A score for each task.
        versions: Versions of the software, as far as the file says them.
    """

    name: str
    file: LmEvalFile
    scores: Sequence[Score]
    versions: Mapping[str, str]

    @property
    def is_of_the_model_alone(self) -> bool:
        """Whether nothing was deactivated in the model and nothing put into it."""
        ours = self.file.mwork
        return ours.masked is None and ours.delta is None and not self.put_in

    @property
    def put_in(self) -> Mapping[str, str]:
        """What others than us put into the model, by the argument that named it."""
        given = put_in(self.file.content.model_args)
        return {name: value for name, value in given.items() if name != "delta" or self.file.mwork.delta is None}

    @property
    def engine(self) -> Mapping[str, Any]:
        """What computed the answers, as manifests say it; empty for transformers."""
        source = self.file.content.model_source or ""
        return self.file.mwork.engine or ({} if source in _TRANSFORMERS else {"name": source})


def put_in(model_args: Mapping[str, Any]) -> dict[str, str]:
    """Return what arguments of a model put into it, by name."""
    return {name: str(model_args[name]) for name in _PUT_IN if model_args.get(name)}


@dataclass
class Contents:
    """What is to be published.

    Attributes:
        files: By path in the repository, the file.
        sets: By folder below `neurons/` (empty for itself) and name, the sets.
        tables: By path in the repository, what scores say of themselves.
        deltas: By path in the repository, what deltas say of themselves.
        matrices: Results folders of ours.
        runs: Results files of lm-eval.
        weights: Which weights each thing was made with.
        left_out: Files in given folders that do not go along.
    """

    files: dict[str, Path] = field(default_factory=dict)
    sets: dict[str, dict[str, NeuronSet]] = field(default_factory=dict)
    tables: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    deltas: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    matrices: list[Matrix] = field(default_factory=list)
    runs: list[PublishedRun] = field(default_factory=list)
    weights: list[Weights] = field(default_factory=list)
    left_out: list[Path] = field(default_factory=list)

    def add(self, path: str, file: Path) -> None:
        """Take a file.

        Raises:
            InputError: If another one goes there.
        """
        if self.files.setdefault(path, file) != file:
            raise InputError(
                f"two files would be {path}", found=f"{self.files[path]} {file}", hint="rename one, or push one of them"
            )

    def every_set(self) -> Iterator[tuple[str, str, NeuronSet]]:
        """Yield folder, name and set of each."""
        for folder, sets in self.sets.items():
            for name, neurons in sets.items():
                yield folder, name, neurons


def read_contents(recognised: Sequence[Recognised], *, with_scores: bool = True, advance: Advance) -> Contents:
    """Read and check everything that is to be published.

    Args:
        recognised: What was given.
        with_scores: Whether scores go along.
        advance: Called with a name when a part of ``recognised`` is read.

    Raises:
        InputError: If something is damaged, or two files would be one.
    """
    contents = Contents()
    folders = {one.path for one in recognised if one.kind == SETS}
    for one in recognised:
        advance(one.path.name, 0)
        if one.kind == SETS:
            _add_sets(contents, one.path, _named(one.path.name) if len(folders) > 1 else "", with_scores=with_scores)
        elif one.kind == MATRIX:
            _add_matrix(contents, one, with_scores=with_scores)
        elif one.kind == RUN:
            _add_run(contents, one)
        elif one.kind == ENHANCEMENT:
            _add_enhancement(contents, one)
        else:
            _add_file(contents, one.kind, one.path, "")
        advance(one.path.name, 1)
    contents.left_out = list(_left_out(recognised, set(contents.files.values())))
    return contents


def _left_out(recognised: Sequence[Recognised], taken: set[Path]) -> Iterator[Path]:
    """Yield the files in given folders that do not go along, save hidden ones and locks."""
    folders = {one.path if one.path.is_dir() else one.path.parent for one in recognised if one.below.is_dir()}
    for folder in sorted(folders):
        yield from (path for path in sorted(folder.rglob("*")) if path not in taken and is_whole(path, folder))


def _add_sets(contents: Contents, folder: Path, name: str, *, with_scores: bool) -> None:
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        if is_whole(path, folder):
            _add_file(contents, "set", path, name)
    for path in sorted((folder / "scores").glob(f"*{SUFFIX}")):
        if with_scores and is_whole(path, folder):
            _add_file(contents, "scores", path, name)


def _add_file(contents: Contents, kind: str, path: Path, folder: str) -> None:
    where = "/".join(filter(None, ({"set": "neurons", "scores": "scores", "delta": "deltas"}[kind], folder)))
    target = f"{where}/{_checked(path)}"
    if kind == "set":
        neurons = load_neuron_set(path)
        contents.sets.setdefault(folder, {})[path.stem] = neurons
        about: Mapping[str, Any] = neurons.about
    elif kind == "scores":
        about = contents.tables[target] = ScoreTable.load(path).about
    else:
        about = contents.deltas[target] = load_delta(path).about
    contents.add(target, path)
    contents.weights.append(Weights(str(path), _text(about.get("model")), _text(about.get("fingerprint"))))


def _add_matrix(contents: Contents, one: Recognised, *, with_scores: bool) -> None:
    name, results = _name_below(one, one.path), read_whole_matrix(one.path)
    for path in files_of_matrix(one.path, with_scores=with_scores):
        within = "/".join(map(shown_part, path.relative_to(one.path).parts))
        contents.add(f"results/{name}/{within}", path)
    contents.matrices.append(Matrix(name, results, read_matrix(one.path).scores))
    manifest = results.manifest
    contents.weights.append(Weights(str(one.path), manifest.model, manifest.fingerprint))


def _add_run(contents: Contents, one: Recognised) -> None:
    scores, file = read_results_file(one.path).scores, LmEvalFile.read(one.path)
    below = one.below if one.below.is_dir() else one.path.parent
    name = _name_below(Recognised(one.kind, one.path.parent, below), one.path.parent)
    for path in files_of_run(file):
        contents.add(f"results/{name}/{path.name}", path)
    contents.runs.append(PublishedRun(name, file, scores, versions_in(one.path)))
    model = file.mwork.model or file.content.model_name
    contents.weights.append(Weights(str(one.path), model, file.mwork.fingerprint))


def _add_enhancement(contents: Contents, one: Recognised) -> None:
    record, name = Record.load(one.path), _name_below(one, one.path)
    for trained in record.deltas:
        path = one.path / trained.file
        delta = load_delta(path)
        if delta.digest != trained.digest:
            raise InputError(f"{path} is not the delta that was trained", found=delta.digest[:12])
        target = f"deltas/{_NAME.sub('-', trained.file.removeprefix('deltas/').replace('/', '-'))}"
        contents.add(target, path)
        contents.deltas[target] = {**delta.about, "languages": trained.languages, "kind": trained.kind}
    for path in files_of_enhancement(one.path):
        contents.add(f"results/{name}/{path.relative_to(one.path).as_posix()}", path)
    contents.weights.append(Weights(str(one.path), record.model, record.fingerprint))


def _name_below(one: Recognised, path: Path) -> str:
    """Return where results go below `results/`: the name of what was given, with the folders between."""
    parts = (one.below.resolve().name, *path.relative_to(one.below).parts)
    return PurePosixPath(*map(_named, parts)).as_posix()


def _named(name: str) -> str:
    """Return a name as a repository has it; of a folder that lm-eval names after the path of a model, the last part."""
    name = last_of(name) if name in paths_in(name) else name
    return _NAME.sub("-", name).lstrip(".-") or "unnamed"


def _checked(path: Path) -> str:
    if _NAME.search(path.name):
        raise InputError(
            f"{path} has a name that no reference can have", found=path.name, expected="letters, digits and . + - _"
        )
    return path.name


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
