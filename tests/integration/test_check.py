"""`mwork check` as a user runs it: on folders of lm-eval and of a matrix, in a GitHub workflow, through the action."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import make_model, make_tokenizer
from helpers.commands import invoke, lm_eval
from helpers.gate_folders import make_results

from mwork_eval.benchmarks.rows import BENCHMARKS

pytest_plugins = ["helpers.matrix_fixtures"]

EXAMPLES = Path(__file__).parents[2] / "docs" / "ci"
TASKS = ("xcsqa_zh", "bpb_zh", "mgsm_zh", "xlsum_zh", "xquad_zh")


@pytest.fixture(autouse=True)
def no_workflow(monkeypatch):
    for name in [name for name in os.environ if name.startswith("GITHUB_")]:
        monkeypatch.delenv(name)


def program(*arguments: object, code: int, **environment: str) -> subprocess.CompletedProcess:
    """Run `mwork` in a new interpreter."""
    run = subprocess.run(
        [sys.executable, "-m", "mwork_eval", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    assert run.returncode == code, run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    return run


def answers(count: int, right: int) -> list[float]:
    return [1.0] * right + [0.0] * (count - right)


@pytest.fixture
def folders(tmp_path):
    en, zh = ("xquad", "en"), ("xquad", "zh")
    return (
        make_results(tmp_path / "old", {en: answers(200, 150), zh: answers(200, 160)}),
        make_results(tmp_path / "new", {en: answers(200, 150), zh: answers(200, 140)}),
    )


def results_of(model: Path, out: Path, *documents: str) -> Path:
    run = lm_eval(
        "--model", "hf", "--model_args", f"pretrained={model},dtype=float32", "--tasks", ",".join(TASKS),
        *documents, "--metadata", "data=embedded", "--device", "cpu",
        "--log_samples", "--output_path", str(out),
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    return out


@pytest.fixture(scope="module")
def plain(tiny_llama, tmp_path_factory) -> tuple[Path, Path]:
    """Results of plain lm-eval, of two models."""
    folder = tmp_path_factory.mktemp("plain")
    make_model("llama", seed=7).save_pretrained(folder / "other")
    make_tokenizer().save_pretrained(folder / "other")
    two = ("--limit", "2")
    return results_of(tiny_llama, folder / "old", *two), results_of(folder / "other", folder / "new", *two)


@pytest.mark.slow
def test_plain_lm_eval_folders(plain, tmp_path):
    old, new = plain
    same = invoke("check", old, "--baseline", old, "--strict", "--out", tmp_path / "same", code=0)
    assert "mwork check: passed" in same.stdout
    invoke("check", new, "--baseline", old, "--out", tmp_path / "out", "--strict", code=1)
    found = json.loads((tmp_path / "out" / "check.json").read_text())
    assert {task["full"]: task["metric"] for task in found["tasks"]} == {
        task: BENCHMARKS[task.partition("_")[0]].metric for task in TASKS
    }
    (bits,) = [task for task in found["tasks"] if task["full"] == "bpb_zh"]
    reported = [json.loads(next(folder.rglob("results_*")).read_text())["results"]["bpb_zh"] for folder in plain]
    before, after = (scores["bits_per_byte,none"] for scores in reported)
    assert bits["change"]["value"] == pytest.approx(before - after)
    assert (bits["old"], bits["unit"]) == (pytest.approx(before), "bits per byte")


def test_a_matrix_against_plain_lm_eval_and_its_own_baseline(tiny_llama, whole, tmp_path):
    limits = tmp_path / "limits.yaml"
    limits.write_text('require:\n  delta: {"LS all on xcsqa": {min: -100}}\n')
    run = invoke("check", whole, "--baseline", whole, "--limits", limits, "--out", tmp_path / "same", code=0)
    assert "LS all, existence on xcsqa" in run.stdout
    stored = tmp_path / "stored"
    invoke("check", whole, "--write-baseline", stored, code=0)
    assert sum(path.stat().st_size for path in stored.rglob("*")) < 60_000
    invoke("check", whole, "--baseline", stored, "--limits", limits, "--out", tmp_path / "stored-check", code=0)
    same, again = (json.loads((tmp_path / name / "check.json").read_text()) for name in ("same", "stored-check"))
    assert same["rows"] == again["rows"]
    assert len(same["rows"]) == 4
    # `--limit` of lm-eval would take the first documents.
    spread = json.dumps({"xcsqa_zh": [0, 16], "bpb_zh": [0, 8], "mgsm_zh": [0, 8]})
    plain = results_of(tiny_llama, tmp_path / "plain", "--samples", spread)
    mixed = invoke("check", whole, "--baseline", plain, "--out", tmp_path / "mixed", code=2)
    assert "mgsm_zh: could not compare: NEW lacks this task" in mixed.stdout
    found = json.loads((tmp_path / "mixed" / "check.json").read_text())
    assert {task["full"]: task["change"]["value"] for task in found["tasks"]} == {"xcsqa_zh": 0}
    assert "bpb_zh: could not compare: another definition of the score" in mixed.stdout


def test_exit_codes_and_files(folders, tmp_path):
    old, new = folders
    invoke("check", old, "--baseline", old, code=0)
    run = program("check", new, "--baseline", old, code=1)
    assert "regression" in run.stdout
    assert "::error" not in run.stdout
    assert {path.name for path in (new / "check").iterdir()} == {"check.md", "check.json", "junit.xml"}
    (new / "cells" / "1.jsonl").write_text('{"format": "mwork-ce')
    damaged = invoke("check", new, "--baseline", old, "--out", tmp_path / "out", code=2)
    assert "is damaged" in " ".join(damaged.stdout.split())
    assert json.loads((tmp_path / "out" / "check.json").read_text())["exit_code"] == 2


def test_a_workflow_gets_a_summary_and_annotations(folders, tmp_path):
    old, new = folders
    summary = tmp_path / "summary.md"
    run = program("check", new, "--baseline", old, code=1, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("::")]
    assert line.startswith("::error title=mwork check::xquad_zh: dropped by 10.0 points (12.5%25 of the score)")
    assert summary.read_text(encoding="utf-8").startswith("## mwork check: 1 regression\n")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ((), "one of --baseline, --write-baseline, --calibrate is needed; found none"),
        (("--baseline", "{old}", "--write-baseline", "x"), "found --baseline and --write-baseline"),
        (("--baseline", "{old}", "--limits", "{old}/none.yaml"), "cannot read"),
        (("--baseline", "{old}/none"), "does not exist"),
    ],
)
def test_bad_input_ends_with_one_line(extra, message, folders):
    old, new = folders
    run = invoke("check", new, *(text.format(old=old) for text in extra), code=2)
    assert message in run.stderr


def test_the_example_of_the_documentation_is_what_the_code_writes(tmp_path):
    """The summary in docs/ci.md, made again from the scores it is an example of."""
    before = {("xquad", "en"): answers(200, 150), ("xquad", "zh"): answers(200, 140), ("xquad", "es"): answers(8, 6)}
    after = {("xquad", "en"): answers(200, 151), ("xquad", "zh"): answers(200, 120), ("xquad", "es"): answers(8, 5)}
    make_results(tmp_path / "baseline", before, model="example-base")
    make_results(tmp_path / "checkpoint", after, model="example-tuned")
    environment = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    shutil.copy(EXAMPLES / "limits.yaml", tmp_path)
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "mwork_eval",
            "check",
            "checkpoint",
            "--baseline",
            "baseline",
            "--limits",
            "limits.yaml",
        ],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1, run.stderr
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8").strip()
    assert summary in (EXAMPLES.parent / "ci.md").read_text(encoding="utf-8")


def test_the_action_and_the_limits_of_the_documentation_are_valid():
    text = (EXAMPLES.parent / "ci.md").read_text(encoding="utf-8")
    action = yaml.safe_load((EXAMPLES / "action.yml").read_text(encoding="utf-8"))
    assert action["runs"]["using"] == "composite"
    used = {name for name in action["inputs"] if f"inputs.{name}" in json.dumps(action["runs"])}
    assert used == set(action["inputs"])
    assert (EXAMPLES / "limits.yaml").read_text(encoding="utf-8").strip() in text
    assert (EXAMPLES / "workflow.yml").read_text(encoding="utf-8").strip() in text
    workflow = yaml.safe_load((EXAMPLES / "workflow.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["check"]["steps"]
    (used,) = [step["with"] for step in steps if "docs/ci" in step.get("uses", "")]
    assert set(used) <= set(action["inputs"])


@pytest.mark.parametrize(
    ("strict", "per_task", "limits", "code"),
    [("false", "false", "", 1), ("true", "false", "", 1), ("false", "true", "", 1), ("false", "false", "wide.yaml", 0)],
)
def test_the_action_runs_the_command(strict, per_task, limits, code, folders, tmp_path):
    (tmp_path / "wide.yaml").write_text("max_drop: 50\n")
    (step,) = yaml.safe_load((EXAMPLES / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    values = {"new": folders[1], "baseline": folders[0], "limits": limits, "strict": strict, "out": "out dir"}
    values["per-task"] = per_task
    inputs = {name: str(values[text.partition("inputs.")[2].strip(" }")]) for name, text in step["env"].items()}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
        cwd=tmp_path,
        env=os.environ | inputs | {"PATH": path},
        capture_output=True,
        text=True,
    )
    assert run.returncode == code, run.stdout + run.stderr
    text = (tmp_path / "out dir" / "check.md").read_text(encoding="utf-8")
    assert ("by itself at 5%" in text, "family-wise at 5%" in text) == (per_task == "true", per_task == "false")
