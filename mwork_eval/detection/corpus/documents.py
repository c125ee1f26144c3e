"""Documents ready for the model: read as a stream, cut to tokens, and without those that would mislead detection."""

import hashlib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mwork_eval.detection.corpus.language_check import LanguageCheck, require
from mwork_eval.detection.corpus.sources import AnyCorpus
from mwork_eval.errors import InputError
from mwork_eval.models.tokens import encode_text

_PATIENCE = 10_000
"""Documents read before a corpus of which all documents are wanted may be given up as mostly unusable."""


@dataclass(frozen=True)
class DocumentRules:
    """Which documents of a corpus are used, and how much of each.

    Attributes:
        max_documents: Number of documents wanted, or None for all.
        max_tokens: Tokens kept of a document.
        min_tokens: A shorter document is left out and counted.
        seed: Seed of a shuffle, or None for the order of the corpus.
        check_language: Whether documents in another language are left out and counted; needs the extra `[langid]`,
            and without it these rules are an `InputError`.
    """

    max_documents: int | None
    max_tokens: int
    min_tokens: int = 16
    seed: int | None = None
    check_language: bool = False

    def __post_init__(self) -> None:
        if self.check_language:
            require()  # before any model loads


class DocumentStream:
    """The usable documents of a corpus, one at a time; each iteration reads the corpus anew.

    Attributes:
        corpus: Where they come from.
        rules: Which are used.
        kept: Documents given out so far in this iteration.
        tokens: Their tokens.
        short: Documents left out so far because they are too short.
        duplicates: Documents left out because they came before.
        wrong_language: Documents left out because they are in another language.
    """

    def __init__(self, corpus: AnyCorpus, tokenizer: Any, rules: DocumentRules) -> None:
        self.corpus = corpus
        self.rules = rules
        self._tokenizer = tokenizer
        self._check = LanguageCheck(corpus.language) if rules.check_language else None
        self._start()

    def _start(self) -> None:
        self.kept = self.tokens = self.short = self.duplicates = self.wrong_language = 0
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> str:
        """SHA-256 of the texts given out so far, in order."""
        return self._digest.hexdigest()

    @property
    def bos(self) -> int | None:
        """The token that texts begin with where the tokenizer puts one there, or None if it has none."""
        return getattr(self._tokenizer, "bos_token_id", None)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the token ids of usable documents.

        Raises:
            InputError: If the corpus cannot be read, or more documents are unusable than usable.
        """
        self._start()
        rules, seen = self.rules, set[bytes]()
        for read, text in enumerate(self.corpus.documents(rules.seed), 1):
            fingerprint = hashlib.blake2b(_normalised(text).encode(), digest_size=12).digest()
            if fingerprint in seen:
                self.duplicates += 1
            else:
                seen.add(fingerprint)
                ids = encode_text(self._tokenizer, text, truncation=True, max_length=rules.max_tokens)
                if len(ids) < rules.min_tokens:
                    self.short += 1
                elif self._check is not None and not self._check.passes(text):
                    self.wrong_language += 1
                else:
                    self.kept += 1
                    self.tokens += len(ids)
                    self._digest.update(text.encode() + b"\n")
                    yield ids
            if self.kept == rules.max_documents:
                break
            # It may be clear that a corpus is mostly unusable long before its end.
            if rules.max_documents is None and read == _PATIENCE:
                self._check_usable()
            elif rules.max_documents is not None and read >= 20 * rules.max_documents:
                break
        self._check_usable()

    def _check_usable(self) -> None:
        rejected = self.short + self.wrong_language
        if self.kept and rejected <= self.kept:
            return
        reasons = [f"{self.kept} of at least {self.rules.min_tokens} tokens", f"{self.short} shorter"]
        reasons += [f"{self.wrong_language} in another language"] if self._check is not None else []
        reasons += [f"{self.duplicates} duplicates"] if self.duplicates else []
        raise InputError(
            f"the corpus {self.corpus.source} for {self.corpus.language} has too few usable documents",
            found=", ".join(reasons),
            expected="at least as many usable as unusable",
            hint="use longer documents or lower `min_tokens`"
            if self.short >= self.wrong_language
            else f"use text in {self.corpus.language}",
        )

    def describe(self) -> dict[str, Any]:
        """Return what a score file says of the corpus."""
        description: dict[str, Any] = {
            "name": self.corpus.name,
            "digest": self.digest,
            "skipped": self.short,
            "duplicates": self.duplicates,
            "seed": self.rules.seed,
            "max_tokens": self.rules.max_tokens,
            "min_tokens": self.rules.min_tokens,
        }
        if self._check is not None:
            description["wrong_language"] = self.wrong_language
        return description

    def summary(self) -> str:
        """Return one line for a terminal."""
        left_out = [f"{self.short} short"] if self.short else []
        left_out += [f"{self.duplicates} duplicates"] if self.duplicates else []
        if self._check is not None:
            share = 100 * self.wrong_language / max(1, self.kept + self.short + self.wrong_language)
            left_out.append(f"{self.wrong_language} in another language ({share:.1f} %)")
        line = f"{self.corpus.language}: {self.kept} documents, {self.tokens} tokens of {self.corpus.name}"
        return line + (f"; left out: {', '.join(left_out)}" if left_out else "")


def _normalised(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
