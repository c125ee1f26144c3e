"""Which files of a results folder are results; all others stay where they are."""

from collections.abc import Iterator
from pathlib import Path

from mwork_eval.detection.score_table import ScoreTable
from mwork_eval.enhancement.folder import SCORES as IMPROVEMENT
from mwork_eval.enhancement.record import FILE as ENHANCEMENT
from mwork_eval.files.json_values import parse, read_bytes
from mwork_eval.files.seal import unsealed
from mwork_eval.neurons.files import load_neuron_set
from mwork_eval.neurons.references import SUFFIX
from mwork_eval.reports.formats.names import FILE_FORMATS
from mwork_eval.reports.plots import FORMATS
from mwork_eval.results.lm_eval_content import read_samples
from mwork_eval.results.lm_eval_folder import LmEvalFile
from mwork_eval.results.sanitized_names import is_sanitized
from mwork_eval.results.store import MANIFEST, CellStore
from mwork_eval.results.tables import Results, read_results

_FIGURES = ("changes-*", "cross-*", "dose-*", "detectors-*", "neurons", "layers", "overlap")
"""As `report_figures` names them."""
_PATTERNS = (
    MANIFEST,
    *(f"report.{name}" for name in FILE_FORMATS),
    "cells/*.jsonl",
    f"neurons/**/*{SUFFIX}",
    "lm-eval/**/results_*.json",
    "lm-eval/**/samples_*.jsonl",
    *(f"{folder}{kind}.{ending}" for folder in ("", "figures/") for kind in _FIGURES for ending in FORMATS),
)


def read_whole_matrix(folder: Path) -> Results:
    """Read a results folder with every sample and every set in it.

    Raises:
        InputError: If a file of it is damaged.
    """
    results, store = read_results(folder), CellStore(folder)
    for cell in sorted((folder / "cells").glob("*.jsonl")):  # also those of tables that were replaced
        if is_whole(cell, folder):
            store.read(cell.stem)
            for _ in store.samples(cell.stem):
                pass
    for path in sorted(folder.glob("lm-eval/**/results_*.json")):
        files_of_run(LmEvalFile.read(path))
    report = folder / "report.json"
    if report.is_file():
        unsealed(read_bytes(report), report)
    for path in (folder / "neurons").rglob(f"*{SUFFIX}"):
        if is_whole(path, folder):
            _ = ScoreTable.load(path) if path.parent.name == "scores" else load_neuron_set(path)
    return results


def files_of_matrix(folder: Path, *, with_scores: bool = True) -> list[Path]:
    """Return the files of a results folder that are results.

    Args:
        folder: The folder.
        with_scores: Whether scores beside the sets are among them.
    """
    kept = {path for pattern in _PATTERNS for path in folder.glob(pattern) if is_whole(path, folder)}
    kept = {path for path in kept if _is_safe(path, folder)}
    if not with_scores:
        kept = {path for path in kept if path.parent.name != "scores"}
    return sorted(kept)


def is_whole(path: Path, folder: Path) -> bool:
    """Tell whether a file is neither hidden, nor a lock, nor half of something."""
    # lm-eval names a folder after ./models/tiny `.__models__tiny`.
    hidden = any(part.startswith(".") and not is_sanitized(part) for part in path.relative_to(folder).parts)
    return path.is_file() and not hidden and path.suffix != ".lock" and ".partial." not in path.name


def _is_safe(path: Path, folder: Path) -> bool:
    """Tell whether a file is known to be a result: its content is checked, or it is no link to a file elsewhere."""
    is_checked = path.suffix in (SUFFIX, ".jsonl") or path.name == MANIFEST
    return is_checked or path.resolve().is_relative_to(folder.resolve())


def files_of_run(file: LmEvalFile) -> list[Path]:
    """Return a results file of lm-eval, and those of its samples.

    Raises:
        InputError: If samples are damaged.
    """
    samples = [path for task in file.content.counts if (path := file.samples_path(task)).is_file()]
    for path in samples:
        for _ in read_samples(path):
            pass
    return [file.path, *samples]


def files_of_enhancement(folder: Path) -> Iterator[Path]:
    """Yield the files of an enhancement that say what was trained and what that changed; not its deltas."""
    for pattern in (ENHANCEMENT, f"{IMPROVEMENT}.*", "cells/*.jsonl"):
        yield from (path for path in sorted(folder.glob(pattern)) if is_whole(path, folder))


def versions_in(path: Path) -> dict[str, str]:
    """Return the versions of lm-eval and transformers that a results file of lm-eval says."""
    content = parse(read_bytes(path), foreign=True)
    told = {name: content.get(f"{name}_version") for name in ("lm_eval", "transformers")}
    return {name: version for name, version in told.items() if isinstance(version, str)}
