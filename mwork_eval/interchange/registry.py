"""The foreign formats that are known: a row each."""

from mwork_eval.interchange.damo import DAMO
from mwork_eval.interchange.foreign_format import ForeignFormat
from mwork_eval.interchange.kinit import KINIT
from mwork_eval.interchange.kojima import KOJIMA
from mwork_eval.interchange.lape import CLAS, LAPE, MANIPULATION
from mwork_eval.interchange.tables import CSV, JSON

FORMATS: dict[str, ForeignFormat] = {
    "lape": LAPE,
    "clas-bench": CLAS,
    "manipulation": MANIPULATION,
    "kinit": KINIT,
    "damo": DAMO,
    "kojima": KOJIMA,
    "csv": CSV,
    "json": JSON,
}
"""By the name that commands call it."""
