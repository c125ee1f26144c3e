"""What fine-tuned neurons changed: deltas, tables, figures; of one enhancement, or of several folders."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mwork_eval.enhancement.changes import mean_tables
from mwork_eval.enhancement.folder import read_enhancements
from mwork_eval.enhancement.record import Record, TrainedDelta
from mwork_eval.enhancement.tables import ChangeTable
from mwork_eval.errors import InputError
from mwork_eval.files.writing import write_text_atomically
from mwork_eval.languages.table import ENGLISH
from mwork_eval.lm.model_identity import answering
from mwork_eval.reports.asking import told_in_words
from mwork_eval.statistics.resampling import Estimate
from mwork_eval.views.enhancement import enhancement_as_json, enhancement_as_markdown, notes, paper_cells, title
from mwork_eval.views.enhancement_plot import plot_enhancement, plot_languages
from mwork_eval.views.notebook import data_frame, html_table
from mwork_eval.weight_deltas.delta import WeightDelta, load_delta

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class ChangeTables:
    """Changes of scores by language and number of documents; a notebook shows them.

    Attributes:
        tables: A table per trained language and benchmark, or choice of benchmarks.
        about: What was scored: model, tasks, options; JSON values.
    """

    tables: Sequence[ChangeTable]
    about: Mapping[str, Any]

    def to_pandas(self) -> Any:
        """Return a `pandas.DataFrame` with a row per table, column, number of documents and kind of neurons.

        Kinds are `specific`, `random` and their `difference`. Changes are in the unit of the table; positive is
        better, also for bits per byte; `p` belongs to the difference.

        Raises:
            InputError: If pandas is not installed.
        """
        return data_frame([row for table in self.tables for row in _rows(table)])

    def figure(self) -> "Figure":
        """Draw the gain by number of documents, a line per trained language; needs the extra `plot`."""
        return plot_languages(self.tables)

    def write(self, folder: Path, name: str, endings: Sequence[str] = ("json", "md")) -> list[Path]:
        """Write `NAME.json` and `NAME.md`, or one of them.

        Returns:
            The files written.
        """
        texts = {"json": lambda: enhancement_as_json(self.tables, self.about)}
        texts["md"] = lambda: enhancement_as_markdown(self.tables, self.about)
        for ending in endings:
            write_text_atomically(folder / f"{name}.{ending}", texts[ending]())
        return [folder / f"{name}.{ending}" for ending in endings]

    def _repr_html_(self) -> str:
        asked = told_in_words(self.about)
        return "".join(
            html_table(title(table), *paper_cells(table), note=f"{notes(table)} {asked}".strip())
            for table in self.tables
        )


@dataclass(frozen=True, repr=False)
class EnhancementResults(ChangeTables):
    """The deltas of an enhancement, and what they changed.

    Attributes:
        tables: As in `ChangeTables`; none if nothing was scored.
        about: Likewise.
        record: What was trained, and how.
        folder: Where the deltas are; None if they are in memory.
        files: What was written of the scores.
    """

    record: Record
    folder: Path | None
    files: tuple[Path, ...] = ()
    _in_memory: Mapping[str, WeightDelta] = field(default_factory=dict)

    @property
    def trained(self) -> tuple[TrainedDelta, ...]:
        """The deltas: languages, kind, seed, documents, and the loss before and after in nats per token."""
        return self.record.deltas

    def delta(self, trained: TrainedDelta) -> WeightDelta:
        """Return the values of one of `trained`.

        Raises:
            InputError: If its file is missing or damaged.
        """
        return self._in_memory[trained.file] if self.folder is None else load_delta(self.folder / trained.file)

    def figure(self) -> "Figure":
        """Draw, per trained language and benchmark, the change by number of documents; needs the extra `plot`.

        Raises:
            InputError: If nothing was scored.
        """
        if not self.tables:
            raise InputError("the figure draws what changed", found="nothing scored", expected="`tasks`, such as bpb")
        return plot_enhancement(self.tables)

    def __repr__(self) -> str:
        scored = ", ".join(dict.fromkeys(table.task for table in self.tables)) or "nothing"
        return f"<EnhancementResults of {self.record.model}: {len(self.trained)} deltas; scored: {scored}>"

    def _repr_html_(self) -> str:
        columns = ["languages", "neurons", "seed", "documents", "loss before", "after, nats per token"]
        rows = [
            [
                "+".join(one.languages),
                f"{one.neurons} {one.kind}",
                str(one.seed),
                str(one.documents),
                f"{one.loss_before:.3f}",
                f"{one.loss_after:.3f}",
            ]
            for one in self.trained
        ]
        return html_table(f"Deltas of {self.record.model}", columns, rows) + super()._repr_html_()


def mean_changes(folders: Sequence[Path]) -> ChangeTables:
    """Read several enhancement folders, such as one per language: the mean over tasks of what training changed.

    Args:
        folders: Folders of `mwork enhance --evaluate`.

    Raises:
        InputError: If nothing was scored, a file is damaged, or they are of different models, asked in different ways,
            or train one language twice.
    """
    found = read_enhancements(folders)
    tables = [table for one in found for table in mean_tables(one.record.deltas, one.families, one.scores, one.pivot)]
    record = found[0].record
    about: dict[str, Any] = {"model": record.model, "fingerprint": record.fingerprint, "folders": len(found)}
    about |= {} if found[0].pivot == ENGLISH else {"pivot": found[0].pivot}
    if (prompting := found[0].prompting) is not None:
        about["prompting"] = prompting.to_values()
    if model_args := answering(found[0].model_args):
        about["model_args"] = model_args
    return ChangeTables(tables, about)


def _rows(table: ChangeTable) -> Iterator[dict[str, Any]]:
    for column in table.columns:
        for effect in column.effects:
            kinds: dict[str, Estimate | None] = {
                "specific": None if effect.specific is None else effect.specific.mean,
                "random": None if effect.random is None else effect.random.mean,
                "difference": effect.difference,
            }
            for kind, change in kinds.items():
                if change is None:
                    continue
                is_difference = kind == "difference"
                yield {
                    "trained": "+".join(table.trained),
                    "task": table.task,
                    "metric": table.metric,
                    "unit": table.unit,
                    "languages": "+".join(column.languages),
                    "against": column.against,
                    "base": column.base,
                    "documents": effect.documents,
                    "kind": kind,
                    "change": change.value,
                    "low": change.low,
                    "high": change.high,
                    "p": effect.p if is_difference else None,
                    "p_holm": effect.p_holm if is_difference else None,
                }
