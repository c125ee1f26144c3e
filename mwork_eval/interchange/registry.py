"""The foreign formats that are known: a row each."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mwork_eval.interchange.foreign_format import ForeignFormat

FORMATS = {
    "lape": "lape.LAPE",
    "clas-bench": "lape.CLAS",
    "manipulation": "lape.MANIPULATION",
    "kinit": "kinit.KINIT",
    "damo": "damo.DAMO",
    "kojima": "kojima.KOJIMA",
    "csv": "tables.CSV",
    "json": "tables.JSON",
}
"""By the name that commands call it, the module of this package and the name in it: the command line needs no more."""


def find_format(name: str) -> "ForeignFormat":
    """Return a format by its name, which is one of `FORMATS`."""
    module, _, attribute = FORMATS[name].partition(".")
    found: ForeignFormat = getattr(import_module(f"mwork_eval.interchange.{module}"), attribute)
    return found
