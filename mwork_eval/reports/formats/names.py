"""The names of the report's formats; the command line reads them, so nothing heavy is imported here."""

from mwork_eval.errors import InputError

TERMINAL = "terminal"
FILE_FORMATS = ("md", "html", "tex", "csv", "json")
"""Formats that are files, by the ending of the file."""
LM_EVAL = "lm-eval"
"""Folders as lm-eval writes them, one per mask."""
FORMATS = (TERMINAL, *FILE_FORMATS, LM_EVAL)
DEFAULT_FORMATS = (TERMINAL, "md", "json", "html")


def parse_formats(text: str) -> tuple[str, ...]:
    """Split a comma-separated list of formats, dropping repeats.

    Raises:
        InputError: If a format is unknown or the list is empty.
    """
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        raise InputError(
            "unknown report format", found=",".join(unknown) or "nothing", expected=f"some of {','.join(FORMATS)}"
        )
    return names
