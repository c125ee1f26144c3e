"""Make score files of other tools' statistics."""

from collections.abc import Callable, Sequence
from pathlib import Path

from mwork_eval.application.arguments import folder_to_write
from mwork_eval.application.foreign_target import foreign_target
from mwork_eval.detection.score_table import IMPORTED, ScoreTable
from mwork_eval.digests import digest_of_file
from mwork_eval.errors import InputError
from mwork_eval.interchange.activation_counts import read_counts
from mwork_eval.neurons.references import SUFFIX
from mwork_eval.versions import __version__


def import_scores(
    files: Sequence[Path],
    languages: Sequence[str],
    out: Path,
    tell: Callable[[str], object],
    *,
    model: str | None = None,
    like: str | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> None:
    """Make score files of activation counts and write `OUT/scores/LANGUAGE.safetensors`.

    They hold the column `over_zero` of the feed-forward alone, which detectors by entropy read.

    Args:
        files: A file of each language.
        languages: The languages, in the order of the files.
        out: Where to.
        tell: Told each file.
        model: Name of the model.
        like: Reference of a neuron set of it, instead.
        revision: Which of the hub's it is.
        trust_remote_code: Run the code that the model brings, if it brings some.

    Raises:
        InputError: If there is not one file for each language, or one cannot be read or does not fit the model;
            nothing is written then.
    """
    if len(files) != len(languages):
        raise InputError(
            "activation counts are a file for each language",
            found=f"{len(files)} files and {len(languages)} languages",
            expected="as many languages as files, in their order",
            hint="give them with `languages`",
        )
    if missing := [path for path in files if not path.is_file()]:
        raise InputError("file not found", found=missing[0], expected="a file to import")
    folder = folder_to_write(out)
    assert folder is not None
    target = foreign_target(model, like, revision, trust_remote_code=trust_remote_code)
    tables = {}
    for language, path in zip(languages, files, strict=True):
        found = read_counts(path, target)
        origin = {"format": "activation counts", "file": path.name, "digest": digest_of_file(path)}
        about = {
            "model": target.name,
            "fingerprint": None,
            "language": language,
            "method": IMPORTED,
            "corpus": {},
            # Such counts are of one stream of text, cut into blocks of equal length.
            "documents": 1,
            "tokens": found.tokens,
            "recorded": ["activations"],
            "activation_tokens": found.tokens,
            "version": __version__,
            "origin": {**origin, "left_out": list(found.left_out)} if found.left_out else origin,
        }
        tables[language] = ScoreTable(target.shape, found.columns, about)
    for language, table in tables.items():
        path = folder / "scores" / f"{language}{SUFFIX}"
        table.save(path)
        left_out = table.about["origin"].get("left_out", [])
        tell(f"{path}: {table.about['tokens']:,} tokens" + (f"; left out {' '.join(left_out)}" if left_out else ""))
