"""Check that a tag, the package, the citation and the changelog name one version: `release_version.py v1.2.3`."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def faults(tag: str, root: Path = ROOT) -> list[str]:
    """Return a line for each file that says another version than the tag."""
    version = tag.removeprefix("v")
    package = (root / "mwork_eval" / "versions.py").read_text(encoding="utf-8")
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    found = []
    if not re.search(rf'^__version__ = "{re.escape(version)}"$', package, re.MULTILINE):
        found.append(f"mwork_eval/versions.py has another version than the tag {tag}")
    if not re.search(rf"^version: {re.escape(version)}$", citation, re.MULTILINE):
        found.append(f"CITATION.cff has another version than the tag {tag}")
    if not re.search(rf"^## {re.escape(version)}(?! \(unreleased\))(?![\w.])", changelog, re.MULTILINE):
        found.append(f"CHANGELOG.md has no part for {version}, or it still says unreleased")
    return found


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: release_version.py vX.Y.Z")
    sys.exit("\n".join(faults(sys.argv[1])) or None)
