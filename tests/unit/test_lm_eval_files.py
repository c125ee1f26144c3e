"""Cells of a matrix as folders of lm-eval, read back by lm-eval's own functions, by the gate and by the leaderboard."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.leaderboard_folders import make_results_file
from helpers.manifests import edited_manifest
from helpers.report_folders import make_folder
from lm_eval import utils

from mwork_eval.cli.main import main
from mwork_eval.errors import InputError
from mwork_eval.gate.reading import read_lm_eval_folder
from mwork_eval.leaderboard.board import build_board
from mwork_eval.results import lm_eval_files
from mwork_eval.results.lm_eval_folder import LmEvalFile
from mwork_eval.results.summaries.folders import find_results, read_all
from mwork_eval.results.tables import read_results


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = make_folder(tmp_path_factory.mktemp("results") / "o", model="org/tiny")
    output = CliRunner().invoke(main, ["report", str(folder), "--formats", "lm-eval"])
    assert output.exit_code == 0, output.output
    return folder


def test_there_is_a_folder_per_mask(folder):
    found = sorted(path.name for path in (folder / "lm-eval").iterdir())
    assert found == [
        "mine-LS-gen-es", "mine-LS-gen-zh", "mine-LS-under-es", "mine-LS-under-zh",
        "mine-R-under-es-seed1", "mine-R-under-es-seed2", "mine-R-under-zh-seed1", "mine-R-under-zh-seed2",
        "no-mask",
    ]  # fmt: skip


def test_lm_evals_own_functions_find_and_show_them(folder):
    inside = folder / "lm-eval" / "no-mask" / "org__tiny"
    names = [str(path) for path in inside.iterdir()]
    results = json.loads(Path(utils.get_latest_filename(utils.get_results_filenames(names))).read_text())
    samples = utils.get_sample_results_filenames(names)
    assert sorted(utils.get_file_task_name(Path(name).name) for name in samples) == ["xquad_en", "xquad_es", "xquad_zh"]
    table = utils.make_table(results)
    baseline = read_results(folder).tables[0].baseline
    for language, score in baseline.items():
        assert results["results"][f"xquad_{language}"]["acc,none"] == pytest.approx(score / 100)
        assert f"{score / 100:.4f}" in table
    lines = [json.loads(line) for line in Path(samples[0]).read_text().splitlines()]
    assert lines[0]["arguments"]["gen_args_0"]["arg_0"] == "Question 0? "
    assert len(lines) == 24


def test_samples_load_as_a_data_set(folder, tmp_path):
    datasets = pytest.importorskip("datasets")
    (file,) = (folder / "lm-eval" / "mine-LS-under-zh").rglob("samples_xquad_zh_*.jsonl")
    rows = datasets.Dataset.from_json(str(file), cache_dir=str(tmp_path))
    assert rows["doc_id"][:3] == [0, 1, 2]


def test_the_gate_finds_the_scores_of_the_matrix(folder):
    snapshot = read_lm_eval_folder(folder / "lm-eval" / "no-mask")
    baseline = read_results(folder).tables[0].baseline
    assert {name.language: 100 * of.score.score for name, of in snapshot.tasks().items()} == pytest.approx(baseline)


def test_the_leaderboard_tells_which_of_them_are_masked(folder):
    read, _ = read_all(find_results([folder / "lm-eval"]))
    masks = {score.contender.mask for results in read for score in results.scores}
    assert None in masks
    assert any(mask and "of zh at under" in mask for mask in masks)
    assert any(mask and "random neurons (seed 2) instead of es at under" in mask for mask in masks)


def configs(folder):
    CliRunner().invoke(main, ["report", str(folder), "--formats", "lm-eval"])
    paths = (folder / "lm-eval").rglob("results_*.json")
    return {path.parents[1].name: json.loads(path.read_text())["config"] for path in paths}


def test_limits_are_those_of_each_task(tmp_path):
    folder = make_folder(tmp_path / "o", model="org/tiny")
    assert {config["limit"] for config in configs(folder).values()} == {24}
    with edited_manifest(folder) as manifest:
        manifest["limit"], manifest["limits"] = None, {"xquad": 24, "bpb": 3}
    assert {config["limit"] for config in configs(folder).values()} == {24}
    with edited_manifest(folder) as manifest:
        # What the table says wins over what the last command said.
        manifest["presets"][0] |= {"limit": 20, "limits": {}}
    assert {config["limit"] for config in configs(folder).values()} == {20}
    other = "xquad_{l}_rest"
    with edited_manifest(folder) as manifest:
        manifest["presets"][0]["limits"] = {"xquad_rest": 5}
        manifest["tasks"].append({"name": other, "languages": ["en"], "missing": []})
        manifest["cells"].append(manifest["cells"][0] | {"task": other})
    assert configs(folder)["no-mask"]["limit"] == {
        "xquad_en": 20, "xquad_zh": 20, "xquad_es": 20, "xquad_en_rest": 5,
    }  # fmt: skip


def test_benchmark_and_language_are_told_where_names_do_not(tmp_path):
    folder = make_folder(tmp_path / "o", model="org/tiny")
    assert not any("tasks" in config["mwork"] for config in configs(folder).values())
    codes = {"en": "eng_Latn", "zh": "zho_Hans", "es": "spa_Latn"}
    with edited_manifest(folder) as manifest:
        manifest["tasks"][0] |= {"name": "belebele", "tasks": {tag: f"belebele_{code}" for tag, code in codes.items()}}
        for cell in manifest["cells"]:
            cell["task"] = "belebele"
    named = configs(folder)["no-mask"]["mwork"]["tasks"]
    assert named == {f"belebele_{code}": ["belebele", language] for language, code in codes.items()}
    read, _ = read_all(find_results([folder / "lm-eval" / "no-mask"]))
    assert {(score.benchmark, score.language) for score in read[0].scores} == {("belebele", tag) for tag in codes}
    # Results of lm_eval itself join those that tell it.
    make_results_file(tmp_path / "p", {"belebele_zho_Hans": 0.5, "belebele_fra_Latn": 0.5})
    board = build_board(read_all(find_results([tmp_path]))[0])
    assert [benchmark.name for benchmark in board.benchmarks] == ["belebele", "belebele_fra_Latn"]
    languages = {score.task: score.language for model in board.models for score, _ in model.scores}
    assert languages["belebele_zho_Hans"] == "zh"


def test_a_file_that_is_not_written_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("lm_eval.loggers.EvaluationTracker.save_results_samples", lambda *_, **__: None)
    sample = {f"{part}_hash": "x" for part in ("doc", "prompt", "target")}
    with pytest.raises(InputError, match=r"cannot write results; found no .*samples_t_"):
        lm_eval_files.write_lm_eval_files(tmp_path, "m", {}, {"t": [sample]})


def test_names_of_any_length_become_files_that_are_read_back(tmp_path):
    model, task = "/models/" + "深" * 130, "t" * 300
    sample = {f"{part}_hash": "x" for part in ("doc", "prompt", "target")}
    sample |= {"doc_id": 0, "arguments": [], "resps": [], "filtered_resps": [], "target": "", "acc": 1.0}
    results = {"results": {task: {"acc,none": 1.0}}, "n-samples": {task: {"effective": 1}}}
    results |= {"higher_is_better": {task: {"acc": True}}}
    file, samples = lm_eval_files.write_lm_eval_files(tmp_path, model, results, {task: [sample]})
    assert all(len(part.encode()) < 256 for part in (*file.parts, *samples.parts))
    assert LmEvalFile.read(file).samples_path(task) == samples
    other, _ = lm_eval_files.write_lm_eval_files(tmp_path, model + "x", results, {task: [sample]})
    assert other.parent != file.parent


def test_lm_evals_own_tracker_makes_a_folder_for_a_long_path():
    from lm_eval.loggers.evaluation_tracker import GeneralConfigTracker

    from mwork_eval.plugin import registration

    registration._name_masked_results(sys.modules[GeneralConfigTracker.__module__])
    tracker = GeneralConfigTracker()
    tracker.log_experiment_args("mwork-hf", {"pretrained": "/m" * 193, "neurons": "n" * 300}, None, None, False)
    assert len(tracker.model_name_sanitized.encode()) <= 200
    tracker.log_experiment_args("hf", {"pretrained": "/m" * 193}, None, None, False)
    assert len(tracker.model_name_sanitized) > 255
