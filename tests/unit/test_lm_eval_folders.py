"""What lm-eval documents is read, by whatever name it is written; what is damaged is one error that names the place."""

import errno
import json
import math
import os
import random
from pathlib import Path

import pytest
from helpers.commands import invoke
from helpers.gate_folders import answers, make_lm_eval
from helpers.leaderboard_folders import make_results_file
from helpers.lm_eval_folders import DATE, write_lm_eval_folder
from helpers.mutations import changed_text

from mwork_eval.errors import InputError
from mwork_eval.gate.check import check_folders
from mwork_eval.gate.limits import Limits
from mwork_eval.gate.reading import read_snapshot
from mwork_eval.leaderboard.board import build_board
from mwork_eval.leaderboard.tables import SCORE_FIELDS, as_csv, score_record
from mwork_eval.results.summaries.folders import find_results, read_all
from mwork_eval.results.summaries.lm_eval_file import read_results_file

TASKS = {"xquad_zh", "bpb_zh", "yn"}


def refused(path, *words):
    """Read a results file as both commands do; the error names it."""
    for read in (read_results_file, read_snapshot):
        with pytest.raises(InputError) as found:
            read(path)
        message = str(found.value)
        for word in (path.name, *words):
            assert word in message
        assert len(message.splitlines()) == 1


def edited(path, *keys, value):
    content = json.loads(path.read_text())
    inside = content
    for key in keys[:-1]:
        inside = inside[key]
    inside[keys[-1]] = value
    path.write_text(json.dumps(content).replace('"@deep@"', "[" * 2000 + "]" * 2000))


# Where results lie.


def test_a_folder_a_file_and_a_name_are_read_alike(tmp_path):
    inside = write_lm_eval_folder(tmp_path / "a" / "org__tiny")
    named = write_lm_eval_folder(tmp_path / "b", "my.run")
    assert named.name == f"my.run_{DATE}.json"
    places = [tmp_path / "a", inside.parent, inside, tmp_path / "b", named, tmp_path / "b" / "my.run.json"]
    first, *others = [read_snapshot(place) for place in places]
    assert {name.full for name in first.tasks()} == TASKS
    assert all(other == first for other in others)
    for place in places:
        assert find_results([place]) == [inside if place.is_relative_to(tmp_path / "a") else named]


def test_the_commands_take_them_too(tmp_path):
    new = write_lm_eval_folder(tmp_path / "new", "run")
    write_lm_eval_folder(tmp_path / "old" / "org__tiny")
    for place in (new, tmp_path / "new" / "run.json"):
        invoke("check", place, "--baseline", tmp_path / "old")
    assert (tmp_path / "new" / "check" / "check.json").is_file()
    invoke("check", tmp_path / "new" / "run", "--baseline", tmp_path / "old", code=2)
    assert not (tmp_path / "new" / "run").exists()
    invoke("leaderboard", new, tmp_path / "old", "--out", tmp_path / "site")
    assert (tmp_path / "site" / "index.html").is_file()


def test_the_newest_file_of_a_name_counts_for_each_task(tmp_path):
    old = make_lm_eval(tmp_path / "a", {"xnli_zh": answers(8, 4), "arc": answers(8, 4)})
    make_lm_eval(old, {"xnli_zh": answers(8, 6)}, date="2026-01-03T00-00-00")
    inside = old / "org__tiny"
    for path in inside.glob("results_*"):
        path.rename(path.with_name(path.name.replace("results", "mine")))
    scores = {name.full: scored.score.score for name, scored in read_snapshot(inside / "mine.json").tasks().items()}
    assert scores == {"xnli_zh": 0.75, "arc": 0.5}
    first = inside / "mine_2026-01-02T03-04-05.000001.json"
    assert read_snapshot(first).tasks().keys() == read_snapshot(old).tasks().keys()


def test_several_names_or_models_in_one_folder_are_told_apart(tmp_path):
    one = write_lm_eval_folder(tmp_path, "one")
    write_lm_eval_folder(tmp_path, "two")
    with pytest.raises(InputError, match=r"several models; found one.json, two.json; name one of these files"):
        read_snapshot(tmp_path)
    assert read_snapshot(one).model == "org/tiny"
    content = json.loads(one.read_text())
    later = tmp_path / "one_2026-02-02T03-04-05.json"
    later.write_text(json.dumps(content | {"model_name": "org/other"}))
    with pytest.raises(InputError, match=f"several models; found {one.name}, {later.name}; name one of these files"):
        read_snapshot(tmp_path / "one.json")


# What they hold.


def test_answers_alone_are_named_as_what_they_are(tmp_path):
    path = write_lm_eval_folder(tmp_path / "new", answers_alone=True)
    refused(path, "has no score of xquad_zh", "answers alone", "--predict_only")
    scored = write_lm_eval_folder(tmp_path / "old")
    output = invoke("check", path, "--baseline", scored, code=2).output
    assert "answers alone" in " ".join(output.split())
    output = invoke("leaderboard", tmp_path, "--out", tmp_path / "site").output
    assert "left out" in output
    assert "answers alone" in (tmp_path / "site" / "index.html").read_text()
    invoke("leaderboard", path, "--out", tmp_path / "none", code=2)


def test_what_cannot_be_read_is_left_out_and_named(tmp_path, monkeypatch):
    make_results_file(tmp_path / "good", {"xquad_en": 0.5})
    bad = make_results_file(tmp_path / "bad", {"xquad_en": 0.5})
    bad.write_text('{"config": ')
    closed = tmp_path / "closed"
    make_results_file(closed, {"xquad_en": 0.5})
    (tmp_path / "matrix").mkdir()
    (tmp_path / "matrix" / "manifest.json").write_text("[]")
    scandir = os.scandir

    def refuse(folder):
        if Path(folder) == closed:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)  # permissions alone do not stop root
    results, left_out = read_all(find_results([tmp_path]))
    assert (len(results), len(left_out)) == (1, 3)
    output = invoke("leaderboard", tmp_path, "--out", tmp_path / "site").output.replace("\n", "")
    index = (tmp_path / "site" / "index.html").read_text()
    assert "3 results could not be read" in index
    for place in (bad, closed, tmp_path / "matrix"):
        assert output.count(f"left out: {place}") + output.count(f"; left out: {place}") >= 1
        assert output.count(str(place)) == 2
        assert str(place.relative_to(tmp_path.parent)) in index
    assert str(tmp_path) not in index
    assert "nothing to show" in invoke("leaderboard", tmp_path / "bad", "--out", tmp_path / "none", code=2).output
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (("results", "yn", "acc,none"), math.nan, ("has no score of yn", "acc,none that is no number")),
        (("results", "xquad_zh", "acc,none"), -math.inf, ("has no score of xquad_zh",)),
        (("results", "yn", "acc,none"), True, ("results.yn: acc,none: a number",)),
        (("results", "yn", "acc,none"), 10**400, ("results.yn: acc,none: a number",)),
        (("results", "yn", "acc_stderr,none"), -1, ("results.yn: acc_stderr,none: below 0",)),
        (("results", "yn"), [], ("results.yn",)),
        (("n-samples", "yn", "effective"), -5, ("n-samples.yn.effective",)),
        (("n-samples", "yn", "effective"), 2.5, ("n-samples.yn.effective",)),
        (("n-samples", "yn", "effective"), True, ("n-samples.yn.effective",)),
        (("n-samples",), {}, ("no task",)),
        (("results",), {}, ("no results of bpb_zh xquad_zh yn",)),
        (("configs", "yn", "metric_list"), 5, ("configs.yn: metric_list",)),
        (("configs", "yn", "dataset_path"), ["x"], ("configs.yn: dataset_path",)),
        (("date",), 1e20, ("date",)),
        (("model_name",), 3, ("model_name",)),
        (("config", "mwork", "masked", "total"), "x", ("config.mwork.masked.total",)),
        (("configs", "yn"), "@deep@", ("recursion limit exceeded",)),
    ],
)
def test_a_wrong_value_is_one_error_that_names_file_and_place(tmp_path, keys, value, words):
    path = write_lm_eval_folder(tmp_path)
    edited(path, *keys, value=value)
    if keys[:2] == ("results", "yn"):  # else its documents tell that another metric is the mean
        (tmp_path / f"samples_yn_{DATE}.jsonl").unlink()
    if "has no score" in words[0]:
        with pytest.raises(InputError) as found:
            read_results_file(path)
        message = str(found.value)
        assert all(word in message for word in words)
        assert check_folders(path, path, Limits(), strict=False).exit_code == 2
    else:
        refused(path, "is damaged", *words)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("doc_id", math.inf, "line 2: doc_id"),
        ("doc_id", 2.5, "line 2: doc_id"),
        ("doc_id", "x", "line 2: doc_id"),
        ("filter", None, "line 2: filter"),
        ("doc_hash", 5, "line 2: doc_hash"),
        ("doc", [], "line 2: doc"),
        ("bits_per_byte", [math.nan, 3], "line 2: bits_per_byte.0"),
        ("bits_per_byte", [1.0], "line 2: bits_per_byte"),
        ("acc", 10**400, "line 2: acc: too large a number"),
    ],
)
def test_a_wrong_sample_is_one_error_that_names_file_and_line(tmp_path, name, value, words):
    path = write_lm_eval_folder(tmp_path)
    samples = tmp_path / f"samples_{'bpb_zh' if name == 'bits_per_byte' else 'yn'}_{DATE}.jsonl"
    lines = samples.read_text().splitlines()
    lines[1] = json.dumps(json.loads(lines[1]) | {name: value})
    samples.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=f"{samples.name} is damaged; found {words}"):
        read_snapshot(path)


def test_a_number_that_is_none_takes_no_other_metric(tmp_path):
    path = write_lm_eval_folder(tmp_path)
    edited(path, "results", "yn", "acc,none", value=math.nan)
    samples = tmp_path / f"samples_yn_{DATE}.jsonl"
    samples.write_text(samples.read_text().replace('"acc": 0,', '"acc": NaN,'))
    found = read_snapshot(path).scores["yn"]
    assert found is not None
    assert found.metric == "acc,none"
    assert not math.isfinite(found.score)
    assert check_folders(path, path, Limits(), strict=False).exit_code == 2


def test_changed_files_are_read_or_one_error(tmp_path, request):
    """Values at any place of results and samples are changed at random; nothing but an `InputError` comes of it."""
    generator = random.Random(15)
    old = write_lm_eval_folder(tmp_path / "old")
    new = write_lm_eval_folder(tmp_path / "new")
    files = [new, *new.parent.glob("samples_*")]
    whole = {path: path.read_text() for path in files}
    outcomes = {"read": 0, "refused": 0}
    for _ in range(request.config.getoption("--mutations")):
        path = generator.choice([new, new, *files])
        if path == new:
            path.write_text(changed_text(whole[path], generator))
        else:
            lines = whole[path].splitlines()
            number = generator.randrange(len(lines))
            lines[number] = changed_text(lines[number], generator)
            path.write_text("\n".join(lines))
        for problem in check_folders(old, new, Limits(), strict=False).problems:
            assert problem.subject != "results" or any(file.name in problem.reason for file in files)
            assert len(problem.reason.splitlines()) == 1
        try:
            results, _ = read_all([new])
        except InputError as error:
            message = str(error)
            assert any(file.name in message for file in files)
            assert len(message.splitlines()) == 1
            outcomes["refused"] += 1
        else:
            board = build_board(results)
            scores = [one for model in board.models for one in model.scores]
            assert all(math.isfinite(score.value) and score.documents >= 0 for score, _ in scores)
            as_csv(SCORE_FIELDS, (score_record(*one) for one in scores))
            outcomes["read"] += 1
        path.write_text(whole[path])
    assert min(outcomes.values()) > sum(outcomes.values()) // 20, outcomes
