"""How often the language of a text is told, and how often told wrongly, by length and by what was asked for.

    python benchmarks/answer_language.py --corpus FOLDER [--texts 100]

The folder holds one `LANGUAGE.txt` per language, a document a line. Texts are cut out of documents at random: whole
words, or characters where words have no blanks. Three cases: the language asked for; English, where another was asked
for; and a neighbour, the language of the folder that is closest to the one asked for.
"""

import argparse
import random
import time
from collections import defaultdict
from pathlib import Path

from common import print_figures

from mwork_eval.languages.judgement import Judgement, judge_text

LENGTHS = (20, 40, 80, 120, 200)
"""Characters, at least; at most 30 % more."""
NEIGHBOURS = {"es": "pt", "pt": "es", "it": "es", "fr": "es", "zh": "ja", "ja": "zh", "ru": "uk", "uk": "ru"}
"""Asked for instead, by the language of the text."""


def cut(document: str, length: int, rng: random.Random) -> str | None:
    """Return a part of a document of about `length` characters, or None if it is too short."""
    if len(document) < 2 * length:
        return None
    start = rng.randrange(len(document) - int(1.3 * length))
    if document.count(" ") * 20 > len(document):
        start = document.index(" ", start) + 1 if " " in document[start:] else start
        part = document[start : start + int(1.3 * length)]
        text = part[: part.rfind(" ")] if " " in part else part
    else:
        text = document[start : start + length]
    return text if len(text) >= length else None


def texts_of(path: Path, length: int, count: int) -> list[str]:
    """Cut texts of one length out of the documents of a file."""
    rng = random.Random(f"{path.stem} {length}")
    documents = path.read_text(encoding="utf-8").splitlines()
    found = (cut(rng.choice(documents), length, rng) for _ in range(50 * count))
    return [text for text in found if text is not None][:count]


def main() -> None:
    """Print shares by case and length, and by language."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=100)
    options = parser.parse_args()
    languages = sorted(path.stem for path in options.corpus.glob("??.txt"))
    counts: defaultdict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    began = time.perf_counter()
    for language in languages:
        asked = {"asked": [language]} if language != "en" else {"english": [code for code in languages if code != "en"]}
        asked |= {"neighbour": [NEIGHBOURS[language]]} if language in NEIGHBOURS else {}
        for length in LENGTHS:
            for text in texts_of(options.corpus / f"{language}.txt", length, options.texts):
                for case, codes in asked.items():
                    right = {"asked": Judgement.ASKED, "english": Judgement.ENGLISH}.get(case, Judgement.OTHER)
                    for code in codes:
                        judged = judge_text(text, code)
                        for name in ("all", f"{language} asked {code}"):
                            found = counts[case, name, length]
                            found[0] += 1
                            found[1] += judged is not Judgement.UNDECIDED
                            found[2] += judged not in (Judgement.UNDECIDED, right)
    seconds = time.perf_counter() - began
    for (case, name, length), (texts, judged, wrong) in sorted(counts.items()):
        print(
            f"{case:9}  {name:12}  {length:4} characters  {texts:5} texts  {judged / texts:6.1%} judged  {wrong} wrong"
        )
    overall = {
        f"{case} {length}": {"texts": texts, "judged": judged / texts, "wrong": wrong / texts}
        for (case, name, length), (texts, judged, wrong) in counts.items()
        if name == "all"
    }
    each = seconds / sum(texts for (_, name, _), (texts, _, _) in counts.items() if name == "all")
    print_figures(benchmark="answer_language", languages=languages, milliseconds_each=1000 * each, figures=overall)


if __name__ == "__main__":
    main()
