"""The mean over tasks of what training changed, and the report on enhancements of several languages."""

import importlib.util
import json

import pytest
from click.testing import CliRunner
from helpers.enhancement_scores import FIRST, SECOND, SPECIFIC, delta, scores_of
from helpers.task_scores import accuracy, bits

from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.cli.main import main
from mwork_eval.enhancement.changes import mean_tables
from mwork_eval.enhancement.folder import read_enhancement
from mwork_eval.enhancement.record import Record
from mwork_eval.results.store import CellStore

FAMILIES = [TaskFamily(name, ("zh", "en")) for name in ("xquad", "mgsm", "bpb")]
ES_ONLY = TaskFamily("xcsqa", ("es", "en"))
SEVERAL = [SPECIFIC, FIRST, SECOND]


def by_hand(deltas=SEVERAL, language="zh"):
    """Scores of two benchmarks in points, of 4 and 2 documents, and of one in bits per byte."""
    specific, first, second = deltas
    xquad, mgsm, bpb = (TaskFamily(family.name, (language, "en")) for family in FAMILIES)
    before = [bits((10.0, 5.0)), bits((4.0, 2.0))]
    return {
        **scores_of(
            xquad,
            {
                None: [accuracy(0, 0, 1, 1), accuracy(1, 1)],
                specific: [accuracy(1, 1, 1, 1), accuracy(1, 0)],
                first: [accuracy(1, 0, 1, 1), accuracy(1, 1)],
                second: [accuracy(0, 0, 1, 0), accuracy(1, 1)],
            },
        ),
        **scores_of(
            mgsm,
            {
                None: [accuracy(0, 0), accuracy(0, 1)],
                specific: [accuracy(1, 0), accuracy(0, 1)],
                first: [accuracy(0, 0), accuracy(1, 1)],
                second: [accuracy(0, 1), accuracy(0, 1)],
            },
        ),
        **scores_of(bpb, {None: before} | {key: [bits((9.0, 5.0)), before[1]] for key in deltas}),
    }


def test_the_mean_over_tasks_is_of_one_unit():
    points, bytewise = mean_tables(SEVERAL, [*FAMILIES, ES_ONLY], by_hand())
    assert (points.task, points.unit, points.trained) == ("mean of xquad, mgsm", "points", ("zh",))
    assert (bytewise.task, bytewise.unit) == ("mean of bpb", "bits per byte")
    assert [(c.languages, c.against) for c in points.columns] == [(("zh",), None), (("en",), None), (("zh",), "en")]
    # A task counts one, however many documents it has: xquad 50 of 4 documents, mgsm 0 of 2.
    assert [column.base for column in points.columns] == pytest.approx([25, 75, 25])
    own, english, against = (column.effects[0] for column in points.columns)
    assert own.specific.mean.value == pytest.approx((50 + 50) / 2)
    assert own.random.by_seed == pytest.approx(((25 + 0) / 2, (-25 + 50) / 2))
    assert english.specific.mean.value == pytest.approx((-50 + 0) / 2)
    assert against.specific.mean.value == pytest.approx(50 + 25)
    assert own.difference.value == pytest.approx(50 - 12.5)
    # Fewer bits are a gain.
    assert bytewise.columns[0].effects[0].specific.mean.value == pytest.approx(0.2)


def test_a_benchmark_named_in_two_ways_counts_once():
    twice = mean_tables(SEVERAL, [*FAMILIES, TaskFamily("xquad_{l}", ("zh", "en"))], by_hand())
    assert twice == mean_tables(SEVERAL, FAMILIES, by_hand())


def test_what_is_not_scored_is_left_out_of_the_mean():
    scores = {key: score for key, score in by_hand().items() if key != (SECOND, "mgsm_en")}
    points = mean_tables(SEVERAL, FAMILIES, scores)[0]
    assert len(points.columns[0].effects[0].random.by_seed) == 1
    only_base = {key: score for key, score in by_hand().items() if key[0] is None}
    assert mean_tables(SEVERAL, FAMILIES, only_base) == []


def write_folder(folder, language="zh", fingerprint="f"):
    """What `mwork enhance --evaluate` leaves, without deltas' values."""
    deltas = [
        delta(kind, seed, languages=(language,)) for kind, seed in (("specific", 0), ("random", 1), ("random", 2))
    ]
    Record("org/model", fingerprint, {"sets": {}}, {}, {}, tuple(deltas)).save(folder)
    store, cells = CellStore(folder), []
    for (of, task), score in by_hand(deltas, language).items():
        identity = f"{len(cells):064x}"
        store.save(identity, score, {}, [])
        cells.append({"delta": None if of is None else of.file, "task": task, "identity": identity})
    families = [{"name": family.name, "languages": [language, "en"], "missing": []} for family in FAMILIES]
    (folder / "improvement.json").write_text(json.dumps({"families": families, "cells": cells}))
    return folder


def report(*arguments, code=0):
    result = CliRunner().invoke(main, ["report", *map(str, arguments)])
    assert result.exit_code == code, result.output + str(result.exception)
    return result.output


def test_a_report_on_several_languages(tmp_path):
    folders = [write_folder(tmp_path / code, code) for code in ("zh", "es")]
    assert dict(read_enhancement(folders[0]).scores) == by_hand()
    figures = ["--figures"] if importlib.util.find_spec("matplotlib") else []
    text = report(*folders, "--out", tmp_path / "o", *figures)
    for code in ("zh", "es"):
        assert f"mean of xquad, mgsm after training 5 neurons on {code}" in text
    written = json.loads((tmp_path / "o" / "improvements.json").read_text())
    assert [(t["trained"], t["unit"]) for t in written["tables"]] == [
        (["zh"], "points"),
        (["zh"], "bits per byte"),
        (["es"], "points"),
        (["es"], "bits per byte"),
    ]
    assert "| 8 | specific | +50.0 " in (tmp_path / "o" / "improvements.md").read_text()
    if figures:
        drawn = (tmp_path / "o" / "improvements.svg").read_text()
        assert drawn.count("<svg") == 1


def asked(folder, **how):
    path = folder / "improvement.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | how))
    return folder


def test_a_report_on_several_languages_is_of_one_way_of_asking_and_says_it(tmp_path):
    zh, es = (write_folder(tmp_path / code, code) for code in ("zh", "es"))
    assert "Prompts" not in report(zh, es, "--out", tmp_path / "o", "--formats", "terminal,md")
    asked(zh, prompting={"system_instruction": "S"})
    message = "found zh plain texts; system instruction 'S' (8de0b3c4), es as the task files say; expected one way"
    assert message in report(zh, es, "--out", tmp_path / "o", code=2)
    asked(es, prompting={"system_instruction": "S"}, model_args={"max_length": 64})
    assert 'model arguments {"max_length":64}; expected one way' in report(zh, es, "--out", tmp_path / "o", code=2)
    # What changes no answer does not matter.
    asked(zh, model_args={"max_length": 64, "max_batch_size": 2})
    said = "Prompts: plain texts; system instruction 'S' (8de0b3c4). Model arguments: max_length=64."
    printed = report(zh, es, "--out", tmp_path / "o", "--formats", "terminal,md,json")
    assert said in " ".join(printed.split())
    assert "Model arguments: max" in (tmp_path / "o" / "improvements.md").read_text()
    written = json.loads((tmp_path / "o" / "improvements.json").read_text())
    assert (written["prompting"], written["model_args"]) == ({"system_instruction": "S"}, {"max_length": 64})


def test_what_cannot_be_reported_together_is_said(tmp_path):
    zh, other = write_folder(tmp_path / "zh"), write_folder(tmp_path / "other", "es", "g")
    assert "enhancements of different models" in report(zh, other, "--out", tmp_path / "o", code=2)
    again = write_folder(tmp_path / "again")
    assert "folders that train the same language; found zh" in report(zh, again, "--out", tmp_path / "o", code=2)
    assert "several results folders need --out" in report(zh, other, code=2)
    (tmp_path / "matrix").mkdir()
    assert "and others in one report" in report(zh, tmp_path / "matrix", "--out", tmp_path / "o", code=2)
    (zh / "improvement.json").write_text("{}")
    assert "does not say where the scores are; found a file of an earlier version" in report(zh, code=2)
    (zh / "improvement.json").unlink()
    assert "holds no scores" in report(zh, code=2)
