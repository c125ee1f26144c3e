"""Read a results folder of any kind for the gate."""

from pathlib import Path

from mwork_eval.errors import InputError
from mwork_eval.gate.baseline import FILE, read_baseline
from mwork_eval.gate.lm_eval_folder import holds_lm_eval_results, read_lm_eval_folder
from mwork_eval.gate.matrix_folder import read_matrix_folder
from mwork_eval.gate.snapshot import ClusterField, Snapshot, not_told
from mwork_eval.results.store import MANIFEST


def read_snapshot(folder: Path, cluster_field: ClusterField = not_told) -> Snapshot:
    """Read a folder of `mwork ablate`, `mwork run`, `mwork check --write-baseline` or lm-eval.

    Args:
        folder: The folder.
        cluster_field: By which field the documents of a task belong together; a written baseline, which has no
            documents, tells what it was written with.

    Raises:
        InputError: If it is none of these, a file is missing or damaged, or documents lack the field named.
    """
    if (folder / FILE).is_file():
        return read_baseline(folder)
    if (folder / MANIFEST).is_file():
        return read_matrix_folder(folder, cluster_field)
    if holds_lm_eval_results(folder):
        return read_lm_eval_folder(folder, cluster_field)
    raise InputError(
        f"{folder} holds no results",
        found=f"no {MANIFEST}, no {FILE} and no results_*.json",
        expected="a folder of `mwork ablate`, `mwork run`, `mwork check --write-baseline`, or lm_eval --log_samples",
    )
