"""Families of lm-eval's tasks in a matrix: groups that count as one task, own names of tasks, a chosen metric."""

import json
from statistics import mean

import lm_eval
import pytest
from click.testing import CliRunner
from lm_eval.tasks import TaskManager

import mwork_eval as mw
from mwork_eval.application.report import write_reports
from mwork_eval.cli.main import main
from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import evaluate_task, prepare_tasks
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.gate.reading import read_snapshot
from mwork_eval.lm.model import MworkHF
from mwork_eval.neurons.tuned_stages import TunedOn
from mwork_eval.reports.formats.lm_eval import write_lm_eval_folders
from mwork_eval.results.answers import read_answers
from mwork_eval.results.manifest import Manifest
from mwork_eval.results.store import CellStore
from mwork_eval.results.tables import read_results

pytest_plugins = ["helpers.matrix_fixtures"]

TASK = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {path}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "Q: {{{{q}}}} A:"
doc_to_choice: ["a", "bb", "some longer answer"]
doc_to_target: "{{{{a}}}}"
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
metadata: {{version: 1.0}}
"""
SIZES = {"sums": 7, "words": 4}
LANGUAGES = {"en": "eng_Latn", "zh": "zho_Hans", "es": "spa_Latn"}


@pytest.fixture
def family(tmp_path, monkeypatch):
    """A family of groups, `quiz_zho_Hans` with two tasks each, and the tasks themselves."""
    folder = tmp_path / "quiz"
    folder.mkdir()
    for code in LANGUAGES.values():
        for part, size in SIZES.items():
            name = f"quiz_{code}_{part}"
            rows = [{"q": f"{code} {part} {number}", "a": number % 3} for number in range(size)]
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            (folder / f"{name}.yaml").write_text(TASK.format(name=name, path=folder / f"{name}.jsonl"))
        parts = "".join(f"  - quiz_{code}_{part}\n" for part in SIZES)
        aggregate = "aggregate_metric_list:\n  - {metric: acc, weight_by_size: true}\n"
        (folder / f"_quiz_{code}.yaml").write_text(f"group: quiz_{code}\ntask:\n{parts}{aggregate}")
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    monkeypatch.setattr("mwork_eval.evaluation.task_manager._index_all", lambda: manager.task_index)
    return manager


@pytest.fixture(scope="module")
def lm(tiny_llama):
    return MworkHF(str(tiny_llama), device="cpu", dtype="float32", batch_size=8)


def run(tiny_llama, neurons, out, **options):
    given = {"languages": ["en", "zh", "es"], "seeds": [1], "device": "cpu", "dtype": "float32", "progress": False}
    return mw.ablate(str(tiny_llama), neurons=str(neurons), out=out, **{**given, **options})


def test_a_group_is_one_task_with_the_documents_of_its_tasks(family, lm):
    prepared = prepare_tasks(["quiz_eng_Latn"], data=None)["quiz_eng_Latn"]
    assert (prepared.requests, len(prepared.clusters), len(set(prepared.clusters.values()))) == (33, 11, 11)
    score, samples, about = evaluate_task(lm, prepared)
    names = [f"quiz_eng_Latn_{part}" for part in SIZES]
    alone = lm_eval.simple_evaluate(model=lm, tasks=names, task_manager=family, bootstrap_iters=0)
    expected = [sample["acc"] for name in names for sample in alone["samples"][name]]
    assert [numerator for numerator, _ in score.documents] == expected
    assert score.score == pytest.approx(mean(expected))
    group = lm_eval.simple_evaluate(model=lm, tasks=["quiz_eng_Latn"], task_manager=family, bootstrap_iters=0)
    assert score.score == pytest.approx(group["groups"]["quiz_eng_Latn"]["acc,none"])
    assert [sample["doc_id"] for sample in samples] == list(range(11))
    assert [sample["subtask"] for sample in samples] == [names[0]] * 7 + [names[1]] * 4
    assert about["config"]["task"] == names
    assert about["version"] == 1.0


def test_a_limit_is_of_the_whole_group_and_alike_in_every_language(family, lm):
    names = [f"quiz_{code}" for code in LANGUAGES.values()]
    prepared = prepare_tasks(names, data=None, sample=Sample(limit=4))
    assert {name: list(task.documents) for name, task in prepared.items()} == {name: [0, 2, 4, 8] for name in names}
    parts = {one.name: list(one.documents) for one in prepared["quiz_eng_Latn"].parts}
    assert parts == {"quiz_eng_Latn_sums": [0, 2, 4], "quiz_eng_Latn_words": [1]}
    score, samples, _ = evaluate_task(lm, prepared["quiz_eng_Latn"])
    assert [sample["doc_id"] for sample in samples] == [0, 2, 4, 8]
    assert len(score.documents) == 4
    (one,) = prepare_tasks(["quiz_eng_Latn"], data=None, sample=Sample(limit=1)).values()
    assert [part.name for part in one.parts] == ["quiz_eng_Latn_sums"]


def test_documents_of_groups_that_were_tuned_on_are_left_out(family):
    names = [f"quiz_{code}" for code in LANGUAGES.values()]
    tuned = prepare_tasks(names[:2], data=None, sample=Sample(limit=3))
    used = {index for task in tuned.values() for index in task.documents}
    assert used == {0, 4, 8}
    skip = dict.fromkeys(names, TunedOn(3, frozenset(item for task in tuned.values() for item in task.items)))
    for families in ({}, dict.fromkeys(names, "quiz")):
        prepared = prepare_tasks(names, data=None, sample=Sample(skip=skip), families=families)
        for task in prepared.values():
            assert list(task.documents) == [1, 2, 3, 5, 6, 7, 9, 10]


def test_a_matrix_of_groups_is_read_like_any_other(family, tiny_llama, neurons, tmp_path):
    out = tmp_path / "out"
    results = run(tiny_llama, neurons, out, tasks="quiz", limit=6)
    assert results.has_tables
    manifest = Manifest.read(out / "manifest.json")
    (entry,) = manifest.tasks
    assert entry.tasks == {language: f"quiz_{code}" for language, code in LANGUAGES.items()}
    assert manifest.task_name("quiz", "zh") == "quiz_zho_Hans"
    assert manifest.metrics == {}
    written = json.loads((out / "manifest.json").read_text())
    assert "metrics" not in written
    answers = read_answers(read_results(out))
    assert {document.number for document in answers.documents} == {0, 2, 4, 6, 8, 10}
    snapshot = read_snapshot(out)
    assert {name.full for name in snapshot.tasks()} == {f"quiz_{code}" for code in LANGUAGES.values()}
    write_reports(out)
    written = write_lm_eval_folders(read_results(out), tmp_path / "lm-eval")
    assert any("quiz_eng_Latn" in path.name for path in written)
    for command in (["report", out], ["leaderboard", out, "--out", tmp_path / "site"]):
        done = CliRunner().invoke(main, [str(part) for part in command])
        assert done.exit_code == 0, done.output
    cells = len(list((out / "cells").glob("*.jsonl")))
    run(tiny_llama, neurons, out, tasks="quiz", limit=6)
    assert len(list((out / "cells").glob("*.jsonl"))) == cells


def test_patterns_and_own_names_mean_the_same_cells(family, tiny_llama, neurons, tmp_path):
    out = tmp_path / "out"
    run(tiny_llama, neurons, out, tasks="quiz", limit=2)
    cells = {path.name for path in (out / "cells").glob("*.jsonl")}
    own = tmp_path / "mine.yaml"
    own.write_text("mine: {en: quiz_eng_Latn, zh: quiz_zho_Hans, Spanish: quiz_spa_Latn}\n")
    preset = tmp_path / "preset.yaml"
    preset.write_text(
        "p:\n  task: {mine: {en: quiz_eng_Latn, zh: quiz_zho_Hans, es: quiz_spa_Latn}}\n"
        "  settings: [{random: false, positions: all}, {random: true, positions: all}]\n"
    )
    for other in ({"tasks": "quiz_{flores}"}, {"tasks": "quiz_{code}"}, {"tasks": str(own)}, {"preset": str(preset)}):
        run(tiny_llama, neurons, out, limit=2, **other)
        assert {path.name for path in (out / "cells").glob("*.jsonl")} == cells


def test_a_metric_is_chosen_and_recorded(family, tiny_llama, neurons, tmp_path, lm):
    out = tmp_path / "out"
    run(tiny_llama, neurons, out, tasks="quiz", limit=6)
    plain = {path.stem for path in (out / "cells").glob("*.jsonl")}
    run(tiny_llama, neurons, out, tasks="quiz", limit=6, metric="quiz=acc_norm")
    chosen = {path.stem for path in (out / "cells").glob("*.jsonl")} - plain
    assert len(chosen) == len(plain)
    assert {one.partition("-")[0] for one in chosen} == {one.partition("-")[0] for one in plain}  # known answers
    manifest = Manifest.read(out / "manifest.json")
    assert manifest.metrics == {f"quiz_{code}": "acc_norm" for code in LANGUAGES.values()}
    store = CellStore(out)
    assert {store.load(one).metric for one in chosen} == {"acc_norm,none"}
    assert {store.load(one).metric for one in plain} == {"acc,none"}
    prepared = prepare_tasks(["quiz_eng_Latn"], data=None, sample=Sample(6), metrics={"quiz_eng_Latn": "acc_norm"})
    score, samples, _ = evaluate_task(lm, prepared["quiz_eng_Latn"])
    assert [numerator for numerator, _ in score.documents] == [sample["acc_norm"] for sample in samples]
    write_reports(out)
    assert "acc_norm,none in points" in (out / "report.md").read_text()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"metric": "f1"}, "quiz_eng_Latn_sums has no metric f1; found acc acc_norm"),
        ({"metric": "acc:strict"}, "quiz_eng_Latn_sums has no filter strict; found none"),
        ({"metric": "quizz=acc"}, "a metric of no task; found quizz; expected one of quiz"),
        ({"metric": "acc,acc_norm"}, "two metrics of all tasks; found acc acc_norm"),
        ({"metric": "quiz="}, "cannot read `metric`; found quiz="),
        ({"tasks": {"mine": {"en": "quiz_eng_Latn"}}}, "mine has none of the languages"),
        ({"tasks": {"mine": {"es": "quiz_spa_Latn", "zh": "quiz_zho_Hans"}}}, "mine has no en, which"),
        ({"tasks": {"mine": {"xx-1-": "quiz_spa_Latn"}}}, "unknown language"),
        ({"tasks": "nothing"}, "unknown task; found nothing"),
        ({"tasks": "quiz_{l}"}, "unknown task; found quiz_en quiz_zh quiz_es"),
    ],
)
def test_bad_input_is_told_before_a_model_loads(family, wrong, said, neurons, tmp_path):
    with pytest.raises(InputError, match=said.replace("{", r"\{")):
        run(tmp_path / "no model", neurons, None, **{"tasks": "quiz", **wrong})
