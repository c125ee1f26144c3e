"""The feed of a leaderboard: its structure by RFC 4287, its order, and that it changes with results alone."""

import json
import os
import uuid
from datetime import datetime

import pytest
from helpers.leaderboard_folders import make_results_file
from helpers.report_folders import HOSTILE, make_folder

from mwork_eval.application.leaderboard import leaderboard
from mwork_eval.leaderboard.board import build_board
from mwork_eval.leaderboard.feed import MOST, news_of, render_feed
from mwork_eval.results.summaries.folders import find_results, read_all

etree = pytest.importorskip("lxml.etree")
ATOM = "{http://www.w3.org/2005/Atom}"


def board_of(folder):
    results, _ = read_all(find_results([folder]))
    return build_board(results, given=[folder])


def check_structure(text):
    """Check what RFC 4287 asks of a feed (Sections 4.1.1, 4.1.2 and 3.3); return it."""
    feed = etree.fromstring(text)
    assert feed.tag == f"{ATOM}feed"
    for element in (feed, *feed.findall(f"{ATOM}entry")):
        for tag in ("id", "title", "updated"):
            (one,) = element.findall(ATOM + tag)
            assert one.text
        assert uuid.UUID(element.find(f"{ATOM}id").text).version == 5
        assert element.find(f"{ATOM}id").text.startswith("urn:uuid:")
        assert datetime.fromisoformat(element.find(f"{ATOM}updated").text).tzinfo is not None
        alternate = [link for link in element.findall(f"{ATOM}link") if link.get("rel") == "alternate"]
        assert len(alternate) == 1
        assert all("://" not in link.get("href") for link in element.findall(f"{ATOM}link"))
    # Entries have no author of their own, so the feed has one.
    (author,) = feed.findall(f"{ATOM}author")
    assert author.find(f"{ATOM}name").text
    (own,) = [link for link in feed.findall(f"{ATOM}link") if link.get("rel") == "self"]
    assert own.get("href") == "feed.xml"
    identities = [one.text for one in feed.iter(f"{ATOM}id")]
    assert len(set(identities)) == len(identities)
    updated = [one.find(f"{ATOM}updated").text for one in feed.findall(f"{ATOM}entry")]
    assert updated == sorted(updated, reverse=True)
    assert feed.find(f"{ATOM}updated").text == max(updated, default="1970-01-01T00:00:00Z")
    return feed


def test_a_site_has_a_feed_with_an_entry_for_each_folder_of_a_row(tmp_path):
    inside = tmp_path / "in"
    make_results_file(inside / "old", {"xquad_en": 0.5, "xnli_en": 0.5}, model="a", date=1e9)
    make_results_file(inside / "new", {"xquad_en": 0.75}, model="a", date=2e9)
    make_results_file(inside / "other", {"xquad_en": 0.75}, model=f"{HOSTILE}\x0b", date=1.5e9)
    leaderboard([inside], out=tmp_path / "site")
    feed = check_structure((tmp_path / "site" / "feed.xml").read_bytes())
    entries = feed.findall(f"{ATOM}entry")
    assert [one.find(f"{ATOM}title").text for one in entries] == ["a", f"{HOSTILE}\N{REPLACEMENT CHARACTER}", "a"]
    assert [one.find(f"{ATOM}summary").text for one in entries] == [
        "1 score on xquad",
        "1 score on xquad",
        "2 scores on xnli, xquad",
    ]
    assert entries[0].find(f"{ATOM}updated").text == "2033-05-18T03:33:20Z"
    for one in entries:
        assert (tmp_path / "site" / one.find(f"{ATOM}link").get("href")).is_file()
    index = (tmp_path / "site" / "index.html").read_text()
    assert index.count('<time datetime="2033-05-18">') == 1
    assert '<link rel="alternate" type="application/atom+xml" title="mwork leaderboard" href="feed.xml">' in index


def test_changes_of_a_matrix_are_told(tmp_path):
    make_folder(tmp_path)
    (entry,) = news_of(board_of(tmp_path))
    assert entry.text == "3 scores and 3 changes on xquad"


def test_the_feed_is_the_same_for_the_same_results_and_an_entry_changes_with_its_own(tmp_path):
    make_results_file(tmp_path / "a", {"xquad_en": 0.5}, model="a")
    make_results_file(tmp_path / "b", {"xquad_en": 0.5}, model="b")
    first = {entry.model: entry.identity for entry in news_of(board_of(tmp_path))}
    assert render_feed(news_of(board_of(tmp_path))) == render_feed(news_of(board_of(tmp_path)))
    make_results_file(tmp_path / "b", {"xquad_en": 0.75}, model="b")
    second = {entry.model: entry.identity for entry in news_of(board_of(tmp_path))}
    assert second["a"] == first["a"]
    assert second["b"] != first["b"]


def test_a_folder_that_was_copied_is_no_news(tmp_path):
    folder = make_folder(tmp_path / "o")
    before = [entry.identity for entry in news_of(board_of(tmp_path))]
    os.utime(folder / "manifest.json", (2e9, 2e9))
    after = news_of(board_of(tmp_path))
    assert ([entry.identity for entry in after], after[0].moment) == (before, "2033-05-18T03:33:20Z")


def test_how_models_were_asked_is_told_where_it_is_not_as_usual(tmp_path):
    for name, shots in (("a", 0), ("b", 2)):
        path = make_results_file(tmp_path / name, {"xquad_en": 0.5, "xquad_zh": 0.5}, model=name)
        path.write_text(json.dumps(json.loads(path.read_text()) | {"n-shot": {"xquad_en": shots, "xquad_zh": shots}}))
    told = {entry.model: entry.text for entry in news_of(board_of(tmp_path))}
    assert told == {"a": "2 scores on xquad", "b": "2 scores on xquad (2 examples)"}


def test_the_newest_are_kept(tmp_path):
    for number in range(MOST + 5):
        make_results_file(tmp_path / str(number), {"xquad_en": 0.5}, model=f"m{number}", date=1e9 + number)
    entries = news_of(board_of(tmp_path))
    assert [entry.model for entry in entries] == [f"m{number}" for number in range(MOST + 4, 4, -1)]
    check_structure(render_feed(entries))


def test_a_feed_of_nothing_is_a_feed():
    check_structure(render_feed([]))
