"""How many comparisons a false alarm is counted over, and when the documents of one can tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from mwork_eval.reports.wording import p_value
from mwork_eval.statistics.resampling import holm

LEVEL = 0.05
"""Share of runs without a true change in which the gate may fail."""


class Control(StrEnum):
    """What `LEVEL` holds for: a whole run of the gate, or each comparison by itself."""

    FAMILY_WISE = "family-wise"
    PER_TASK = "per task"

    def level(self, comparisons: int) -> float:
        """Return the level a comparison needs to fail by itself; Holm's method asks no more of any."""
        return LEVEL if self is Control.PER_TASK else LEVEL / max(1, comparisons)


@dataclass(frozen=True)
class Evidence:
    """What the documents of a comparison say.

    Attributes:
        p: Two-sided p-value of this comparison by itself.
        p_corrected: The p-value that is judged: corrected by Holm's method for all comparisons of the run that can
            fail, or `p` itself under control per task; None for a comparison that cannot fail.
        comparisons: Number of comparisons that can fail.
        control: What the control is.
        detectable: The smallest true drop (for ∆, distance below the minimum) that the gate finds in 80 % of runs with
            documents like these, judged as in this run; None if there is none, or it cannot be told.
    """

    p: float
    p_corrected: float | None
    comparisons: int
    control: Control
    detectable: float | None

    @property
    def can_tell(self) -> bool:
        """Whether the documents can tell."""
        return self.p_corrected is not None and self.p_corrected < LEVEL

    def __str__(self) -> str:
        shown = p_value(self.p_corrected)
        shown = f"p {shown}" if shown.startswith("<") else f"p = {shown}"
        if self.control is Control.PER_TASK:
            return f"{shown}, of this comparison alone"
        return f"{shown}, Holm over {comparisons_text(self.comparisons)}"


def correct(p_values: Sequence[float | None], control: Control) -> list[float | None]:
    """Return the p-values that are judged, in the order given; None stays None and does not count."""
    counted = [p for p in p_values if p is not None]
    corrected = iter(holm(counted) if control is Control.FAMILY_WISE else counted)
    return [None if p is None else next(corrected) for p in p_values]


def comparisons_text(comparisons: int) -> str:
    """Return a number of comparisons in words."""
    return f"{comparisons} comparison{'' if comparisons == 1 else 's'}"
