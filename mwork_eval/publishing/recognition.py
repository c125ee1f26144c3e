"""Tell what files and folders are, by what they hold: sets, scores, deltas, and results of ours and of lm-eval."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mwork_eval.detection.score_table import FORMAT as SCORES
from mwork_eval.enhancement.record import is_enhancement
from mwork_eval.errors import InputError
from mwork_eval.files.tensor_file import metadata_of
from mwork_eval.neurons.files import FORMAT as SET
from mwork_eval.neurons.references import SUFFIX, find_folder
from mwork_eval.resources import neuron_sets_folder
from mwork_eval.results.lm_eval_folder import is_results_file
from mwork_eval.results.store import MANIFEST
from mwork_eval.results.summaries.folders import find_results
from mwork_eval.weight_deltas.delta import FORMAT as DELTA

MATRIX, RUN, ENHANCEMENT, SETS = "matrix", "run", "enhancement", "sets"
_OF_FORMAT = {SET: "set", SCORES: "scores", DELTA: "delta"}
_EXPECTED = (
    "neuron sets, scores of `detect`, deltas of `enhance`, or results of `ablate`, `compare_detectors`, mwork run or "
    "lm_eval"
)


@dataclass(frozen=True)
class Recognised:
    """A file or folder that can be published.

    Attributes:
        kind: `set`, `scores` or `delta` for a file; `sets`, `matrix`, `enhancement` or `run` (lm-eval's, by its file).
        path: Where it is.
        below: What was given, of which it is a part or which it is.
    """

    kind: str
    path: Path
    below: Path


def recognise(given: str | Path) -> list[Recognised]:
    """Say what was given: one thing, or the results below a folder.

    Args:
        given: A file, a folder, or the name of shipped sets.

    Raises:
        InputError: If it is not there, or nothing of it can be published.
    """
    path = _found(given)
    if path.is_file():
        return [Recognised(_kind_of_file(path), path, path)]
    if (path / MANIFEST).is_file():
        return [Recognised(MATRIX, path, path)]
    if is_enhancement(path):
        return [Recognised(ENHANCEMENT, path, path)]
    if any(_sets_of(path)) or any((path / "scores").glob(f"*{SUFFIX}")):
        return [Recognised(SETS, path, path)]
    try:
        places = find_results([path])
    except InputError:
        raise InputError(f"{path} holds nothing that can be published", expected=_EXPECTED) from None
    return [Recognised(MATRIX if place.is_dir() else RUN, place, path) for place in places]


def _found(given: str | Path) -> Path:
    path = Path(given).expanduser()
    if path.exists():
        return path
    shipped = neuron_sets_folder() / f"{given}{SUFFIX}"
    if shipped.is_file():
        return shipped
    try:
        return find_folder(str(given))
    except InputError:
        raise InputError("no such file or folder", found=given, expected=_EXPECTED) from None


def _kind_of_file(path: Path) -> str:
    if path.suffix == SUFFIX and (kind := _OF_FORMAT.get(str(metadata_of(path).get("format")))) is not None:
        return kind
    if is_results_file(path.name):
        return RUN
    raise InputError(f"{path} cannot be published", found="a file of another kind", expected=_EXPECTED)


def _sets_of(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))
