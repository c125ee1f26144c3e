"""The parts of a model's page beside its tables of scores: facts, and where its neurons sit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mwork_eval.leaderboard import tables
from mwork_eval.leaderboard.board import Model
from mwork_eval.leaderboard.profile import NeuronProfile, told_of
from mwork_eval.reports.html import figures
from mwork_eval.results.set_counts import COMPONENTS

_STAGE = "up"


def facts_of(model: Model, profile: NeuronProfile | None) -> list[list[str]]:
    """Return what is known of a model as labels and texts."""
    parameters, engine = told_of(model.facts, "parameters"), told_of(model.facts, "engine")
    found = []
    if profile is not None:
        found.append(["Family", profile.family])
        found.append(["Layers", str(len(profile.counts.sizes))])
    if isinstance(parameters, int):
        found.append(["Parameters", f"{parameters:,}"])
    if engine is not None:
        found.append(["Engine", str(engine)])
    if fingerprints := sorted({one.contender.fingerprint for one in model.facts if one.contender.fingerprint}):
        found.append(["Weights", " ".join(one[:8] for one in fingerprints)])
    if model.facts:
        found.append(["Newest results", datetime.fromtimestamp(model.facts[0].time, UTC).date().isoformat()])
    return found


@dataclass(frozen=True)
class NamedProfile:
    """Where the neurons of one of a model's sets of weights sit.

    Attributes:
        csv: Name of the file that has the numbers.
        fingerprint: Of the weights, or None if it is not known.
        profile: Where.
    """

    csv: str
    fingerprint: str | None
    profile: NeuronProfile

    @property
    def weights(self) -> str:
        """The weights in words."""
        return "unknown weights" if self.fingerprint is None else f"the weights {self.fingerprint[:8]}"

    def numbers(self) -> bytes:
        """Return the numbers as CSV."""
        columns = _columns(self.profile)
        return tables.as_csv(columns, (dict(zip(columns, row, strict=True)) for row in _rows(self.profile)))


def profiles_of(model: Model, profiles: Mapping[tuple[str, str | None], NeuronProfile]) -> list[NamedProfile]:
    """Return the profiles of a model, that of its newest weights first.

    Args:
        model: The model.
        profiles: Where neurons sit, by name and fingerprint.
    """
    order = dict.fromkeys(facts.contender.fingerprint for facts in model.facts)
    own = [fingerprint for fingerprint in order if (model.name, fingerprint) in profiles]
    return [
        NamedProfile(f"neurons{'' if number == 1 else f'-{number}'}.csv", one, profiles[model.name, one])
        for number, one in enumerate(own, 1)
    ]


def profile_values(named: Sequence[NamedProfile], name: str) -> dict[str, Any]:
    """Return where neurons sit as the page shows it: those of the newest weights.

    Args:
        named: The profiles of the model, one or more.
        name: Its name.
    """
    profile = named[0].profile
    counts, columns = profile.counts, _columns(profile)
    missing = f" The sets of {' '.join(counts.missing)} were not found, or cannot be read." if counts.missing else ""
    rows = [{"cells": list(map(str, row)), "masked": False, "href": ""} for row in _rows(profile)]
    return {
        "languages": counts.languages,
        "heat": figures.heat_maps(counts),
        "lines": {
            title: figures.layer_lines(counts, component, title, profile.stages)
            for component, title in COMPONENTS.items()
        },
        "table": {
            "label": f"Neurons of {name} by layer",
            "columns": columns,
            "texts": frozenset({"language", "stage"}),
            "rows": rows,
            "csv": named[0].csv,
        },
        "weights": named[0].weights,
        "others": [[one.csv, one.weights] for one in named[1:]],
        "most": figures.heat_scale(counts),
        "notes": " ".join([*counts.lacking, missing]).strip(),
    }


def _columns(profile: NeuronProfile) -> list[str]:
    return ["language", "layer", "stage", *profile.counts.structures, *COMPONENTS.values()]


def _rows(profile: NeuronProfile) -> list[list[str | int]]:
    counts = profile.counts
    rows: list[list[str | int]] = []
    for language in counts.languages:
        by_component = [counts.by_component(language, component) for component in COMPONENTS]
        for layer, of_layer in enumerate(counts.counts[language]):
            stage = profile.stages.position(layer, _STAGE).replace("s-ffn", "between")
            rows.append(
                [
                    *(language, layer, stage),
                    *(of_layer.get(structure, 0) for structure in counts.structures),
                    *(of_component[layer] for of_component in by_component),
                ]
            )
    return rows
