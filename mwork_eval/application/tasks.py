"""List the families of tasks that have some languages."""

from collections.abc import Iterable

from mwork_eval.application.arguments import languages_of
from mwork_eval.errors import InputError
from mwork_eval.evaluation.families.catalogue import FamilyRow, list_families
from mwork_eval.evaluation.task_manager import whole_index
from mwork_eval.languages.table import ENGLISH


def tasks(languages: str | Iterable[str], family: str | None = None) -> list[FamilyRow]:
    """Return the families of tasks, ours and lm-eval's, that have at least two of some languages.

    No data set is loaded; the hub is asked whether it has them, unless HF_HUB_OFFLINE says not to.

    Args:
        languages: Tags, ISO 639-3 codes or English names, as a list or as `en,ja`; English is added to a single one.
        family: Only families of this name.

    Returns:
        A row per family: its name, its tasks by language, what scores it, and whether its data can be had.

    Raises:
        InputError: If a language is unknown, or no family has two of them.

    Examples:
        >>> import mwork_eval as mw
        >>> [row.name for row in mw.tasks("ja,en", family="belebele")]  # doctest: +SKIP
        ['belebele']
    """
    tags = languages_of(languages)
    if len(tags) == 1 and tags != [ENGLISH]:
        tags = [*tags, ENGLISH]
    if len(tags) < 2:
        raise InputError("`languages` needs two languages", found=" ".join(tags), expected="such as ja,en")
    return list_families(tags, whole_index(), family)
