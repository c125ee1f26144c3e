"""The cells of a real matrix as lm-eval's own files, given to what reads such files.

lm-eval's loggers for Weights & Biases and Trackio and its script for Zeno take results and samples apart in the same
ways. The loggers run here, on a stand-in for the service they report to.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
from helpers.commands import mwork
from lm_eval import utils

from mwork_eval.benchmarks.rows import BENCHMARKS
from mwork_eval.results.store import CellStore, load_manifest

pytest_plugins = ["helpers.matrix_fixtures"]


@pytest.fixture(scope="module")
def masks(whole):
    """By name of the mask, the folder of its files."""
    mwork("report", whole, "--formats", "lm-eval")
    return {path.name: next(path.iterdir()) for path in (whole / "lm-eval").iterdir()}


@pytest.fixture(params=["no-mask", "existence-LS-all-zh", "existence-R-all-es-seed2"])
def inside(request, masks):
    return masks[request.param]


def main_of(task):
    return BENCHMARKS[task.rpartition("_")[0]].metric.partition(",")[0]


def read_results(inside):
    names = utils.get_results_filenames([str(path) for path in inside.iterdir()])
    return json.loads(Path(utils.get_latest_filename(names)).read_text(encoding="utf-8"))


def read_samples(inside):
    """By task, its samples."""
    names = utils.get_sample_results_filenames([str(path) for path in inside.iterdir()])
    return {
        utils.get_file_task_name(Path(name).name): [json.loads(line) for line in Path(name).open(encoding="utf-8")]
        for name in names
    }


def as_logged(samples):
    """Samples as lm-eval holds them before it writes them, with arguments as lists."""
    return {
        task: [
            sample | {"arguments": [list(arguments.values()) for arguments in sample["arguments"].values()]}
            for sample in of_task
        ]
        for task, of_task in samples.items()
    }


def test_every_task_says_how_it_was_asked(inside):
    results = read_results(inside)
    for task, config in results["configs"].items():
        assert config["task"] == task
        assert config["output_type"] == ("multiple_choice" if task.startswith("xcsqa") else "loglikelihood_rolling")
        assert config["metric_list"]
        assert config["metadata"]["data"] == "embedded"
        assert results["versions"][task] == config["metadata"]["version"]
        assert results["n-shot"][task] == 0
    assert (
        set(results["configs"]) == set(results["results"]) == set(read_samples(inside)) == set(results["task_hashes"])
    )


def test_the_printed_table_has_every_score_with_its_error(inside):
    results = read_results(inside)
    rows = [[cell.strip() for cell in line.split("|")] for line in utils.make_table(results).splitlines()[2:]]
    shown = [(float(row[7]), float(row[9])) for row in rows if row[5] in ("acc", "bits_per_byte")]
    expected = [
        (metrics[f"{main_of(task)},none"], metrics[f"{main_of(task)}_stderr,none"])
        for task, metrics in sorted(results["results"].items())
    ]
    assert sorted(shown) == [pytest.approx(pair, abs=6e-4) for pair in sorted(expected)]


def test_the_wandb_logger_takes_results_and_samples(inside, monkeypatch):
    run = MagicMock()
    wandb = SimpleNamespace(
        __version__="0.20", run=run, Table=lambda columns: MagicMock(columns=columns), Artifact=MagicMock()
    )
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.setattr("lm_eval.loggers.wandb_logger.get_wandb_printer", MagicMock())
    from lm_eval.loggers import WandbLogger

    results, samples = read_results(inside), as_logged(read_samples(inside))
    logger = WandbLogger()
    logger.post_init(results)
    logger.log_eval_result()
    logger.log_eval_samples(samples)
    logged = {key: value for call in run.log.call_args_list for key, value in call.args[0].items()}
    for task, metrics in results["results"].items():
        assert logged[f"{task}/{main_of(task)}"] == metrics[f"{main_of(task)},none"]
        assert sum(len(table) for key, table in logged.items() if key == f"{task}_eval_results") == len(samples[task])


def test_the_trackio_logger_takes_results_and_samples(inside, monkeypatch, caplog):
    trackio = MagicMock()
    trackio.Trace = lambda **parts: parts
    monkeypatch.setitem(sys.modules, "trackio", trackio)
    from lm_eval.loggers.trackio_logger import TrackioLogger

    results, samples = read_results(inside), as_logged(read_samples(inside))
    logger = TrackioLogger()
    logger.post_init(results)
    logger.log_eval_result()
    logger.log_eval_samples(samples)
    assert "Failed" not in caplog.text
    logged = [(key, value) for call in trackio.log.call_args_list for key, value in call.args[0].items()]
    asked = {
        task: [trace["messages"][0]["content"] for key, trace in logged if key == f"{task}/sample"] for task in samples
    }
    assert asked == {task: [sample["arguments"][0][0] for sample in of_task] for task, of_task in samples.items()}


def test_samples_load_as_a_data_set_of_the_documents_of_the_cells(whole, masks, tmp_path):
    datasets = pytest.importorskip("datasets")
    store = CellStore(whole)
    baselines = {
        f"{cell.task}_{cell.language}": list(store.samples(cell.identity))
        for cell in load_manifest(whole).cells
        if cell.setting is None
    }
    for task, stored in baselines.items():
        (file,) = masks["no-mask"].glob(f"samples_{task}_*.jsonl")
        rows = datasets.Dataset.from_json(str(file), cache_dir=str(tmp_path / task))
        assert rows["doc_hash"][:] == [sample["doc_hash"] for sample in stored]
        assert rows["filter"][:] == [sample["filter"] for sample in stored]
