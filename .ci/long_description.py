"""The README as the page of a package index, which knows no other file of the repository.

MWORK_REPOSITORY_URL, set once where a release is built, says where the repository is (the release workflow knows it by
itself), and MWORK_REVISION which tag of it. Links to files then lead there. Without an address, images are left out and
such links become their text.
"""

import os
import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!\w+:|#)([^)\s]+)\)")


class LongDescription(MetadataHookInterface):
    """Fills in what depends on where the repository is."""

    def update(self, metadata: dict) -> None:
        """Set the long description and the project's addresses."""
        address = os.environ.get("MWORK_REPOSITORY_URL", "").rstrip("/")
        revision = os.environ.get("MWORK_REVISION") or "HEAD"
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": standing_alone(text, address, revision)}
        metadata["urls"] = addresses(address, revision)


def standing_alone(text: str, address: str, revision: str) -> str:
    """Return Markdown without links to files beside it."""

    def replaced(link: re.Match[str]) -> str:
        image, words, target = link.groups()
        if not address:
            return "" if image else words
        return f"{image}[{words}]({address}/{'raw' if image else 'blob'}/{revision}/{target})"

    return _LINK.sub(replaced, text)


def addresses(address: str, revision: str) -> dict[str, str]:
    """Return the project's addresses by what an index calls them; none without the repository's."""
    if not address:
        return {}
    return {
        "Repository": address,
        "Changelog": f"{address}/blob/{revision}/CHANGELOG.md",
        "Issues": f"{address}/issues",
    }
