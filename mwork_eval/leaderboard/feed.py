"""What is new on a leaderboard: a list for its first page, and a feed that readers can follow."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

from mwork_eval.digests import digest_of
from mwork_eval.leaderboard.board import Board, slug_of
from mwork_eval.leaderboard.contests import AS_THE_TASK_SAYS, in_words
from mwork_eval.leaderboard.naming import label_of, several_weights
from mwork_eval.results.summaries.entries import Contender, RowEffect, Score

MOST = 50
"""Entries of the feed."""
_ATOM = "http://www.w3.org/2005/Atom"
_TITLE = "mwork leaderboard"
_LISTED = 6


@dataclass(frozen=True)
class NewsEntry:
    """What one results folder brought of one model.

    Attributes:
        model: Name of the row.
        href: Its page, from the first page.
        text: What was scored, in words.
        time: When, in seconds since 1970.
        identity: A name that changes with the content alone.
    """

    model: str
    href: str
    text: str
    time: float
    identity: uuid.UUID

    @property
    def date(self) -> str:
        """The day."""
        return self._at.date().isoformat()

    @property
    def moment(self) -> str:
        """The second, as feeds write it."""
        return self._at.isoformat(timespec="seconds").replace("+00:00", "Z")

    @property
    def _at(self) -> datetime:
        return datetime.fromtimestamp(self.time, UTC)


def news_of(board: Board) -> list[NewsEntry]:
    """Return what is new, the newest first: an entry for each row and results folder, at most `MOST`."""
    found: dict[tuple[Contender, str], tuple[list[Score], list[RowEffect]]] = defaultdict(lambda: ([], []))
    for model in board.models:
        for score, _ in model.scores:
            found[_row(board, score.contender), str(score.folder)][0].append(score)
        for change, _ in model.changes:
            found[_row(board, change.contender), str(change.folder)][1].append(change)
    several = several_weights(who for who, _ in found)
    entries = [_entry(who, label_of(who, several), folder, *of) for (who, folder), of in found.items()]
    return sorted(entries, key=lambda entry: (-entry.time, entry.model, entry.text, entry.identity))[:MOST]


def render_feed(entries: Sequence[NewsEntry]) -> bytes:
    """Return news as an Atom feed (RFC 4287), the same for the same results."""
    feed = ElementTree.Element("feed", {"xmlns": _ATOM})
    newest = max((entry.time for entry in entries), default=0.0)
    _text(feed, "id", uuid.uuid5(uuid.NAMESPACE_URL, _TITLE).urn)
    _text(feed, "title", _TITLE)
    _text(feed, "updated", datetime.fromtimestamp(newest, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"))
    _text(ElementTree.SubElement(feed, "author"), "name", _TITLE)
    ElementTree.SubElement(feed, "link", {"rel": "self", "href": "feed.xml"})
    ElementTree.SubElement(feed, "link", {"rel": "alternate", "href": "index.html"})
    for entry in entries:
        one = ElementTree.SubElement(feed, "entry")
        _text(one, "id", entry.identity.urn)
        _text(one, "title", entry.model)
        _text(one, "updated", entry.moment)
        ElementTree.SubElement(one, "link", {"rel": "alternate", "href": entry.href})
        _text(one, "summary", entry.text)
    ElementTree.indent(feed)
    text: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _row(board: Board, contender: Contender) -> Contender:
    return board.same.get(contender, contender)


def _entry(who: Contender, label: str, folder: str, scores: Sequence[Score], changes: Sequence[RowEffect]) -> NewsEntry:
    entries: list[Score | RowEffect] = [*scores, *changes]
    time = max(entry.time for entry in entries)
    benchmarks = sorted({entry.benchmark for entry in entries})
    on = ", ".join(benchmarks[:_LISTED]) + (f" and {len(benchmarks) - _LISTED} more" if benchmarks[_LISTED:] else "")
    ways = {in_words(score) for score in scores}
    asked = f" ({ways.pop()})" if len(ways) == 1 and ways != {AS_THE_TASK_SAYS} else ""
    counts = [
        f"{count} {what}{'s' if count != 1 else ''}"
        for count, what in ((len(scores), "score"), (len(changes), "change"))
        if count
    ]
    numbers = sorted([score.task, score.metric, score.value] for score in scores)
    numbers += sorted(
        [change.preset, change.setting, change.benchmark, change.values["delta"][0]] for change in changes
    )
    # Without the time: that of a matrix is its manifest's, which copying a folder may change.
    content = digest_of([who.model, who.mask, who.fingerprint, folder, numbers])
    return NewsEntry(
        label,
        f"models/{slug_of(who.model)}/index.html",
        f"{' and '.join(counts)} on {on}{asked}",
        time,
        uuid.uuid5(uuid.NAMESPACE_OID, content),
    )


def _text(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = "".join(
        sign if _is_xml(sign) else "\N{REPLACEMENT CHARACTER}" for sign in text
    )


def _is_xml(sign: str) -> bool:
    """Return whether XML can hold a sign (Section 2.2 of XML 1.0)."""
    code = ord(sign)
    return sign in "\t\n\r" or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000
