"""Texts in Markdown: names of models, presets and languages are text and nothing else."""

import re
from collections.abc import Iterable, Sequence

from mwork_eval.errors import shortened

_SPECIAL = re.compile("[&<>\"'`|*\\[\\]\\\\~#!]")
_ACTIVE = re.compile(
    r"[`|]"
    r"|<(?=[A-Za-z/!?])"  # HTML and bare links; not "<0.001"
    r"|&(?=#?\w+;)"
    r"|\](?=[(\[:])"  # a link, an image, a footnote or what they refer to; not "[-1.0, 2.0]"
    r"|(?<=\[)\[|^\[(?=[ xX]\])"
    r"|(?<!\s)[*~]|[*~](?!\s|$)"  # emphasis begins or ends at a word
    r"|(?<![^\W_])_(?=\S)|(?<=\S)_(?![^\W_])"  # not within a name such as xquad_zh
    r"|^#"
    r"|\\(?=[!-/:-@\[-`{-~])"
    r"|(?<=ttp):(?=//)|(?<=ttps):(?=//)|(?<=www)\."
)
_BLOCK = re.compile(r"^(?:[>=]|[-+*](?=\s|$)|-(?=[\s-]*$)|\d+[.)](?=\s|$))")
_NO_LIMIT = 10**9


class Markdown(str):
    """A text that is Markdown already and goes into a table as it is."""

    __slots__ = ()


def escape(text: str, *, everywhere: bool = False) -> str:
    """Write what would be markup as numeric references, which Markdown and HTML show and never interpret.

    Args:
        text: A text; control and direction characters become escapes, so that it is one line.
        everywhere: Whether to write every special character so, for services that extend Markdown by rules of their
            own; otherwise those that mean something where they stand, so that a file can be read as it is, too.
    """
    line = shortened(text, _NO_LIMIT)
    return (_SPECIAL if everywhere else _ACTIVE).sub(lambda found: _reference(found[0]), line)


def paragraph(text: str) -> str:
    """Escape a text that begins a paragraph: it is no list, quotation or heading either."""
    line = escape(text).strip()
    return _BLOCK.sub(lambda found: found[0][:-1] + _reference(found[0][-1]), line)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, everywhere: bool = False) -> str:
    """Return a table; its texts are escaped.

    Args:
        columns: Heads.
        rows: Cells.
        everywhere: As in `escape`.
    """
    lines = [[_cell(cell, everywhere) for cell in line] for line in (columns, *rows)]
    lines.insert(1, ["---"] * len(columns))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(text: str, everywhere: bool) -> str:
    return text if isinstance(text, Markdown) else escape(text, everywhere=everywhere)


def _reference(character: str) -> str:
    return f"&#{ord(character)};"
