"""All files of a check, and the summary of a step in GitHub."""

from collections.abc import Callable, Mapping
from pathlib import Path

from mwork_eval.files.writing import write_text_atomically
from mwork_eval.gate.check import Check
from mwork_eval.gate.formats.json import as_json
from mwork_eval.gate.formats.junit import as_junit
from mwork_eval.gate.formats.markdown import as_markdown

_WRITERS: Mapping[str, Callable[[Check], str]] = {
    "check.md": as_markdown,
    "check.json": as_json,
    "junit.xml": as_junit,
}


def write_check_files(check: Check, folder: Path) -> list[Path]:
    """Write the check in every format that is a file.

    Returns:
        The files written.
    """
    for name, write in _WRITERS.items():
        write_text_atomically(folder / name, write(check))
    return [folder / name for name in _WRITERS]


def append_step_summary(check: Check, file: Path) -> None:
    """Append the check to the file that GitHub shows as the summary of a step."""
    with file.open("a", encoding="utf-8", newline="\n") as summary:
        summary.write(as_markdown(check) + "\n")
