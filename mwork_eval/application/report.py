"""Write the report of results folders as files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mwork_eval.application.matrix_results import MatrixResults
from mwork_eval.enhancement.record import is_enhancement
from mwork_eval.errors import InputError
from mwork_eval.reports.files import write_report_figures, write_report_files
from mwork_eval.reports.formats.names import DEFAULT_FORMATS
from mwork_eval.reports.plots import FORMATS, require_matplotlib
from mwork_eval.results.tables import Results, read_results


@dataclass(frozen=True)
class WrittenReport:
    """What was reported.

    Attributes:
        results: What was read of each folder.
        files: The files written.
    """

    results: tuple[Results, ...]
    files: tuple[Path, ...]


def write_reports(
    *folders: str | Path | MatrixResults,
    formats: Sequence[str] = DEFAULT_FORMATS,
    out: str | Path | None = None,
    figures: bool = False,
) -> WrittenReport:
    """Write what results folders hold as report.FORMAT.

    Args:
        *folders: The results folders, or what was read of them.
        formats: Names of report formats; `terminal` is no file.
        out: Where the files go; into the folder if not given, which must then be one.
        figures: Whether to write the figures of a single folder as files too, in a folder `figures`.

    Returns:
        What was read, and the files.

    Raises:
        InputError: If a folder holds no results or a file is damaged, several have no ``out``, or figures cannot be
            drawn.
    """
    paths = [folder.folder if isinstance(folder, MatrixResults) else Path(folder) for folder in folders]
    check_folders(paths, out, figures)
    results = [one.results if isinstance(one, MatrixResults) else read_results(Path(one)) for one in folders]
    target = paths[0] if out is None else Path(out)
    written = write_report_files(results, formats, target)
    if figures:
        written += write_report_figures(results[0], FORMATS, target / "figures")
    return WrittenReport(tuple(results), tuple(written))


def check_folders(folders: Sequence[Path], out: str | Path | None, figures: bool) -> bool:
    """Check what is asked of some folders before anything is read.

    Args:
        folders: The folders, each once.
        out: Where the files go, or None.
        figures: Whether figures are asked for.

    Returns:
        Whether they are folders of `mwork enhance`.

    Raises:
        InputError: If only some of them are, or one report cannot be had of them.
    """
    enhanced = [folder for folder in folders if is_enhancement(folder)]
    if enhanced and len(enhanced) < len(folders):
        others = [str(folder) for folder in folders if folder not in enhanced]
        raise InputError("results of `enhance` and others in one report", found=" ".join(others))
    if out is None and len(folders) > 1:
        raise InputError("several results folders need `out`", found=f"{len(folders)} folders without `out`")
    if figures:
        require_matplotlib("`figures`")
        if len(folders) > 1 and not enhanced:
            raise InputError("`figures` draws one results folder", found=f"{len(folders)} folders")
    return bool(enhanced)
