"""Answers beside those of the unmasked model."""

import math

import pytest
from helpers.earlier_files import without_digests
from helpers.manifests import edited_manifest
from helpers.report_folders import make_folder, sample

from mwork_eval.errors import InputError
from mwork_eval.results.answers import read_answers
from mwork_eval.results.sample_text import answered, shorten
from mwork_eval.results.store import CellStore, load_manifest
from mwork_eval.results.tables import read_results

pytest_plugins = ["helpers.report_fixtures"]


def test_answers_stand_beside_the_unmasked_ones(folder, results):
    answers = read_answers(results)
    manifest = load_manifest(folder)
    baseline = {cell.language: cell.identity for cell in manifest.cells if cell.setting is None}
    assert len(answers.rows) == answers.total == 16 * 24
    scores = results.scores
    for row in answers.rows:
        document, cell = answers.documents[row.document], answers.cells[row.cell]
        assert document.language == cell.language
        before = scores[baseline[cell.language]].documents[document.number][0]
        after = scores[cell.identity].documents[document.number][0]
        assert (document.sample.score, row.sample.score) == (before, after)
        assert document.sample.prompt == f"Question {document.number}? "
        assert document.sample.gold == f"gold {document.number} | "
        assert row.sample.answer.startswith("gold" if after else "no idea")
        assert (row.sample.whole_answer != document.sample.whole_answer) == (before != after)


@pytest.mark.parametrize("most", [1, 5, 16, 100])
def test_the_number_of_answers_is_bounded_and_spread_over_the_cells(results, most):
    answers = read_answers(results, most)
    assert 0 < len(answers.rows) <= most
    assert answers.total == 16 * 24
    assert len({row.cell for row in answers.rows}) == len(answers.cells) <= min(most, 16)
    if most >= 16:
        numbers = {answers.documents[row.document].number for row in answers.rows}
        assert numbers == set(range(most // 16))


def test_samples_are_matched_by_document_whatever_their_order_and_filter(tmp_path):
    folder = make_folder(tmp_path, documents=3)
    store = CellStore(folder)
    for cell in load_manifest(folder).cells:
        score, masked = store.load(cell.identity), cell.setting is not None
        samples = [sample(n, bool(score.documents[n][0]), "") for n in ((2, 0, 1) if masked else (1, 2, 0))]
        others = [{**one, "filter": "strict", "resps": [["wrong filter"]]} for one in samples]
        store.save(cell.identity, score, {}, others + samples)
    answers = read_answers(read_results(folder))
    assert len(answers.rows) == 16 * 3
    for row in answers.rows:
        document = answers.documents[row.document]
        assert document.sample.answer == (f"gold {document.number} " if document.sample.score else "no idea ")
        assert row.sample.answer == (f"gold {document.number} " if row.sample.score else "no idea ")


def test_a_cell_that_presets_share_appears_once(tmp_path):
    folder = make_folder(tmp_path, documents=3)
    with edited_manifest(folder) as manifest:
        manifest["presets"].append(manifest["presets"][0] | {"name": "again"})
        manifest["cells"] += [cell | {"preset": "again"} for cell in manifest["cells"]]
    answers = read_answers(read_results(folder))
    assert len(answers.rows) == answers.total == 16 * 3
    assert {cell.preset for cell in answers.cells} == {"mine"}


def test_a_torn_file_of_samples_is_an_error(tmp_path):
    folder = make_folder(tmp_path, documents=3)
    path = CellStore(folder).path("5")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"5\.jsonl is damaged"):
        read_answers(read_results(folder))


def test_every_kind_of_request_has_an_answer_in_words():
    choice = {
        "arguments": [["Why?", " because"], ["Why?", " so"]],
        "resps": [[[-3.0, False]], [[-2.0, True]]],
        "target": 0,
        "acc": 0.0,
    }
    found = answered(choice, "acc")
    assert (found.prompt, found.gold, found.answer, found.score) == ("Why?", "because", "so", 0)
    contexts = choice | {"arguments": [["The cup", "fell"], ["The ball", "fell"]], "target": "1"}
    assert answered(contexts, "acc").answer == "The ball"
    single = {"arguments": [["The", " end"]], "resps": [[[-1.5, True]]], "target": " end", "acc": 1.0}
    assert answered(single, "acc").answer == "end (the likeliest, -1.50 nats)"
    assert answered(single, "acc").gold == "end"
    nats = -10 * math.log(2)
    text = {"arguments": [["A text."]], "resps": [[nats]], "target": "A text.", "bits_per_byte": [nats, 5]}
    found = answered(text, "bits_per_byte")
    assert (found.prompt, found.gold, found.answer) == ("A text.", "", "2.000 bits per byte")
    assert found.score == pytest.approx(2)


def test_a_long_text_loses_its_middle_and_says_so():
    assert shorten("a" * 10, 10) == "a" * 10
    assert shorten("a" * 600 + "b" * 1400, 1000) == "a" * 500 + " […1,000 characters left out…] " + "b" * 500
    assert shorten("\ud800", 10) == "?"


def test_samples_without_a_score_are_an_error(tmp_path):
    folder = make_folder(tmp_path, documents=3)
    path = CellStore(folder).path("5")
    path.write_text(without_digests(path).replace('"acc": ', '"acd": '))
    with pytest.raises(InputError, match=r"5\.jsonl is damaged; found a sample with KeyError 'acc'"):
        read_answers(read_results(folder))
