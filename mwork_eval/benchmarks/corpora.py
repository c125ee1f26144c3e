"""Free text that a benchmark reads from corpora that are named one by one, such as `ja=ja.txt,ko=hub:fineweb-2`."""

from itertools import islice
from pathlib import Path

from mwork_eval.benchmarks.excerpt import excerpt
from mwork_eval.benchmarks.readers import Rows
from mwork_eval.detection.corpus.hub import PREFIX
from mwork_eval.detection.corpus.sources import Corpus, parse_corpora
from mwork_eval.errors import InputError

DETECTION_DOCUMENTS = 64
"""Documents at the head of a corpus that a benchmark of free text leaves to detection (which reads 24 unless asked for
more): text the neurons were chosen on is no held-out text."""

HUB_ARTICLES = 200
"""Articles that such a benchmark reads from the hub, after those."""

HUB_ARTICLE_CHARACTERS = 1000
"""Longest beginning of such an article; the cut is at the end of a sentence or paragraph."""


def names_corpora(source: str) -> bool:
    """Say whether a source of data names corpora by language, and is no directory."""
    return "=" in source and not Path(source).expanduser().is_dir()


def find_corpus(source: str, language: str, title: str) -> Corpus:
    """Return the corpus of a language; nothing is read or fetched.

    Args:
        source: `LANGUAGE=SOURCE` each, joined by commas; a source as `--corpus` takes it.
        language: Tag of the language.
        title: What the benchmark is called in messages.

    Raises:
        InputError: If the language is not among them, or one is no corpus.
    """
    corpora = {corpus.language: corpus for corpus in parse_corpora(source.split(","), None)}
    if language not in corpora:
        raise InputError(
            f"no corpus of {title} in {language}", found=" ".join(corpora), expected=f"also {language}=FILE in `data`"
        )
    return corpora[language]


def corpus_records(corpus: Corpus) -> Rows:
    """Yield what a benchmark scores of a corpus, with places: what follows the documents that are left to detection.

    Of a data set of the hub these are 200, of each the beginning.

    Raises:
        InputError: If the corpus cannot be read, or has no more documents than are left to detection.
    """
    is_hub = corpus.source.startswith(PREFIX)
    last = DETECTION_DOCUMENTS + HUB_ARTICLES if is_hub else None
    number = DETECTION_DOCUMENTS
    for number, text in enumerate(islice(corpus.documents(), DETECTION_DOCUMENTS, last), DETECTION_DOCUMENTS + 1):
        yield f"document {number}", {"text": excerpt(text, HUB_ARTICLE_CHARACTERS) if is_hub else text}
    if number == DETECTION_DOCUMENTS:
        raise InputError(
            f"the corpus of {corpus.language} has no text to score",
            found=f"no more than {DETECTION_DOCUMENTS} documents in {corpus.source}",
            expected=f"more: the first {DETECTION_DOCUMENTS} are left to detection",
            hint=f"held-out text lies in DIR/heldout/{corpus.language}.txt, with `data=DIR`",
        )
