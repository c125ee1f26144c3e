"""What is known of a results folder beside others: scores of tasks, and what deactivating neurons changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mwork_eval.languages.table import ENGLISH
from mwork_eval.results.detector_tables import DetectorTable
from mwork_eval.results.manifest import Manifest
from mwork_eval.results.prompting_record import shots_in_words
from mwork_eval.results.summaries.numbers import DocumentNumbers


@dataclass(frozen=True)
class Contender:
    """Who scored: a model, and what was deactivated in it.

    Attributes:
        model: Its name.
        fingerprint: Fingerprint of its weights, or None if the results do not say.
        mask: What was deactivated, in words; None if nothing was.
        changed: Whether neurons were changed otherwise than deactivated, which ``mask`` then says.
    """

    model: str
    fingerprint: str | None
    mask: str | None = None
    changed: bool = False

    @classmethod
    def of(
        cls, model: object, fingerprint: str | None, mask: str | None = None, *, changed: bool = False
    ) -> "Contender":
        """Make a contender of what a file says; signs that cannot be written as UTF-8 become question marks.

        A name of which nothing can be seen is none.
        """
        texts = [str(text).encode("utf-8", "replace").decode() if text else None for text in (model, fingerprint, mask)]
        seen = any(sign.isprintable() and not sign.isspace() for sign in texts[0] or "")
        return cls(texts[0] if texts[0] and seen else "unnamed model", texts[1], texts[2], changed)

    @property
    def name(self) -> str:
        """The model's name, with the mask if there is one, so that a masked score never passes for the model's own."""
        if self.mask is None:
            return self.model
        return f"{self.model}{',' if self.changed else ' without'} {self.mask}"


@dataclass(frozen=True)
class Score:
    """The score of a task.

    Attributes:
        contender: Who scored.
        task: Name of the lm-eval task.
        benchmark: The benchmark it belongs to; the task itself if it has no language.
        language: Its language, or None.
        metric: Name of the metric with lm-eval's filter, such as `acc,none`.
        higher_is_better: Whether a higher score is better.
        unit: `points`, or the metric's own unit.
        value: The score in that unit.
        error: Its standard error over documents, or None if it is not known.
        documents: Number of documents.
        compared_by: What two results must have in common to be comparable: documents, prompts and right answers.
        dataset: The published data set on the Hugging Face hub that the documents are from, or None.
        folder: Where it is from.
        time: When it was made, in seconds since 1970.
        prompting: How the model was asked beyond what the task file says, in words; part of ``compared_by``.
        shots: Examples before each question, or None if that is not told.
        ranked_by: What two results must have in common to be ranked together: as ``compared_by``, but prompts may also
            differ in the chat template that each model brings.
        numbers: The numbers of its documents, or None if they are not known.
    """

    contender: Contender
    task: str
    benchmark: str
    language: str | None
    metric: str
    higher_is_better: bool
    unit: str
    value: float
    error: float | None
    documents: int
    compared_by: str
    dataset: str | None
    folder: Path
    time: float
    prompting: tuple[str, ...] = ()
    shots: int | None = None
    ranked_by: str = ""
    numbers: DocumentNumbers | None = field(default=None, compare=False, repr=False)

    @property
    def asked(self) -> str:
        """How the model was asked, in words; empty if as the task file says, without examples."""
        return "; ".join([*self.prompting, *([shots_in_words(self.shots)] if self.shots else [])])

    @property
    def interval(self) -> tuple[float, float] | None:
        """Ends of the 95 % interval over documents, by cluster; None if documents are not known or too few."""
        return None if self.numbers is None else self.numbers.interval


@dataclass(frozen=True)
class RowEffect:
    """A row of a table of deltas.

    Attributes:
        contender: Whose neurons were deactivated; its mask is None.
        preset: The table.
        setting: The row.
        random: Whether it is a random control.
        benchmark: The benchmark.
        languages: Mask languages averaged over.
        neurons: Neurons deactivated per mask language.
        unit: Unit of the changes.
        values: `delta_eng`, `delta_non_eng` and `delta`, each with the ends of its 95 % interval, None if unknown;
            named as the attributes of `Delta` are, whatever the pivot.
        p_holm: Corrected p-value against the random control, or None.
        documents: Number of documents per language, the fewest.
        compared_by: As in `Score`, of all its languages together.
        folder: Where it is from.
        time: When it was made, in seconds since 1970.
        pivot: The language that the others are compared with.
        documents_of: ``compared_by`` of the score of each language.
        intervention: What was done to the neurons, as a setting writes it.
        by_language: By mask language, the `delta` of its mask alone; empty if it is not told.
    """

    contender: Contender
    preset: str
    setting: str
    random: bool
    benchmark: str
    languages: tuple[str, ...]
    neurons: Mapping[str, int]
    unit: str
    values: Mapping[str, tuple[float, float | None, float | None]]
    p_holm: float | None
    documents: int
    compared_by: str
    folder: Path
    time: float
    pivot: str = ENGLISH
    documents_of: tuple[str, ...] = ()
    intervention: str = "zero"
    by_language: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ComparedDetectors:
    """A comparison of detectors.

    Attributes:
        contender: Whose neurons were deactivated; its mask is None.
        table: The comparison.
        folder: Where it is from.
        time: When it was made, in seconds since 1970.
    """

    contender: Contender
    table: DetectorTable
    folder: Path
    time: float


@dataclass(frozen=True)
class FolderFacts:
    """What a results folder says of its model.

    Attributes:
        contender: The model; its mask is None.
        parameters: Number of its parameters, or None if that is not told.
        engine: What computed the answers, or None if that is not told.
        place: The results folder, where its neuron sets and lenses are read from.
        time: When it was made, in seconds since 1970.
        manifest: What its matrix consists of; None of plain results.
    """

    contender: Contender
    parameters: int | None
    engine: str | None
    place: Path
    time: float
    manifest: Manifest | None = field(default=None, repr=False)


@dataclass(frozen=True)
class FolderResults:
    """Everything of one results folder."""

    scores: Sequence[Score]
    changes: Sequence[RowEffect] = ()
    detectors: Sequence[ComparedDetectors] = ()
    facts: FolderFacts | None = None
