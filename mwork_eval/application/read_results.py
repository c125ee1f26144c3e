"""Read the results of a matrix back from their folder."""

from pathlib import Path

from mwork_eval.application.arguments import folder_to_read
from mwork_eval.application.matrix_results import MatrixResults
from mwork_eval.enhancement.record import is_enhancement
from mwork_eval.errors import InputError
from mwork_eval.results.store import MANIFEST


def read_results(folder: str | Path) -> MatrixResults:
    """Read a results folder of `ablate`, `mwork ablate` or `mwork run`, also one of an earlier version.

    Args:
        folder: The folder.

    Returns:
        What it holds: tables, numbers and figures.

    Raises:
        InputError: If it holds no results of a matrix, or other ones, or a file is damaged.

    Examples:
        >>> import mwork_eval as mw
        >>> mw.read_results("runs/zh")  # doctest: +SKIP
        <MatrixResults: existence on bpb; 6 cells>
    """
    path = folder_to_read("folder", folder)
    if not (path / MANIFEST).is_file():
        if is_enhancement(path):
            raise InputError(
                f"{path} holds results of `enhance`",
                expected="results of `ablate`",
                hint="its improvement.json has the numbers; `mwork report` shows them",
            )
        if next(path.rglob("results_*.json"), None) is not None:
            raise InputError(
                f"{path} holds results of lm_eval",
                expected="results of `ablate`",
                hint="read the results_*.json in it; `mwork check` compares them",
            )
    found = MatrixResults(path, has_tables=False)
    found.has_tables = bool(found.results.tables)
    return found
