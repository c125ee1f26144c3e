"""Files as earlier versions wrote them: without digests, so that a test may change what they say."""

import re
from pathlib import Path


def without_digests(path: Path) -> str:
    """Return the text of a JSON or JSON Lines file without the digests of its head."""
    text = re.sub(r'^\{"digest": "[0-9a-f]{64}",\s*', "{", path.read_text(encoding="utf-8"))
    return re.sub(r', "samples_digest": "[0-9a-f]{64}"', "", text, count=1)


def rewrite(path: Path, *changes: tuple[str, str]) -> None:
    """Replace texts in a file, which has no digests then; each must be there."""
    text = without_digests(path)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
