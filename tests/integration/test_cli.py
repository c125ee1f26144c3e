"""The command line from detection to report on a tiny model, and what it says to wrong input."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.commands import invoke

from mwork_eval.errors import InputError
from mwork_eval.matrix.presets import load_presets
from mwork_eval.resources import embedded_folder

pytest_plugins = ["helpers.matrix_fixtures"]


def ablate(model: Path, neurons: Path, out: Path, *extra: object, code: int = 0):
    return invoke(
        "ablate", "--model", model, "--neurons", neurons, "--preset", "existence", "--tasks", "xcsqa,bpb",
        "--languages", "en,zh,es", "--data", "embedded", "--limit", "2", "--seeds", "1,2", "--device", "cpu",
        "--out", out, *extra,
        code=code,
    )  # fmt: skip


def test_detect_writes_scores_and_sets(neurons):
    assert sorted(path.name for path in neurons.glob("*.safetensors")) == ["es.safetensors", "zh.safetensors"]
    assert sorted(path.name for path in neurons.glob("scores/*")) == [f"{c}.safetensors" for c in ("en", "es", "zh")]
    shown = invoke("sets", "show", neurons / "zh.safetensors", neurons / "zh-es").output
    assert "by position: under" in shown
    assert "language: zh" in shown
    assert "taken away, because others have them too: " in shown
    assert "zh-es" in shown


def test_select_needs_no_model(neurons, tmp_path):
    output = invoke("select", neurons, "--top-k", "9", "--specific", "none", "--out", tmp_path).output
    assert "en.safetensors" in output
    invoke("select", neurons, "--fraction", "0.4", "--out", tmp_path / "same")
    same = (tmp_path / "same" / "zh.safetensors").read_bytes()
    assert same == (neurons / "zh.safetensors").read_bytes()


def test_a_matrix_from_start_to_report_and_again(tiny_llama, neurons, tmp_path):
    output = ablate(tiny_llama, neurons, tmp_path).output
    # baseline 3 languages, then 3 masks (LS, R with two seeds) x 2 languages x (own, English); twice for 2 tasks
    assert "30 cells, 30 to compute" in output
    assert "LS all" in output
    report = json.loads((tmp_path / "report.json").read_text())
    assert [row["name"] for row in report["tables"][0]["rows"]] == ["R all", "LS all"]
    assert all(cell["score"] is not None for cell in report["cells"])
    first = (tmp_path / "report.md").read_text()
    assert "∆n-Eng" in first

    assert "30 cells, 0 to compute" in ablate(tiny_llama, neurons, tmp_path).output
    assert (tmp_path / "report.md").read_text() == first

    lost = sorted(tmp_path.glob("cells/*.jsonl"))[:3]
    for cell in lost:
        cell.unlink()
    assert "30 cells, 3 to compute" in ablate(tiny_llama, neurons, tmp_path).output
    assert (tmp_path / "report.md").read_text() == first
    assert "∆n-Eng" in invoke("report", tmp_path).output


@pytest.mark.slow
def test_a_second_preset_joins_the_first(tiny_llama, neurons, tmp_path):
    ablate(tiny_llama, neurons, tmp_path)
    output = ablate(tiny_llama, neurons, tmp_path, "--preset", "knowledge", "--preset", "existence").output
    assert "existence (Table 1" in output
    assert "knowledge (Table 4" in output
    invoke(
        "ablate", "--model", tiny_llama, "--neurons", neurons, "--preset", "generation", "--tasks", "bpb",
        "--languages", "en,zh", "--data", "embedded", "--limit", "1", "--device", "cpu", "--out", tmp_path,
    )  # fmt: skip
    report = json.loads((tmp_path / "report.json").read_text())
    assert {table["preset"] for table in report["tables"]} == {"existence", "knowledge", "generation"}


def test_foreign_controls_are_cells_of_their_own(tiny_llama, neurons, tmp_path):
    recorded = {}
    for controls in ("any", "foreign"):
        assert "30 cells" in ablate(tiny_llama, neurons, tmp_path, "--controls", controls).output
        manifest = json.loads((tmp_path / "manifest.json").read_text())
        (preset,) = manifest["presets"]
        assert preset["controls"] == controls
        drawn = {cell["identity"] for cell in manifest["cells"] if cell["setting"] == "R all"}
        recorded[controls] = (drawn, [hits for of in preset["shared_hits"].values() for hits in of["R all"]])
    assert sum(recorded["any"][1]) > 0 == sum(recorded["foreign"][1])
    assert recorded["any"][0] != recorded["foreign"][0]
    printed = " ".join(invoke("report", tmp_path).output.split())  # lines end where the terminal does
    assert "random neurons 0 are the language's own" in printed


@pytest.mark.parametrize("extra", [(), ("--cross",), ("--dry-run",)])
def test_english_alone_is_one_error(tiny_llama, neurons, tmp_path, extra):
    found = invoke("ablate", "--model", tiny_llama, "--neurons", neurons, "--preset", "existence", "--tasks", "bpb",
                  "--languages", "en", "--data", "embedded", "--out", tmp_path, *extra, code=2)  # fmt: skip
    assert "∆ compares English with other languages; found en" in found.output


def test_run_draws_three_controls(monkeypatch):
    asked = []

    def stop(options):
        asked.append(options)
        raise InputError("enough")

    monkeypatch.setattr("mwork_eval.application.run.check_task_data", stop)
    invoke("run", code=2)
    assert asked[0].seeds == (1, 2, 3)


def test_results_of_two_models_do_not_mix(tiny_llama, tiny_qwen2, neurons, tmp_path):
    ablate(tiny_llama, neurons, tmp_path)
    invoke(
        "detect", "--model", tiny_qwen2, "--languages", "en,zh,es", "--fraction", "0.4",
        "--max-docs", "4", "--max-tokens", "32", "--device", "cpu", "--out", tmp_path / "qwen",
    )  # fmt: skip
    assert "holds results of another model" in ablate(tiny_qwen2, tmp_path / "qwen", tmp_path, code=2).output


def test_a_corrected_answer_is_scored_again(tiny_llama, neurons, tmp_path):
    data = tmp_path / "data" / "xcsqa"
    data.mkdir(parents=True)
    for code in ("en", "zh", "es"):
        lines = (embedded_folder() / "xcsqa" / f"{code}.jsonl").read_text(encoding="utf-8").splitlines()[:2]
        (data / f"{code}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def run():
        return invoke(
            "ablate", "--model", tiny_llama, "--neurons", neurons, "--preset", "existence", "--tasks", "xcsqa",
            "--languages", "en,zh,es", "--data", data.parent, "--seeds", "1,2", "--device", "cpu",
            "--out", tmp_path / "o",
        ).output  # fmt: skip

    assert "15 cells, 15 to compute" in run()
    assert "15 cells, 0 to compute" in run()
    zh = (data / "zh.jsonl").read_text(encoding="utf-8")
    (data / "zh.jsonl").write_text(zh.replace('"answerKey": "C"', '"answerKey": "D"'), encoding="utf-8")
    assert "15 cells, 4 to compute" in run()


def test_ctrl_c_keeps_what_is_finished(tiny_llama, neurons, tmp_path, monkeypatch):
    from mwork_eval.matrix import compute

    evaluated = []
    evaluate_task = compute.evaluate_task

    def interrupted(*arguments, **options):
        if len(evaluated) == 4:
            raise KeyboardInterrupt
        evaluated.append(arguments)
        return evaluate_task(*arguments, **options)

    monkeypatch.setattr(compute, "evaluate_task", interrupted)
    output = ablate(tiny_llama, neurons, tmp_path, code=130).output
    assert "the same command goes on" in output
    assert len(list(tmp_path.glob("cells/*.jsonl"))) == 4
    monkeypatch.undo()
    assert "30 cells, 26 to compute" in ablate(tiny_llama, neurons, tmp_path).output


@pytest.mark.slow
def test_run_does_it_all_from_a_yaml_file(tiny_llama, tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text(
        f"model: {tiny_llama}\nlanguages: [en, zh]\nfraction: 0.4\npreset: existence\ntasks: [bpb]\nlimit: 2\n"
        "seeds: [7]\nmax-docs: 3\nmax-tokens: 24\ndevice: cpu\n"
    )
    out = tmp_path / "out"
    run = subprocess.run(
        [sys.executable, "-m", "mwork_eval", "run", "--config", config, "--limit", "1", "--out", out],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert "existence (Table 1 of the paper) on bpb" in run.stdout
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["limit"] == 1
    assert manifest["seeds"] == [7]
    assert (out / "neurons" / "zh.safetensors").is_file()
    for name in ("report.md", "report.json"):
        assert (out / name).is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["detect", "--corpus", "zh=/no/such/file.txt", "--out", "o"], "no corpus for zh; found no file /no/such"),
        (["detect", "--corpus", "xx=a.txt", "--out", "o"], "unknown language; found 'xx'"),
        (["detect", "--corpus", "zh", "--out", "o"], "expected LANGUAGE=SOURCE"),
        (["detect", "--out", "o"], "no corpus given"),
        (["detect", "--languages", "en,zh", "--fraction", "2", "--out", "o"], "unusable fraction"),
        (["detect", "--languages", "en,zh", "--fraction", "0.1", "--top-k", "3", "--out", "o"], "needs one rule"),
        (["detect", "--languages", "en,zh", "--structures", "q,w", "--out", "o"], "unknown structure; found w"),
        (["detect", "--languages", "en,zh", "--model", "/no/model", "--out", "o"], "cannot be loaded"),
        (["detect", "--languages", "en,zh", "--model", "nobody/nothing", "--out", "o"], "without network"),
        (["sets", "show", "missing.safetensors"], "file not found"),
        (["sets", "show", "nowhere/zh"], "no folder of neuron sets"),
        (["select", "nowhere", "--out", "o"], "has no scores"),
        (["report", "nowhere"], "holds no ablation results"),
        (["run", "--preset", "thinking"], "unknown preset; found 'thinking'"),
        (["run", "--languages", "en,zh", "--corpus", "en=embedded"], "--corpus and --languages differ"),
        (["run", "--corpus", "zh=embedded"], "expected en and at least one other"),
        (["run", "--languages", "zh,es"], "expected en and at least one other"),
        (["run", "--config", "nowhere.yaml"], "cannot read nowhere.yaml"),
        (["run", "--data", "/no/such/data"], "/no/such/data"),
    ],
)
def test_wrong_input_is_one_line_and_code_2(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments, code=2)
    assert message in result.output
    assert len([line for line in result.output.splitlines() if line.startswith("Error: ")]) == 1


@pytest.mark.slow
def test_wrong_input_to_ablate(tiny_llama, tiny_qwen2, neurons, tmp_path):
    common = ["ablate", "--model", tiny_llama, "--neurons", neurons, "--languages", "en,zh", "--device", "cpu"]
    common += ["--data", "embedded", "--out", tmp_path / "o"]
    assert "no preset given" in invoke(*common, code=2).output
    assert "unknown preset" in invoke(*common, "--preset", "all", code=2).output
    assert "unknown task" in invoke(*common, "--preset", "existence", "--tasks", "nothing_{l}", code=2).output
    assert "cannot read --seeds" in invoke(*common, "--preset", "existence", "--seeds", "a", code=2).output
    other = [*common]
    other[2] = tiny_qwen2
    assert "does not fit" in invoke(*other, "--preset", "existence", "--tasks", "bpb", code=2).output
    cut = tmp_path / "cut"
    cut.mkdir()
    (cut / "zh.safetensors").write_bytes((neurons / "zh.safetensors").read_bytes()[:50])
    other = [*common]
    other[4] = cut
    assert "cannot be read" in invoke(*other, "--preset", "existence", code=2).output


def test_unknown_entries_of_a_config_are_named(tmp_path):
    (tmp_path / "run.yaml").write_text("modle: x\n")
    output = invoke("run", "--config", tmp_path / "run.yaml", code=2).output
    assert "unknown entries; found modle" in output


def test_help_names_every_preset_and_command():
    shown = invoke("--help").output
    assert all(command in shown for command in ("detect", "select", "ablate", "report", "run", "sets"))
    assert len(load_presets()) == 5


def test_a_full_disk_is_one_line(tiny_llama, neurons, tmp_path, monkeypatch):
    def full(path, write):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("mwork_eval.results.store.write_atomically", full)
    output = ablate(tiny_llama, neurons, tmp_path, code=2).output
    assert "Error: No space left on device" in output
    assert "what is finished is kept" in output
