"""Unfinished scores: the checkpoint of an interrupted detection, and the shard of one that is spread over jobs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from mwork_eval.detection.recording.accumulator import ScoreAccumulator
from mwork_eval.detection.recording.registry import RECORDED
from mwork_eval.detection.recording.scores import RECORD as SCORES
from mwork_eval.detection.recording.statistic import CORPUS
from mwork_eval.detection.score_table import ScoreTable, check_arrays, places_of, usable
from mwork_eval.errors import InputError
from mwork_eval.files.json_values import FileValue
from mwork_eval.files.tensor_file import Array, TensorHead, digest_of_arrays, read_arrays, read_head, write_tensors
from mwork_eval.neurons.about import About, CorpusValue
from mwork_eval.neurons.neuron_set import Place
from mwork_eval.neurons.shape import ModelShape, ShapeValue

FORMAT = "mwork-partial-scores"
VERSION = 2
"""That of files with records beside the scores; files without are of version 1."""
_NAME = re.compile(r"(?P<group>.+)\.layers\.(?P<layer>\d+)\.(?P<structure>\w+)\.(?P<statistic>\w+)")


class _PartialAbout(About):
    """What unfinished scores say of themselves at least."""

    language: str
    method: str
    corpus: CorpusValue
    recorded: tuple[str, ...] = ()


class _PartialRun(FileValue):
    """What determines the scores."""

    about: _PartialAbout


class _ReadSoFar(FileValue):
    """What was read of the corpus; nothing at first."""

    tokens: int | None = None


class _PartialHead(TensorHead):
    """What a file of unfinished scores says; those of earlier versions have no digest."""

    shape: ShapeValue
    run: _PartialRun
    shard: tuple[int, int]
    batches: int
    corpus: _ReadSoFar
    complete: bool
    documents: dict[str, Annotated[int, Field(ge=0)]]
    digest: str | None = None

    @model_validator(mode="after")
    def _tells_what_was_read(self) -> Self:
        if self.complete and (self.corpus.tokens is None or sum(self.documents.values()) < 1):
            raise ValueError("corpus: complete, and no number of tokens or no document")
        return self

    @field_validator("shard")
    @classmethod
    def _is_a_share(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 0 <= value[0] < value[1]:
            raise ValueError(f"{value[0]} of {value[1]}")
        return value


@dataclass
class PartialScores:
    """Scores of some documents of a corpus, with what is needed to go on or to join them with others.

    Attributes:
        shape: Neuron counts of the model.
        run: What determines the scores: model, method, corpus, rules, batches. Two parts belong together if equal.
        shard: Which share of the batches this is, from 0, and of how many.
        batches: Number of batches of the corpus that are done, those of other shards included.
        corpus: What was read so far: digest, tokens, and counts of what was left out.
        complete: Whether the corpus was read to its end.
        groups: The scores, by name; detection keeps groups of documents apart to measure stability.
    """

    shape: ModelShape
    run: Mapping[str, Any]
    shard: tuple[int, int] = (0, 1)
    batches: int = 0
    corpus: Mapping[str, Any] = field(default_factory=dict)
    complete: bool = False
    groups: dict[str, ScoreAccumulator] = field(default_factory=dict)

    def group(self, name: str) -> ScoreAccumulator:
        """Return a group, making it if need be."""
        if name not in self.groups:
            self.groups[name] = self._empty()
        return self.groups[name]

    def _empty(self) -> ScoreAccumulator:
        return ScoreAccumulator(self.shape, self.run["about"].get(RECORDED, ()))

    @property
    def documents(self) -> int:
        """Number of documents scored."""
        return sum(group.documents for group in self.groups.values())

    def joined(self, *names: str) -> ScoreAccumulator:
        """Return the sum of the groups named, of all if none is."""
        total = self._empty()
        for name in sorted(self.groups):
            if not names or name in names:
                total.merge(self.groups[name])
        return total

    def table(self) -> ScoreTable:
        """Return the finished scores."""
        about = dict(self.run["about"])
        about["corpus"] = {**about["corpus"], **{key: v for key, v in self.corpus.items() if key != "tokens"}}
        return self.joined().table({**about, "tokens": self.corpus["tokens"]})

    def save(self, path: Path) -> None:
        """Write to a safetensors file, whole or not at all."""
        arrays = {
            _name(name, place, statistic): array
            for name, group in self.groups.items()
            for statistic, places in group.totals.items()
            for place, array in places.items()
        }
        description = {
            "shape": self.shape.to_json(),
            "run": self.run,
            "shard": list(self.shard),
            "batches": self.batches,
            "corpus": self.corpus,
            "complete": self.complete,
            "documents": {name: group.documents for name, group in self.groups.items()},
            "digest": digest_of_arrays(arrays.items()),
        }
        version = VERSION if self.run["about"].get(RECORDED) else 1
        write_tensors(path, (FORMAT, version), description, arrays)

    @classmethod
    def load(cls, path: Path) -> "PartialScores":
        """Read what `save` wrote.

        Raises:
            InputError: If the file is missing, damaged or of another format.
        """
        head = read_head(path, _PartialHead, (FORMAT, VERSION), oldest=1)
        shape, arrays = head.shape.shape, read_arrays(path)
        check_arrays(path, arrays, head.digest)
        run, corpus = (part.model_dump(mode="json", exclude_unset=True) for part in (head.run, head.corpus))
        part = cls(shape, run, head.shard, head.batches, corpus, head.complete)
        named = [(match, name) for name in arrays if (match := _NAME.fullmatch(name)) is not None]
        for group, documents in head.documents.items():
            read: dict[str, dict[Place, Array]] = {}
            for match, name in named:
                if match["group"] == group:
                    read.setdefault(match["statistic"], {})[int(match["layer"]), match["structure"]] = arrays[name]
            _check_read(path, group, read, part.group(group), documents)
            part.group(group).join(read, documents)
        return part


def _check_read(
    path: Path, group: str, read: Mapping[str, Mapping[Place, Array]], empty: ScoreAccumulator, documents: int
) -> None:
    """Raise unless the arrays of a group are what its statistics are made of."""
    for statistic in empty.statistics.values():
        places = read.get(statistic.name, {})
        rows = (documents,) if statistic.merge == "rows" else ()
        expected = {place: empty.shape.sizes[place[0]][place[1]] for place in places_of(empty.shape)}
        # A place that could not be recorded is missing; scores are there of all.
        asked = list(expected if statistic in SCORES.statistics else places or [CORPUS])
        for place in asked:
            size = expected.get(place, places[place].shape[-1] if place in places and places[place].ndim else 1)
            arrays = {} if place not in places else {_name(group, place, statistic.name): places[place]}
            usable(path, arrays, _name(group, place, statistic.name), (*rows, size))


def _name(group: str, place: Place, statistic: str) -> str:
    return f"{group}.layers.{place[0]}.{place[1]}.{statistic}"


def merge_shards(parts: Sequence[PartialScores], names: Sequence[str]) -> PartialScores:
    """Join the shards of one corpus, made by separate jobs.

    Args:
        parts: All shards of a corpus.
        names: What to call each in messages, such as its file.

    Raises:
        InputError: If a shard is missing, doubled, unfinished, or belongs to another run.
    """
    first, count = parts[0], parts[0].shard[1]
    for part, name in zip(parts, names, strict=True):
        if not part.complete:
            raise InputError(
                f"{name} is unfinished", found=f"{part.documents} documents", hint="finish it with --resume"
            )
        for what, mine, theirs in (
            ("run", first.run, part.run),
            ("number of shards", first.shard[1], part.shard[1]),
            ("documents", first.corpus, part.corpus),
        ):
            if mine != theirs:
                raise InputError(f"{names[0]} and {name} do not belong together", found=difference(what, mine, theirs))
    indices = sorted(part.shard[0] for part in parts)
    if indices != list(range(count)):
        raise InputError(
            "the shards do not make up one corpus",
            found="shards " + " ".join(f"{index + 1}/{count}" for index in indices),
            expected=f"each of 1/{count} to {count}/{count} once",
        )
    merged = PartialScores(first.shape, first.run, batches=first.batches, corpus=first.corpus, complete=True)
    for part in sorted(parts, key=lambda part: part.shard[0]):
        for name, group in part.groups.items():
            merged.group(name).merge(group)
    return merged


def difference(what: str, mine: Any, theirs: Any) -> str:
    """Say in one line where two descriptions differ: the first entry that does, by its path."""
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        for key in sorted({*mine, *theirs}, key=str):
            if mine.get(key) != theirs.get(key):
                return difference(f"{what} {key}", mine.get(key), theirs.get(key))
    return f"{what}: {mine} and {theirs}"
