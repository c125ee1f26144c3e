"""Squares read from a results folder: each row's masks on the documents of every language."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mwork_eval.languages.table import ENGLISH
from mwork_eval.results.comparison import find_control
from mwork_eval.results.cross import ControlSpread, Crossed, Effects, control_spread, cross_effects
from mwork_eval.results.scale import Scale
from mwork_eval.results.tables import Results
from mwork_eval.results.task_score import TaskScore

Entry = Mapping[str, Any]
Scores = Mapping[str, TaskScore | None]


@dataclass(frozen=True)
class Square:
    """A language-specific row of a table, tried on the documents of every language.

    Attributes:
        preset: Name of the preset.
        task: The benchmark.
        metric: Main metric.
        unit: Unit of the changes.
        setting: Name of the row.
        control: Name of its random control; None if the table has none.
        masks: Mask languages.
        languages: Languages of the documents, English first.
        counts: Neurons deactivated per mask language.
        documents: Number of documents per language.
        effects: What the masks do.
        random: What the random controls do, on average over their draws; None while they are missing.
        spread: How far single random controls differ; None likewise.
    """

    preset: str
    task: str
    metric: str
    unit: str
    setting: str
    control: str | None
    masks: tuple[str, ...]
    languages: tuple[str, ...]
    counts: Mapping[str, int]
    documents: Mapping[str, int]
    effects: Effects
    random: Effects | None
    spread: ControlSpread | None


def read_squares(results: Results) -> Iterator[Square]:
    """Yield the squares of a folder whose language-specific cells are all stored; none without `--cross`.

    Args:
        results: What was read of the folder.

    Raises:
        InputError: If a masked score has other documents than its baseline.
    """
    manifest, scores = results.manifest, results.scores
    presets = {preset["name"]: preset for preset in manifest["presets"]}
    tables = dict.fromkeys((entry["preset"], entry["task"]) for entry in manifest.get("cross", ()))
    for name, task in tables:
        entries = [
            entry
            for part in ("cells", "cross")
            for entry in manifest[part]
            if (entry["preset"], entry["task"]) == (name, task)
        ]
        baseline = baseline_scores(entries, scores)
        if baseline is None:
            continue
        for setting, control in controls_of(presets[name]).items():
            masked = _crossed(entries, setting, scores)
            random = _crossed(entries, control, scores) if control else None
            if masked:
                yield _square(presets[name], task, setting, control, baseline, masked, random)


def baseline_scores(entries: Sequence[Entry], scores: Scores) -> dict[str, TaskScore] | None:
    """Return the scores without a mask by language, English first; None while one is missing."""
    found = {entry["language"]: scores[entry["identity"]] for entry in entries if entry["setting"] is None}
    known = {language: score for language, score in found.items() if score is not None}
    if len(known) < len(found) or ENGLISH not in known:
        return None
    return {ENGLISH: known.pop(ENGLISH), **known}


def controls_of(preset: Mapping[str, Any]) -> dict[str, str | None]:
    """Return, by language-specific row of a table, the name of its random control."""
    positions = {setting["name"]: tuple(setting["positions"]) for setting in preset["settings"]}
    random = {positions[setting["name"]]: setting["name"] for setting in preset["settings"] if setting["random"]}
    return {name: find_control(at, random) for name, at in positions.items() if name not in random.values()}


def _crossed(entries: Sequence[Entry], setting: str, scores: Scores) -> Crossed | None:
    """Gather the scores under the masks of a row; None while one is missing."""
    found: dict[str, dict[str, list[TaskScore]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        if entry["setting"] == setting:
            score = scores[entry["identity"]]
            if score is None:
                return None
            found[entry["mask_language"]][entry["language"]].append(score)
    return found


def _square(
    preset: Mapping[str, Any],
    task: str,
    setting: str,
    control: str | None,
    baseline: Mapping[str, TaskScore],
    masked: Crossed,
    random: Crossed | None,
) -> Square:
    scale = Scale.of(baseline[ENGLISH])
    return Square(
        preset=preset["name"],
        task=task,
        metric=baseline[ENGLISH].metric,
        unit=scale.unit,
        setting=setting,
        control=control,
        masks=tuple(masked),
        languages=tuple(baseline),
        counts={language: preset["counts"][language] for language in masked},
        documents={language: len(score.documents) for language, score in baseline.items()},
        effects=cross_effects(baseline, masked, scale),
        random=cross_effects(baseline, random, scale) if random else None,
        spread=control_spread(baseline, random, scale) if random else None,
    )
