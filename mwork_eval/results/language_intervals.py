"""How sure the change of each single language is: the intervals behind the per-language bars."""

from dataclasses import dataclass

from mwork_eval.results.deltas import DeltaCalculator
from mwork_eval.results.table_cells import masked_scores
from mwork_eval.results.tables import DeltaTable, Results
from mwork_eval.statistics.resampling import Estimate


@dataclass(frozen=True)
class LanguageEffect:
    """What the mask of one language does, with intervals; negative means damage.

    Attributes:
        language: The mask language.
        own: Change of the language's own score, in the unit of the table; the mean over seeds.
        english: Change of the pivot's score, English unless another was chosen, under the same mask, likewise.
    """

    language: str
    own: Estimate
    english: Estimate


def language_changes(results: Results, table: DeltaTable) -> dict[str, list[LanguageEffect]]:
    """Return, per setting that is computed, the change of each language.

    The intervals are those of the table, of one mask language at a time: over clusters of documents.

    Args:
        results: The results.
        table: One of their tables.
    """
    cells = results.cells_of(table)
    baseline = {
        cell.language: score
        for cell in cells
        if cell.setting is None and (score := results.scores[cell.identity]) is not None
    }
    found = {}
    for row in table.rows:
        masked = masked_scores([cell for cell in cells if cell.setting == row.name], results.scores, table.pivot)
        changes = []
        for language, runs in masked.items():
            calculator = DeltaCalculator({code: baseline[code] for code in (table.pivot, language)}, table.pivot)
            delta = calculator.delta({language: runs})
            changes.append(LanguageEffect(language, delta.delta_non_eng, delta.delta_eng))
        if changes:
            found[row.name] = changes
    return found
