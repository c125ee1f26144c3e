"""What an enhancement folder holds: `enhancement.json`, which is whole after every finished delta."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.files.seal import read_sealed, write_sealed

FILE = "enhancement.json"
FORMAT = "mwork-enhancement"
VERSION = 1
SPECIFIC, RANDOM = "specific", "random"


def is_enhancement(folder: Path) -> bool:
    """Tell whether a folder was written by `mwork enhance`."""
    return (folder / FILE).is_file()


@dataclass(frozen=True)
class Run:
    """One training: a neuron set, a kind, a seed.

    Attributes:
        languages: Languages of the documents; several if they are trained together.
        kind: `specific`, or `random` for as many random neurons of the same layers and structures.
        seed: Of the documents' order and, if random, of the draw.
    """

    languages: tuple[str, ...]
    kind: str
    seed: int

    @property
    def name(self) -> str:
        """Name in files and messages."""
        return f"{'+'.join(self.languages)}/{self.kind}-seed{self.seed}"


@dataclass(frozen=True)
class TrainedDelta:
    """A finished delta.

    Attributes:
        languages: As in `Run`.
        kind: As in `Run`.
        seed: As in `Run`.
        documents: Number of documents it was trained on.
        file: The delta's file, below the folder.
        digest: Digest of its values.
        neurons: Number of neurons.
        parameters: Number of trained parameters.
        loss_before: Loss on held-out documents before training, in nats per token.
        loss_after: The same after training.
    """

    languages: tuple[str, ...]
    kind: str
    seed: int
    documents: int
    file: str
    digest: str
    neurons: int
    parameters: int
    loss_before: float
    loss_after: float

    @property
    def run(self) -> Run:
        """The training it is from."""
        return Run(self.languages, self.kind, self.seed)


@dataclass(frozen=True)
class Record:
    """Everything about an enhancement folder.

    Attributes:
        model: Name of the base.
        fingerprint: Fingerprint of the base.
        options: How it was trained.
        corpora: By language, what the documents are.
        seen: By language, what the documents are known by that training saw, held-out ones first; an evaluation leaves
            them out.
        deltas: The finished deltas.
    """

    model: str
    fingerprint: str
    options: Mapping[str, Any]
    corpora: Mapping[str, Any]
    seen: Mapping[str, Sequence[str]]
    deltas: tuple[TrainedDelta, ...] = field(default=())

    def save(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        content = {"format": FORMAT, "version": VERSION, **asdict(self)}
        write_sealed(folder / FILE, content, indent=1)

    def continuing(self, folder: Path) -> "Record":
        """Return this record with what an earlier command left in the folder, if anything.

        Raises:
            InputError: If the folder holds deltas of another base, or some that were trained otherwise.
        """
        if not (folder / FILE).is_file():
            return self
        earlier = Record.load(folder)
        for what, was, now in self._common_facts(earlier):
            if was != now:
                raise InputError(
                    f"{folder} holds deltas that were trained otherwise",
                    found=f"{what} {was}",
                    expected=f"{what} {now}",
                    hint="choose another `out`",
                )
        longest = {
            language: max(earlier.seen.get(language, []), self.seen.get(language, []), key=len)
            for language in earlier.seen.keys() | self.seen.keys()
        }
        return replace(
            self,
            options={**self.options, "sets": {**earlier.options["sets"], **self.options["sets"]}},
            corpora={**earlier.corpora, **self.corpora},
            seen=longest,
            deltas=earlier.deltas,
        )

    def _common_facts(self, earlier: "Record") -> Iterator[tuple[str, Any, Any]]:
        """Yield what the deltas of a folder have in common, as it was and as it is."""
        yield "a base with fingerprint", earlier.fingerprint, self.fingerprint
        for name, value in self.options.items():
            if name not in ("sets", "versions"):
                yield name, earlier.options.get(name), value
        was, now = earlier.options["sets"], self.options["sets"]
        for language in was.keys() & now.keys():
            yield f"a set of {language} with digest", was[language][:12], now[language][:12]
        for language in earlier.seen.keys() & self.seen.keys():
            both = min(len(earlier.seen[language]), len(self.seen[language]))
            before, after = (digest_of(list(record.seen[language][:both]))[:12] for record in (earlier, self))
            yield f"documents of {language} with digest", before, after

    @classmethod
    def load(cls, folder: Path) -> "Record":
        """Read it.

        Raises:
            InputError: If there is none, or it is damaged.
        """
        path = folder / FILE
        if not path.is_file():
            raise InputError(f"{folder} holds no deltas", found=f"no {FILE}", hint="make them with `enhance`")
        record = read_sealed(cls, path, (FORMAT, VERSION), "train into another folder")
        if not isinstance(sets := record.options.get("sets"), dict) or not all(
            isinstance(d, str) for d in sets.values()
        ):
            raise InputError(f"{path} is damaged", found="no digests of its sets among the options")
        return record
