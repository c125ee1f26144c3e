"""Tables as a notebook shows them, and as pandas takes them."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from mwork_eval.errors import InputError


def html_table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]], note: str = "") -> str:
    """Return a table as HTML, every text escaped; a note stands below it."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    table = f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"{table}<p>{escape(note)}</p>" if note else table


def html_list(heading: str, lines: Iterable[str]) -> str:
    """Return a heading and lines below it as HTML, every text escaped."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<p><b>{escape(heading)}</b></p>" + (f"<ul>{items}</ul>" if items else "")


def data_frame(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return rows as a `pandas.DataFrame`.

    Raises:
        InputError: If pandas is not installed.
    """
    try:
        import pandas  # type: ignore[import-untyped]
    except ImportError as error:
        raise InputError("a data frame needs pandas", found=str(error), hint="pip install pandas") from error
    return pandas.DataFrame(list(rows))
