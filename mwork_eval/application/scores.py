"""Work with score files."""

from collections.abc import Callable, Sequence
from pathlib import Path

from mwork_eval.detection.partial import PartialScores, merge_shards
from mwork_eval.neurons.references import SUFFIX


def merge_scores(files: Sequence[Path], out: Path, tell: Callable[[str], object]) -> None:
    """Join the shards of detections and write `OUT/scores/LANGUAGE.safetensors`.

    Args:
        files: The shards, of one language or of several; nothing is written unless those of every language fit.
        out: Where to.
        tell: Told each file.

    Raises:
        InputError: If a shard is missing, doubled, unfinished or damaged, or belongs to another run.
    """
    by_language: dict[str, list[tuple[Path, PartialScores]]] = {}
    for file in files:
        part = PartialScores.load(file)
        by_language.setdefault(part.run["about"]["language"], []).append((file, part))
    merged = {
        language: merge_shards([part for _, part in shards], [str(file) for file, _ in shards])
        for language, shards in by_language.items()
    }
    for language, part in merged.items():
        path = out / "scores" / f"{language}{SUFFIX}"
        part.table().save(path)
        tell(f"{path}: {part.documents} documents of {len(by_language[language])} shards")
