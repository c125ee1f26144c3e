"""Execute the tutorials and keep the outputs: `make tutorials`, when the package or the tutorials changed."""

import sys
import time
from pathlib import Path

import nbclient
import nbformat

TUTORIALS = sorted((Path(__file__).parent / "tutorials").glob("*.ipynb"))
LONGEST = 600
"""Seconds a cell may take, also on a busy machine."""


def execute(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Execute a notebook in a new kernel, in a folder.

    Returns:
        The notebook with its outputs, without what was written to stderr (progress bars, logs) and without times, so
        that an unchanged notebook has unchanged bytes but for its numbers.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=LONGEST, resources=resources, record_timing=False).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    notebook.metadata.language_info = {"name": "python"}
    return notebook


if __name__ == "__main__":
    for tutorial in TUTORIALS:
        start = time.monotonic()
        nbformat.write(execute(tutorial, tutorial.parent), tutorial)
        sys.stdout.write(f"{tutorial.name}: {time.monotonic() - start:.0f} s\n")
