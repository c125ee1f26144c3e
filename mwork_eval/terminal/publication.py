"""A repository of sets and results: what it gets, and how it is used."""

from rich.console import Console

from mwork_eval.application.push import Publication
from mwork_eval.terminal.console import TextTable, print_whole, say, styled

_KIB, _MIB = 2**10, 2**20


def print_files(found: Publication, console: Console) -> None:
    """Print the files that a repository would get, with their sizes."""
    table = TextTable("file", "size", title=f"{found.repository}: {len(found.files)} files")
    table.columns[1].justify = "right"
    for path, size in found.files.items():
        table.add_row(path, _size(size))
    table.add_row(styled("together", "bold"), _size(sum(found.files.values())))
    print_whole(table, console)


def print_pushed(found: Publication, console: Console) -> None:
    """Print where a repository is, and how it is used."""
    say(console, styled(str(found.url), "bold"), f": commit {found.commit}; use it as {found.reference}", wrap=False)


def _size(size: int) -> str:
    if size < _KIB:
        return f"{size} B"
    return f"{size / _KIB:.1f} KiB" if size < _MIB else f"{size / _MIB:.1f} MiB"
