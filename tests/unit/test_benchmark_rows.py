"""Every table that names benchmarks knows every row of `benchmarks.yaml`, and the functions that rows name exist."""

import inspect
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import lm_eval.api.metrics  # noqa: F401 (registers the aggregations that our metrics name)
import pytest
import yaml

from mwork_eval.benchmarks.clusters import cluster_keys
from mwork_eval.benchmarks.data import load, published_dataset
from mwork_eval.benchmarks.rows import BENCHMARKS, Benchmark, draws_of, find_benchmark
from mwork_eval.detection.corpus.hub import presets
from mwork_eval.errors import InputError
from mwork_eval.languages.table import rows
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.presets import find_preset, load_presets
from mwork_eval.resources import embedded_folder, tasks_folder
from mwork_eval.results.main_metric import find_main_metric

ROOT = Path(__file__).parents[2]
TASK_FILES = sorted(path for path in tasks_folder().glob("*/*") if path.is_file())


class Loader(yaml.SafeLoader):
    """Reads task files; a function is its dotted name."""


Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))


def common_part(benchmark: str) -> dict[str, Any]:
    text = (tasks_folder() / benchmark / f"_{benchmark}_yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, Loader)
    return found


@pytest.mark.parametrize("row", BENCHMARKS.values(), ids=BENCHMARKS)
def test_functions_of_rows_exist(row: Benchmark) -> None:
    assert list(inspect.signature(row.read).parameters) == ["path"]
    assert list(inspect.signature(row.build).parameters) == ["row", "language"]
    assert len(inspect.signature(row.prepared).parameters) == 1
    for function, name in ((row.read, row.reader), (row.build, row.document)):
        assert f"{function.__module__}.{function.__name__}" == name


@pytest.mark.parametrize("path", TASK_FILES, ids=lambda path: path.name)
def test_functions_of_task_files_exist(path: Path) -> None:
    for name in re.findall(r"!function ([\w.]+)", path.read_text(encoding="utf-8")):
        assert callable(resolve_name(name))


def test_metrics_for_any_task_file_exist() -> None:
    entry_points = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    assert all(callable(resolve_name(target)) for target in entry_points["lm_eval.metrics"].values())


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_row_and_the_task_files_say_the_same(name: str) -> None:
    row, common = BENCHMARKS[name], common_part(name)
    metric, filter_name = row.metric.split(",")
    assert metric in [entry["metric"] for entry in common["metric_list"]]
    assert filter_name in [entry["name"] for entry in common.get("filter_list", [{"name": "none"}])]
    assert row.generated == (common["output_type"] == "generate_until")
    assert resolve_name(common["custom_dataset"]).__name__ == "load"
    assert {path.stem for path in TASK_FILES if path.parent.name == name and path.suffix == ".yaml"} == {
        f"{name}_{language}" for language in row.languages
    }


@pytest.mark.parametrize("name", BENCHMARKS)
def test_languages_and_names_of_rows(name: str) -> None:
    row = BENCHMARKS[name]
    assert set(row.languages) <= set(rows())
    assert set(row.names) <= set(row.languages)
    assert row.names_of is None or row.names_of in presets()
    assert set(row.parallel) <= {"published", "embedded"}
    assert row.draws > 0


def test_every_table_knows_every_benchmark() -> None:
    known = set(BENCHMARKS)
    readme = (tasks_folder() / "README.md").read_text(encoding="utf-8")
    tables = [re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) for table in readme.split("\n\n")]
    assert [set(table) for table in tables if table and known & set(table)] == [known, known]
    assert {path.name for path in tasks_folder().iterdir() if path.is_dir()} == known
    assert {preset.task for preset in load_presets().values()} <= known
    revisions = yaml.safe_load((ROOT / "mwork_eval" / "matrix" / "revisions.yaml").read_text(encoding="utf-8"))
    assert {name for changes in revisions.values() for name in changes} <= {*known, "all"}
    for name, row in BENCHMARKS.items():
        embedded = [row.fill(file, language) for file in row.files for language in row.languages]
        assert any((embedded_folder() / file).is_file() for file in embedded), name


def test_draws_are_the_rows_or_those_of_any_task() -> None:
    assert draws_of(["bpb_en", "bpb_yue"]) == BENCHMARKS["bpb"].draws == 20
    assert draws_of(["xquad_en", "xquad_zh"]) == draws_of(["belebele_eng_Latn"]) == draws_of([]) == 3


@pytest.mark.parametrize("written", ["bpb", "bpb_{l}", "bpb_{iso3}", "mine"])
def test_draws_are_those_of_the_tasks_however_they_are_named(written: str) -> None:
    mine = {"mine": {"en": "bpb_en", "yue": "bpb_yue"}}
    options = MatrixOptions((find_preset("existence"),), (written,), ("en", "yue"), own_tasks=mine)
    (family,) = options.families(options.presets[0])
    assert family.seeds == tuple(range(1, 21))


def test_an_unknown_benchmark_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError, match="unknown benchmark; found 'squad'; expected one of xquad mgsm"):
        find_benchmark("squad")


def quiz_document(row: Mapping[str, Any], language: str) -> dict[str, Any]:
    return {"question": row["text"].upper()}


def test_a_row_is_all_that_the_package_needs_of_a_new_benchmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Benchmark(
        title="Quiz",
        languages=["en"],
        files=["quiz_{language}.txt"],
        reader="mwork_eval.benchmarks.readers.read_lines",
        document=f"{__name__}.quiz_document",
        hub={"path": "someone/quiz"},
        metric="f1,none",
        cluster="id",
        parallel=[],
        draws=7,
    )
    monkeypatch.setitem(BENCHMARKS, "quiz", row)
    (tmp_path / "quiz_en.txt").write_text("who?\nwhat?\n", encoding="utf-8")
    documents = load("quiz", "en", tmp_path)["test"]
    assert list(documents["question"]) == ["WHO?", "WHAT?"]
    assert cluster_keys("quiz_en", list(documents), tmp_path) == ("quiz_en line 1", "quiz_en line 2")
    assert find_main_metric("quiz_en", {"acc,none": 0.5, "f1,none": 0.25}).metric == "f1,none"
    assert published_dataset("quiz_en", None) == "someone/quiz"
    assert draws_of(["quiz_en"]) == 7
    with pytest.raises(InputError, match="Quiz has no Chinese; it has en"):
        load("quiz", "zh", tmp_path)
