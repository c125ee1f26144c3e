"""CSV files of other tools, by the names of their columns."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from mwork_eval.interchange.limits import damaged, read_text

_LONGEST_CELL = 1000


def csv_rows(path: Path, needed: tuple[str, ...]) -> Iterator[Mapping[str, str]]:
    """Yield the rows of a CSV file by the names in its first line.

    Raises:
        InputError: If a column is missing, or a row is no row of the table.
    """
    reader = csv.reader(read_text(path).splitlines(), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        if missing := [name for name in needed if name not in names]:
            raise damaged(path, f"no column {' '.join(missing)}", f"a CSV file with columns {' '.join(needed)}")
        for row in reader:
            if not row:
                continue
            if len(row) != len(names) or max(map(len, row)) > _LONGEST_CELL:
                raise damaged(path, f"{len(row)} cells in line {reader.line_num}", f"{len(names)} short ones")
            yield dict(zip(names, row, strict=True))
    except csv.Error as error:
        raise damaged(path, error, "a CSV file") from error


def whole(path: Path, name: str, text: str) -> int:
    """Return the number in a cell.

    Raises:
        InputError: If it is no whole number from 0.
    """
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        raise damaged(path, f"{name} {text!r}", "whole numbers from 0")
    return int(text)
