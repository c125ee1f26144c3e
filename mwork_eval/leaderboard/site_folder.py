"""The folder of a site: written over an earlier one, of which nothing stays."""

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mwork_eval.errors import InputError
from mwork_eval.files.writing import write_bytes_atomically
from mwork_eval.results.summaries.folders import Bar, no_bar

_MARK = ".mwork-leaderboard"
_WRITERS = 8
_FOLDERS = ("tasks", "models", "compare", "export")
_NUMBERS = "changes*.csv"
"""Files beside the first page that not every site has."""
_HALF_WRITTEN = re.compile(r"\.\w[\w.-]*\.(html|csv|xml)\.[0-9a-f]{8}-\d+-\w+")
"""What a killed command leaves of a file beside the first page; other hidden files, such as `.nojekyll`, stay."""


def check_room(out: Path) -> None:
    """Check that a site may be written to a folder.

    Raises:
        InputError: If the folder holds other files.
    """
    if out.is_dir() and any(out.iterdir()) and not (out / _MARK).is_file():
        raise InputError(f"{out} holds other files", expected="an empty folder, or an earlier leaderboard")


def write_site(files: Mapping[str, bytes], out: Path, bar: Bar = no_bar) -> None:
    """Write a site over an earlier one.

    What only the earlier site has goes after everything is written, so that no page that can be opened in the meantime
    leads nowhere.

    Args:
        files: By path below the site, the content of each file, the first page last.
        out: The folder: empty, not there yet, or an earlier site.
        bar: Shows progress, file by file.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / _MARK).touch()
    kept = {out / name for name in files}
    earlier = [path for name in _FOLDERS for path in [out / name, *(out / name).rglob("*")] if path.exists()]
    earlier += [*out.glob(_NUMBERS), *(path for path in out.glob(".*") if _HALF_WRITTEN.fullmatch(path.name))]
    paths, contents = [out / name for name in files], list(files.values())
    # A disk that is asked to keep a file lets others be written meanwhile; the index comes when all else is there.
    with bar("write", len(files)) as advance, ThreadPoolExecutor(_WRITERS) as writers:
        for part in (slice(-1), slice(-1, None)):
            written = writers.map(write_bytes_atomically, paths[part], contents[part])
            for path, _ in zip(paths[part], written, strict=True):
                advance(path.parent.name, 1)
    # In this order what a folder holds comes before the folder.
    for path in sorted({*earlier} - kept, reverse=True):
        if not path.is_dir():
            path.unlink()
        elif not any(path.iterdir()):
            path.rmdir()
