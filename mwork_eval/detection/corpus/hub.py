"""Documents of data sets of the Hugging Face hub, by their address or by the name of a preset (`hub.yaml`)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from mwork_eval.detection.corpus.hub_names import fineweb_2_name
from mwork_eval.errors import InputError
from mwork_eval.files.json_values import parse
from mwork_eval.languages.table import base_of, find_language

PREFIX = "hub:"
_FIELD = "text"
_BUFFER = 10_000
"""Documents held for shuffling a stream."""


@dataclass(frozen=True)
class NamedCorpus:
    """A named corpus, a row of `hub.yaml`.

    Attributes:
        dataset: The repository.
        load: Arguments of `datasets.load_dataset`, with `{language}` and `{name}`.
        names: The languages it has, and their names there; empty if each has its tag.
        renamed: Names there of some of the languages where the others have their tags.
        naming: How names are made: `tags`, or `fineweb-2` (codes of ISO 639-3 and 15924).
        instead: Per language, another `dataset` and `load`.
        text_field: The field that holds the text.
        json_field: The field of the JSON that the text is, or None if it is the text itself.
        gated: Whether one must log in and accept conditions.
        needs: A package that reading it needs, or None.
    """

    dataset: str
    load: Mapping[str, str]
    gated: bool
    text_field: str = _FIELD
    json_field: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    naming: Literal["tags", "fineweb-2"] = "tags"
    instead: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    needs: str | None = None

    def name_of(self, language: str) -> str | None:
        """Return what a language is called there, or None if it is not there.

        The standard form of a macrolanguage is there under the macrolanguage (`cmn` is `zh`). A script, territory or
        variant is no text of its own there, unless a table says so: `pt-BR` is not `pt`.
        """
        if self.naming == "fineweb-2":
            return fineweb_2_name(language)
        for tag in [language] if "-" in language else [language, base_of(language)]:
            if named := self.names.get(tag) or self.renamed.get(tag):
                return named
        return None if self.names or "-" in language else base_of(language)


@dataclass(frozen=True)
class HubSource:
    """What of the hub is read, and how.

    Attributes:
        dataset: The repository.
        load: Arguments of `datasets.load_dataset`.
        text_field: The field that holds the text.
        json_field: The field of the JSON that the text is, or None.
        gated: Whether it is known to be gated.
        needs: A package that reading it needs, or None.
    """

    dataset: str
    load: Mapping[str, str]
    text_field: str
    json_field: str | None = None
    gated: bool = False
    needs: str | None = None

    @classmethod
    def parse(cls, source: str, language: str) -> "HubSource":
        """Read `PRESET` or `NAME[:CONFIG[:SPLIT[:FIELD]]]`; nothing is fetched.

        Args:
            source: The source, without `hub:`.
            language: Its tag.

        Raises:
            InputError: If a preset lacks the language, or something follows its name.
        """
        name, *rest = source.split(":")
        if not name:
            raise InputError(
                "no data set is named", found="hub:", expected=f"hub:NAME, or one of {' '.join(presets())}"
            )
        if (preset := presets().get(name)) is None:
            config, split, text_field = [*rest, "", "", ""][:3]
            named = {"name": config} if config else {}
            return cls(name, {"path": name, **named, "split": split or "train"}, text_field or _FIELD)
        if any(rest):
            raise InputError(
                f"{PREFIX}{name} has its configuration by itself",
                found=f"{PREFIX}{source}",
                expected=f"{PREFIX}{name}, or the whole name of another data set, as {PREFIX}{preset.dataset}:CONFIG",
            )
        other = preset.instead.get(language)
        there = preset.name_of(language)
        if other is None and there is None:
            told = f" ({find_language(language).name})" if "-" in language else ""
            raise InputError(
                f"{PREFIX}{name} has no {language}{told}",
                expected=" ".join([*preset.instead, *preset.names]) if preset.names else "a language that it has",
                hint=f"other corpora are {' '.join(PREFIX + one for one in presets() if one != name)}",
            )
        load = preset.load if other is None else other["load"]
        return cls(
            dataset=preset.dataset if other is None else other["dataset"],
            load={key: value.format(name=there) for key, value in load.items()},
            text_field=preset.text_field,
            json_field=preset.json_field,
            gated=preset.gated,
            needs=preset.needs,
        )

    def documents(self, seed: int | None) -> Iterator[str]:
        """Yield the texts as a stream: in order, or shuffled within a buffer if a seed is given.

        Raises:
            InputError: If they cannot be read; says how to log in where that is why.
        """
        from datasets import load_dataset

        try:
            stream: Iterable[dict[str, Any]] = load_dataset(**self.load, streaming=True)
            if seed is not None:
                stream = stream.shuffle(seed=seed, buffer_size=_BUFFER)  # type: ignore[attr-defined]
            for record in stream:
                text = record[self.text_field]
                yield str(text if self.json_field is None else parse(text)[self.json_field])
        except KeyError as error:
            raise InputError(
                f"the data set {self.dataset} has no field {error}", hint=f"name it as {PREFIX}{self.dataset}:::FIELD"
            ) from error
        except Exception as error:  # datasets raises a different type for every way of not reaching the hub
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(
                f"the data set {self.dataset} cannot be read",
                found=f"{type(error).__name__}: {reason}",
                expected="a data set of the hub",
                hint=self._hint(reason),
            ) from error

    def _hint(self, reason: str) -> str:
        steps = []
        if self.gated or "gated" in reason.lower():
            page = f"https://huggingface.co/datasets/{self.dataset}"
            steps.append(f"it is gated: accept its conditions on {page} and run `hf auth login`")
        if self.needs:
            steps.append(f"reading it needs `pip install {self.needs}`")
        return "; ".join([*steps, "without network, use a text file or embedded"])


@cache
def presets() -> Mapping[str, NamedCorpus]:
    """Return the named corpora."""
    text = Path(__file__).with_name("hub.yaml").read_text(encoding="utf-8")
    return {name: NamedCorpus(**row) for name, row in yaml.safe_load(text).items()}
