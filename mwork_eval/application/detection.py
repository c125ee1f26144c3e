"""What a detection found: scores by language, from which sets are selected by any rule, and what is written of them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from numbers import Real
from pathlib import Path
from typing import Any

from mwork_eval.application.arguments import folder_to_read, names_of, one_of, pivot_of, shown_value, whole_number
from mwork_eval.application.sets import share_of
from mwork_eval.detection.detectors.detector import DETECTORS, PLND
from mwork_eval.detection.partial import PartialScores
from mwork_eval.detection.score_table import ScoreTable, load_score_tables
from mwork_eval.detection.selection import SPECIFIC, Selection, select_specific
from mwork_eval.detection.set_draws import draw_sets
from mwork_eval.detection.stability import measure_stability
from mwork_eval.errors import InputError
from mwork_eval.languages.table import ENGLISH
from mwork_eval.neurons.drawn_sets import save_drawn_sets
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import SUFFIX


@dataclass(frozen=True, repr=False)
class Detection:
    """Scores of every neuron in the documents of each language.

    Attributes:
        tables: Per language, the scores: `minimum`, `mean` and `worst_rank` by (layer, structure) `[neurons]`, and
            `about`, which says of what and how.
        parts: Per language, the scores of groups of documents, where they were kept apart.
        set_draws: How many random halves of the documents sets are also selected from, or None.

    Examples:
        >>> import mwork_eval as mw
        >>> model, tokenizer = mw.load_model("models/tiny-llama", device="cpu")
        >>> found = mw.detect(model, tokenizer, {"en": "embedded", "zh": "embedded"}, max_docs=4)
        >>> found.tables["zh"].minimum[0, "up"].shape
        (40,)
        >>> len(found.select(top_k=3)["zh"]) < len(found.select(top_k=3, specific="none")["zh"])
        True
    """

    tables: Mapping[str, ScoreTable]
    parts: Mapping[str, PartialScores] = field(default_factory=dict)
    set_draws: int | None = None

    @classmethod
    def load(cls, folder: Path | str) -> "Detection":
        """Read the scores in `FOLDER/scores`, as a detection wrote them.

        Raises:
            InputError: If there are none, or one is damaged.
        """
        return cls({table.about["language"]: table for table in load_score_tables(folder_to_read("folder", folder))})

    def select(
        self,
        fraction: float | None = None,
        top_k: int | None = None,
        threshold: Mapping[str, float] | None = None,
        specific: str = "pivot",
        structures: str | Iterable[str] | None = None,
        pivot: str = ENGLISH,
        count: int | None = None,
        detector: str = PLND,
        arguments: Mapping[str, Any] | None = None,
        activations: bool = False,
    ) -> dict[str, NeuronSet]:
        """Select the neurons that carry each language; the model is not needed.

        Args:
            fraction: Take the neurons in this top fraction of their layer and structure in every document; of other
                detectors than PLND, this fraction of all neurons of the structures; 0.01 if no rule is given.
            top_k: Take those among the top k of their layer and structure in every document.
            threshold: Per structure, the least score, a sum over tokens, in every document (Eq. 2,
                arXiv:2402.18815).
            specific: What is taken away: the neurons of the `pivot` (`english` is one), those that all languages share
                (`common`), or `none`.
            structures: Structures to select from, `o` on request; those that the detector is defined for if not given.
            pivot: The language that the others are compared with.
            count: Take as many neurons of each language, those the detector puts first.
            detector: What selects: `plnd`, `lape`, `lape-lambda`, `average-precision`, `activation-difference`,
                `attribution` or `random`; most need records that `detect` keeps on request.
            arguments: What the detector is told, by name.
            activations: Whether the sets know the typical activations of all neurons in each language, which the
                interventions `mean`, `towards` and `residual` need; recorded by ``detect(record="activations")``.

        Returns:
            The sets by language, the strongest neurons first; none for the pivot where its neurons are taken away.

        Raises:
            InputError: If the rule is none, the pivot was not scored and its neurons are to be taken away, the scores
                lack what the detector reads, or a set is empty or too small.
        """
        rule = _rule_of(fraction, top_k, threshold, specific, structures, pivot, count, detector, arguments)
        return self.select_by(rule, activations=activations)

    def select_by(self, selection: Selection, *, activations: bool = False) -> dict[str, NeuronSet]:
        """Select by a rule that is already one; otherwise as `select`."""
        return select_specific(list(self.tables.values()), selection, activations=activations)

    def select_draws(self, selection: Selection | None = None) -> list[dict[str, NeuronSet]]:
        """Select the sets of random halves of the documents, `set_draws` times, by the default rule if none is given.

        Raises:
            InputError: If a language has too few documents, or a half selects nothing.
        """
        return draw_sets(self.parts, selection or Selection.of(), self.set_draws or 0)

    def save(
        self,
        folder: Path | str,
        fraction: float | None = None,
        top_k: int | None = None,
        threshold: Mapping[str, float] | None = None,
        specific: str = "pivot",
        structures: str | Iterable[str] | None = None,
        pivot: str = ENGLISH,
        count: int | None = None,
        detector: str = PLND,
        arguments: Mapping[str, Any] | None = None,
        activations: bool = False,
    ) -> None:
        """Write what `mwork detect` writes: `FOLDER/scores/LANGUAGE.safetensors` and the sets of a rule beside them.

        Args:
            folder: Where to; made if need be.
            fraction: As in `select`; so are the next ones.
            top_k: See there.
            threshold: See there.
            specific: See there.
            structures: See there.
            pivot: See there.
            count: See there.
            detector: See there.
            arguments: See there.
            activations: See there.

        Raises:
            InputError: As `select` does; the scores are written by then.
        """
        rule = _rule_of(fraction, top_k, threshold, specific, structures, pivot, count, detector, arguments)
        place = folder_to_read("folder", folder)
        save_scores(self, place)
        save_sets(self, rule, place, lambda _: None, activations=activations)

    def __repr__(self) -> str:
        languages = (f"{code} {documents} documents, {tokens} tokens" for code, documents, tokens in self._rows())
        return f"<Detection: {'; '.join(languages)}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(code)}</td><td>{documents:,}</td><td>{tokens:,}</td><td>{_left_out(table)}</td></tr>"
            for (code, documents, tokens), table in zip(self._rows(), self.tables.values(), strict=True)
        )
        head = "<tr><th>language</th><th>documents</th><th>tokens</th><th>documents left out</th></tr>"
        return f"<table><caption>Detection</caption><thead>{head}</thead><tbody>{rows}</tbody></table>"

    def _rows(self) -> list[tuple[str, int, int]]:
        return [(code, table.about["documents"], table.about["tokens"]) for code, table in self.tables.items()]


def _rule_of(
    fraction: Any,
    top_k: Any,
    threshold: Any,
    specific: Any,
    structures: str | Iterable[str] | None,
    pivot: Any,
    count: Any,
    detector: Any,
    arguments: Any,
) -> Selection:
    """Return a rule from what a caller gave.

    Raises:
        InputError: If it is none.
    """
    is_number = isinstance(fraction, Real) and not isinstance(fraction, bool)
    if fraction is not None and not is_number:
        raise InputError("unusable fraction", found=shown_value(fraction), expected="more than 0 and at most 1")
    top_k = whole_number("top_k", top_k, at_least=1, none_is="another rule")
    if threshold is not None and not (
        isinstance(threshold, Mapping) and all(isinstance(least, Real) for least in threshold.values())
    ):
        expected = "the least score per structure, such as {'q': 0.1, 'k': 0.1, 'v': 2, 'up': 5}"
        raise InputError("unusable threshold", found=shown_value(threshold), expected=expected)
    one_of("specific", specific, SPECIFIC)
    names = None if structures is None else ",".join(names_of("structures", structures))
    count = whole_number("count", count, at_least=1, none_is="another rule")
    one_of("detector", detector, DETECTORS)
    if arguments is not None and not isinstance(arguments, Mapping):
        raise InputError("unusable arguments", found=shown_value(arguments), expected="a mapping, such as {'bar': 0.9}")
    return Selection.of(
        fraction, top_k, threshold, specific, names, pivot_of(pivot), count, detector, dict(arguments or {})
    )


def _left_out(table: ScoreTable) -> str:
    names = {"skipped": "short", "duplicates": "duplicates", "wrong_language": "in another language"}
    found = [f"{count} {what}" for key, what in names.items() if (count := table.about["corpus"].get(key))]
    return ", ".join(found) or "none"


def save_scores(found: Detection, folder: Path) -> None:
    """Write the scores of every language."""
    for language, table in found.tables.items():
        table.save(folder / "scores" / f"{language}{SUFFIX}")


def save_sets(
    found: Detection,
    selection: Selection,
    folder: Path,
    tell: Callable[[str], object],
    *,
    activations: bool = False,
) -> dict[str, NeuronSet]:
    """Select by a rule and write the sets, also those of random halves of the documents where there are such.

    Args:
        found: The scores.
        selection: The rule.
        folder: Where to.
        tell: Told each file.
        activations: Whether the sets know activations.

    Returns:
        The sets by language.

    Raises:
        InputError: If nothing is selected.
    """
    sets = found.select_by(selection, activations=activations)
    for language, neurons in sets.items():
        path = folder / f"{language}{SUFFIX}"
        save_neuron_set(neurons, path)
        tell(f"{path}: {share_of(neurons)}")
    if found.set_draws is not None:
        written = save_drawn_sets(found.select_draws(selection), folder)
        tell(f"{written}: sets of {found.set_draws} random halves of the documents")
    return sets


def add_stability(found: Detection, selection: Selection, folder: Path) -> Detection:
    """Measure how far sets depend on the documents, where scores are new, and add it to the score files.

    Args:
        found: Scores, in the groups that stability is measured by; those read from a file keep what it says.
        selection: The rule.
        folder: Where the scores are.

    Returns:
        The same scores, whose tables say it in ``about["stability"]``.
    """
    if len(found.parts) < len(found.tables):
        return found
    rows = measure_stability(found.parts, selection)
    tables = {
        language: replace(table, about={**table.about, "stability": [row.to_json() for row in rows.get(language, [])]})
        for language, table in found.tables.items()
    }
    measured = replace(found, tables=tables)
    save_scores(measured, folder)
    return measured


def stability_of(found: Detection) -> dict[str, list[dict[str, Any]]]:
    """Return, by language, what its table says of stability."""
    return {language: table.about.get("stability", []) for language, table in found.tables.items()}
