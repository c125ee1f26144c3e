"""The pivot, the language that all others are compared with, and how it and its differences are named."""

from dataclasses import dataclass

from mwork_eval.languages.table import ENGLISH, find_language


@dataclass(frozen=True)
class Pivot:
    """A language that others are compared with; English has names of its own, which are the paper's.

    Attributes:
        tag: The language.
    """

    tag: str = ENGLISH

    @property
    def is_english(self) -> bool:
        """Whether it is English."""
        return self.tag == ENGLISH

    @property
    def name(self) -> str:
        """Its English name, for sentences."""
        return find_language(self.tag).name

    @property
    def score(self) -> str:
        """Head of the column of its scores: `Eng`, `zh`."""
        return "Eng" if self.is_english else self.tag

    @property
    def others(self) -> str:
        """Head of the column of the other languages' scores: `n-Eng`, `n-zh`."""
        return f"n-{self.score}"

    @property
    def delta(self) -> str:
        """Name of its change: `∆Eng`, `∆zh`."""
        return f"∆{self.score}"

    @property
    def delta_others(self) -> str:
        """Name of the other languages' change: `∆n-Eng`, `∆n-zh`."""
        return f"∆{self.others}"

    @property
    def role(self) -> str:
        """What files call it where they tell it from others without its tag: `english`, else `pivot`."""
        return "english" if self.is_english else "pivot"

    @property
    def keys(self) -> dict[str, str]:
        """What files call scores and changes, by the names of attributes, which are those of English."""
        key = "eng" if self.is_english else self.tag
        names = {"eng": key, "non_eng": f"non_{key}"}
        return names | {f"delta_{name}": f"delta_{own}" for name, own in names.items()}
