"""What the columns and signs of the paper-style tables mean, in the words of every report format."""

from collections import defaultdict
from collections.abc import Iterable

from mwork_eval.languages.pivot import Pivot
from mwork_eval.reports.intervention_wording import marks
from mwork_eval.results.tables import DeltaTable, Results
from mwork_eval.statistics.resampling import LEVEL

_LEGEND = (
    "{marks} LS: language-specific neurons; R: as many random ones of each layer and structure. "
    "under, gen: all structures of the first and last layers; s-attn, s-ffn: attention and feed-forward between. "
    "{others}: mean over languages of (score under its own mask - baseline); {delta}: the same for {pivot} under those "
    "masks; ∆ = {delta} - {others}. Negative means damage, also for bits per byte. A high ∆ says that {pivot} survives "
    "what the other languages do not. Brackets: {level} interval over documents, by clusters of those that belong "
    "together (t, linearised), for the masks drawn; too few to tell: so few clusters of documents, or so few that "
    "moved, that no interval would hold. p: of ∆ against the random control named, over documents and random draws "
    "(t; the set as one more draw), Holm-corrected for the rows of the table. Draws: lowest to highest ∆ of the "
    "control's draws, and their number. ?: not significantly unlike the control's, and no further from it than the "
    "test can tell; without p: the interval holds 0 or is missing. "
    "Wrong language: answers not in the question's language, baseline → masked, of those whose language can be told; "
    "names count against it, so compare with the baseline; ?: fewer than ten could be told."
)


def legend(pivot: Pivot, interventions: Iterable[str] = ()) -> str:
    """Return what the columns and signs of a table mean.

    Args:
        pivot: The language that the others are compared with.
        interventions: What the settings do; they deactivate where nothing is given.
    """
    return _LEGEND.format(
        marks=marks(interventions), delta=pivot.delta, others=pivot.delta_others, pivot=pivot.name, level=f"{LEVEL:.0%}"
    )


def legends(results: Iterable[Results]) -> str:
    """Return the legend of the tables of some folders: one for each pivot that they have."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in results:
        found[one.manifest.pivot] += [
            setting.intervention for preset in one.manifest.presets for setting in preset.settings
        ]
    return " ".join(legend(Pivot(tag), interventions) for tag, interventions in found.items())


def legends_of_tables(tables: Iterable[DeltaTable]) -> str:
    """Return the legend of some tables: one for each pivot that they have, English without any."""
    found: dict[str, list[str]] = defaultdict(list)
    for table in tables:
        found[table.pivot] += [row.intervention for row in table.rows]
    return " ".join(legend(Pivot(tag), interventions) for tag, interventions in found.items()) or legend(Pivot())
