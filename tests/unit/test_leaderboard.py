"""The leaderboard: what is read, what is compared with what, what is written."""

import csv
import json
import math
import statistics

import pytest
import yaml
from click.testing import CliRunner
from helpers.leaderboard_folders import make_results_file
from helpers.registered_scores import make_gsm8k_file
from helpers.report_folders import HOSTILE, make_folder

from mwork_eval.cli.main import main
from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.leaderboard.board import build_board, slug_of
from mwork_eval.reports.formats.json import as_json
from mwork_eval.results.lm_eval_content import MaskRecord
from mwork_eval.results.store import CellStore, load_manifest
from mwork_eval.results.summaries.folders import find_results, read_all
from mwork_eval.results.summaries.lm_eval_file import describe_mask
from mwork_eval.results.tables import read_results
from mwork_eval.results.task_score import TaskScore, lm_eval_digest

SAME = {f"xquad_{language}": f"xquad {language} 24" for language in ("en", "zh", "es")}
"""Digests of the documents of `make_folder`."""


def board_of(*folders):
    results, left_out = read_all(find_results(folders))
    return build_board(results, tuple(left_out.values()))


def mwork(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + str(result.exception)
    return result.output


def shown(benchmark):
    """By column and name of the contender, the score rounded."""
    return {
        column.label: {who.name: round(score.value, 1) for who, score in of_column.items()}
        for column, of_column in benchmark.scores.items()
    }


# Reading


def test_a_matrix_gives_its_baselines_and_its_rows(tmp_path):
    folder = make_folder(tmp_path / "o")
    (results,), _ = read_all(find_results([tmp_path]))
    report = read_results(folder)
    table = report.tables[0]
    assert {score.language: score.value for score in results.scores} == pytest.approx(table.baseline)
    assert [score.documents for score in results.scores] == [24] * 3
    changes = {change.setting: change for change in results.changes}
    for row in table.rows:
        delta, change = row.delta.delta, changes[row.name]
        assert change.values["delta"] == (delta.value, delta.low, delta.high)
        assert change.random == row.random
        assert change.p_holm == (None if row.comparison is None else row.comparison.p_holm)
    assert changes["LS under"].languages == ("zh", "es")


def test_a_report_is_read_only_if_it_belongs_to_the_cells(tmp_path):
    folder = make_folder(tmp_path / "o")
    report = json.loads(as_json(read_results(folder)))
    del report["digest"]
    report["tables"][0]["rows"][0]["delta"]["delta"]["value"] = 77.0
    (folder / "report.json").write_text(json.dumps(report))
    (results,), _ = read_all(find_results([folder]))
    assert results.changes[0].values["delta"][0] == 77.0
    (folder / "report.json").write_text(json.dumps(report | {"fingerprint": "other"}))
    (results,), _ = read_all(find_results([folder]))
    assert results.changes[0].values["delta"][0] != 77.0


def test_the_standard_error_is_that_of_lm_eval_and_of_a_ratio():
    shares = [1.0, 0.0, 1.0, 1.0, 0.0]
    score = TaskScore("acc,none", True, tuple((value, 1.0) for value in shares), {})
    assert score.standard_error == pytest.approx(statistics.stdev(shares) / math.sqrt(5))
    bits = TaskScore("bits_per_byte,none", False, ((10.0, 8.0), (30.0, 20.0), (9.0, 12.0)), {})
    ratio = 49 / 40
    residuals = [10 - ratio * 8, 30 - ratio * 20, 9 - ratio * 12]
    expected = math.sqrt(sum(r * r for r in residuals) / 2) / (40 / 3) / math.sqrt(3)
    assert bits.standard_error == pytest.approx(expected)
    assert TaskScore("acc,none", True, ((1.0, 1.0),), {}).standard_error is None
    # Questions about one paragraph are one observation: as many paragraphs with as many questions each, answered alike.
    alone = TaskScore("acc,none", True, tuple((value, 1.0) for value in shares), {})
    keys = tuple(str(number) for number in range(len(shares)) for _ in range(13))
    asked = TaskScore("acc,none", True, tuple((value, 1.0) for value in shares for _ in range(13)), {}, "", keys)
    assert asked.standard_error == pytest.approx(alone.standard_error)
    assert TaskScore("acc,none", True, ((1.0, 1.0), (0.0, 1.0)), {}, "", ("a", "a")).standard_error is None


def test_cells_without_lm_evals_digest_are_read_by_their_samples(tmp_path):
    folder = make_folder(tmp_path / "o", documents=2)
    store = CellStore(folder)
    samples = [{"doc_hash": f"d{n}", "prompt_hash": "p", "target_hash": "t", "filter": "none"} for n in range(2)]
    for entry in load_manifest(folder).cells:
        store.save(entry.identity, store.load(entry.identity), {}, samples)
    (results,), _ = read_all(find_results([folder]))
    # Such cells do not tell the version of the task either.
    assert {score.compared_by for score in results.scores} == {digest_of([lm_eval_digest(samples), "version None"])}


def test_what_was_deactivated_is_told_in_words():
    masked = {"neurons": "gemma3-270m/zh", "positions": "under", "total": 15, "digest": "0123456789"}
    assert describe_mask(MaskRecord(**masked)) == "15 neurons of gemma3-270m/zh at under [01234567]"
    random = masked | {"positions": "all", "random_control": 2}
    assert describe_mask(MaskRecord(**random)) == "15 random neurons (seed 2) instead of gemma3-270m/zh [01234567]"
    assert describe_mask(None) is None


def test_folders_are_found_below_and_files_of_cells_are_not(tmp_path):
    inner = make_folder(tmp_path / "a" / "b")
    (inner / "cells" / "results_1.json").write_text("{")
    plain = make_results_file(tmp_path / "c" / "org__plain", {"xquad_en": 0.5})
    assert find_results([tmp_path, tmp_path / "c"]) == [inner, plain]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty holds no results; found no manifest.json"):
        find_results([tmp_path / "empty"])
    with pytest.raises(InputError, match="no such folder"):
        find_results([tmp_path / "nowhere"])


# Comparing


def test_plain_results_of_the_same_documents_join_a_matrix(tmp_path):
    make_folder(tmp_path / "o")
    make_results_file(tmp_path / "p", {"xquad_en": 0.25, "xquad_zh": 0.5}, hashes=SAME)
    (benchmark,) = board_of(tmp_path).benchmarks
    scores = shown(benchmark)
    assert list(scores) == ["en (24)", "es (24)", "zh (24)"]
    assert scores["en (24)"]["org/plain"] == 25.0
    assert set(scores["zh (24)"]) == {"tiny", "org/plain"}
    assert set(scores["es (24)"]) == {"tiny"}


def test_other_documents_versions_and_prompts_have_columns_of_their_own(tmp_path):
    for name, how in (
        ("a", {"documents": 24}),
        ("b", {"documents": 8}),
        ("c", {"documents": 24, "version": 2}),
        ("d", {"documents": 24, "hashes": {"xquad_en": "other prompts"}}),
        ("e", {"documents": 24}),
    ):
        make_results_file(tmp_path / name, {"xquad_en": 0.5}, model=name, **how)
    (benchmark,) = board_of(tmp_path).benchmarks
    found = [set(names) for names in shown(benchmark).values()]
    assert sorted(map(sorted, found)) == [["a", "e"], ["b"], ["c"], ["d"]]
    assert len(set(shown(benchmark))) == 4


def test_the_newest_result_is_shown_and_none_is_lost(tmp_path):
    make_results_file(tmp_path / "new", {"xquad_en": 0.75}, date=2e9)
    make_results_file(tmp_path / "old", {"xquad_en": 0.25}, date=1e9)
    board = board_of(tmp_path)
    assert shown(board.benchmarks[0]) == {"en (24)": {"org/plain": 75.0}}
    assert [(score.value, is_shown) for score, is_shown in board.models[0].scores] == [(75.0, True), (25.0, False)]


def test_weights_of_one_name_are_kept_apart_and_unknown_ones_join_the_only_known(tmp_path):
    make_folder(tmp_path / "o", model="org/plain")
    make_results_file(tmp_path / "p", {"xquad_en": 0.25}, hashes=SAME)
    (benchmark,) = board_of(tmp_path).benchmarks
    assert len(benchmark.contenders) == 1
    manifest = tmp_path / "other" / "manifest.json"
    make_folder(tmp_path / "other", model="org/plain")
    manifest.write_text(manifest.read_text().replace('"fingerprint": "f"', '"fingerprint": "g"'))
    board = board_of(tmp_path)
    assert {who.fingerprint for who in board.benchmarks[0].contenders} == {"f", "g", None}
    assert len(board.models) == 1


def test_a_model_with_a_delta_is_another_model(tmp_path):
    make_results_file(tmp_path / "p", {"xquad_en": 0.75}, hashes=SAME)
    path = make_results_file(tmp_path / "d", {"xquad_en": 0.25}, hashes=SAME)
    results = json.loads(path.read_text())
    results["config"]["mwork"] = {
        "model": "org/plain",
        "fingerprint": "f",
        "masked": None,
        "delta": {"digest": "cd" * 32},
    }
    path.write_text(json.dumps(results))
    assert [model.name for model in board_of(tmp_path).models] == ["org/plain", "org/plain with delta cdcdcdcd"]


def test_a_masked_score_never_stands_under_the_models_name(tmp_path):
    masked = {"neurons": "zh", "positions": "all", "total": 9, "digest": "ab" * 32}
    make_results_file(tmp_path / "p", {"xquad_en": 0.75}, hashes=SAME)
    make_results_file(tmp_path / "m", {"xquad_en": 0.25}, hashes=SAME, masked=masked, date=3e9)
    board = board_of(tmp_path)
    name = "org/plain without 9 neurons of zh [abababab]"
    assert shown(board.benchmarks[0]) == {"en (24)": {"org/plain": 75.0, name: 25.0}}
    assert [who.name for who in board.benchmarks[0].contenders] == ["org/plain", name]
    assert len(board.models) == 1


def test_lower_is_better_puts_the_lowest_first(tmp_path):
    for name, value in (("a", 1.5), ("b", 0.9)):
        path = make_results_file(tmp_path / name, {"bpb_en": value}, model=name)
        text = (
            path.read_text().replace("acc", "bits_per_byte").replace('"bits_per_byte": true', '"bits_per_byte": false')
        )
        path.write_text(text)
    (benchmark,) = board_of(tmp_path).benchmarks
    assert [who.model for who in benchmark.contenders] == ["b", "a"]
    assert shown(benchmark)["en (24)"] == {"a": 1.5, "b": 0.9}


def test_names_of_pages_are_stable_safe_and_different():
    assert slug_of("org/Model 1") == slug_of("org/Model 1")
    assert slug_of("org/Model 1").startswith("org-model-1-")
    assert slug_of("org/Model 1") != slug_of("org-Model-1")
    for name in ("../../etc", HOSTILE, "模型", "", "x" * 1000):
        assert set(slug_of(name)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert len(slug_of(name)) < 80


# Writing


def test_a_csv_has_every_number_and_no_formula(tmp_path):
    make_results_file(tmp_path / "in" / "p", {"xquad_en": 1 / 3}, model="=HYPERLINK(1)")
    make_folder(tmp_path / "in" / "o")
    mwork("leaderboard", tmp_path / "in", "--out", tmp_path / "site")
    with (tmp_path / "site" / "scores.csv").open() as file:
        rows = {(row["model"], row["language"]): row for row in csv.DictReader(file)}
    assert float(rows["'=HYPERLINK(1)", "en"]["score"]) == pytest.approx(100 / 3, abs=1e-12)
    assert rows["tiny", "zh"]["documents"] == "24"
    with (tmp_path / "site" / "changes.csv").open() as file:
        changes = list(csv.DictReader(file))
    assert [row["setting"] for row in changes] == ["R under", "LS under", "LS gen"]
    delta = read_results(tmp_path / "in" / "o").tables[0].rows[1].delta.delta
    assert float(changes[1]["delta_low"]) == delta.low


def test_exports_hold_own_scores_on_published_data_only(tmp_path):
    masked = {"neurons": "zh", "positions": "all", "total": 9, "digest": "ab" * 32}
    make_results_file(tmp_path / "in" / "p", {"xquad_en": 0.75, "homemade_en": 0.5}, date=1e9)
    make_gsm8k_file(tmp_path / "in" / "g", 0.5, date=1e9)
    make_gsm8k_file(tmp_path / "in" / "few", 0.75, documents=100, date=1e9, model="org/few")
    make_gsm8k_file(tmp_path / "in" / "m", 0.25, masked=masked)
    make_results_file(tmp_path / "in" / "e", {"xquad_zh": 0.25}, data="embedded")
    site = tmp_path / "site"
    arguments = ["leaderboard", tmp_path / "in", "--out", site]
    mwork(*arguments, "--export", "eval-results", "--export", "model-index")
    (own,) = (site / "export" / "eval-results").iterdir()
    assert yaml.safe_load((own / ".eval_results" / "mwork-eval.yaml").read_text()) == [
        {
            "dataset": {"id": "openai/gsm8k", "task_id": "gsm8k"},
            "value": 50.0,
            "date": "2001-09-09T01:46:40+00:00",
            "notes": "exact_match,strict-match in points; lm-eval task gsm8k; of org/plain",
        }
    ]
    card = yaml.safe_load((site / "export" / "model-index" / own.name / "model-index.yaml").read_text())
    assert card["model-index"][0]["name"] == "org/plain"
    values = {one["dataset"]["type"]: one["metrics"][0]["value"] for one in card["model-index"][0]["results"]}
    assert values == {"google/xquad": 75.0, "openai/gsm8k": 50.0}
    mwork(*arguments, "--export", "eval-results", "--with-masked")
    files = [path.read_text() for path in (site / "export" / "eval-results").rglob("*.yaml")]
    assert len(files) == 2
    assert sum("without 9 neurons of zh" in text for text in files) == 1


def test_masked_scores_alone_are_refused(tmp_path):
    masked = {"neurons": "zh", "positions": "all", "total": 9, "digest": "ab" * 32}
    make_results_file(tmp_path / "in", {"xquad_en": 0.25}, masked=masked)
    output = mwork("leaderboard", tmp_path / "in", "--out", tmp_path / "site", "--export", "model-index", code=2)
    assert "only masked scores, which are not the model's own" in output
    assert "--with-masked" in output


def test_a_data_set_reads_back(tmp_path):
    datasets = pytest.importorskip("datasets")
    make_folder(tmp_path / "in")
    mwork("leaderboard", tmp_path / "in", "--out", tmp_path / "site", "--export", "dataset")
    folder = tmp_path / "site" / "export" / "dataset"
    head = yaml.safe_load((folder / "README.md").read_text().split("---")[1])
    assert [config["config_name"] for config in head["configs"]] == ["scores", "changes"]
    rows = datasets.Dataset.from_parquet(str(folder / "scores.parquet"), cache_dir=str(tmp_path / "cache"))
    assert sorted(rows["language"]) == ["en", "es", "zh"]
    assert set(rows["mask"]) == {None}


def test_whole_texts_after_one_bos_and_after_two_share_no_column(tmp_path):
    for name, double_bos in (("one", False), ("two", True), ("earlier", None)):
        path = make_results_file(tmp_path / name, {"xquad_zh": 0.5, "wikitext": 0.5}, model=name, masked={})
        results = json.loads(path.read_text())
        results["configs"]["wikitext"] = {"output_type": "loglikelihood_rolling"}
        results["config"]["mwork"] |= {} if double_bos is None else {"double_bos": double_bos}
        path.write_text(json.dumps(results))
    columns = {
        found.name: [sorted(column) for column in shown(found).values()] for found in board_of(tmp_path).benchmarks
    }
    assert columns["xquad"] == [["earlier", "one", "two"]]
    assert sorted(columns["wikitext"]) == [["earlier", "two"], ["one"]]
