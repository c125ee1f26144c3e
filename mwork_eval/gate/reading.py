"""Read a results folder of any kind for the gate."""

from pathlib import Path

from mwork_eval.ablation.store import MANIFEST
from mwork_eval.errors import InputError
from mwork_eval.gate.baseline import FILE, read_baseline
from mwork_eval.gate.lm_eval_folder import holds_lm_eval_results, read_lm_eval_folder
from mwork_eval.gate.matrix_folder import read_matrix_folder
from mwork_eval.gate.snapshot import Snapshot


def read_snapshot(folder: Path) -> Snapshot:
    """Read a folder of `mwork ablate`, `mwork run`, `mwork check --write-baseline` or lm-eval.

    Raises:
        InputError: If it is none of these, or a file is missing or damaged.
    """
    if (folder / FILE).is_file():
        return read_baseline(folder)
    if (folder / MANIFEST).is_file():
        return read_matrix_folder(folder)
    if holds_lm_eval_results(folder):
        return read_lm_eval_folder(folder)
    raise InputError(
        f"{folder} holds no results",
        found=f"no {MANIFEST}, no {FILE} and no results_*.json",
        expected="a folder of `mwork ablate`, `mwork run`, `mwork check --write-baseline`, or lm_eval --log_samples",
    )
