"""`mwork ablate` on a tiny model: in parts, estimated, with own presets."""

import json
import shutil

import pytest
from helpers.commands import mwork
from helpers.matrix_runs import CELLS, ablate, arguments

pytest_plugins = ["helpers.matrix_fixtures"]


def test_parts_make_up_the_matrix(tiny_llama, neurons, whole, tmp_path):
    said = ablate(tiny_llama, neurons, tmp_path, "--shard", "2/2")
    assert f"{CELLS} cells, 15 to compute in part 2 of 2" in said
    assert "15 of 30 cells of the matrix are missing" in said
    assert "∆n-Eng" not in said  # only half of the baselines are there
    assert not (tmp_path / "report.json").exists()
    said = ablate(tiny_llama, neurons, tmp_path, "--shard", "1/2")
    assert "are missing" not in said
    assert "∆n-Eng" in said
    ours, theirs = (json.loads((folder / "report.json").read_text())["tables"] for folder in (tmp_path, whole))
    assert ours == theirs


def test_a_dry_run_counts_and_loads_no_weights(tiny_llama, neurons, whole, tmp_path, monkeypatch):
    def no_weights(*arguments, **options):
        raise AssertionError("weights were loaded")

    monkeypatch.setattr("mwork_eval.application.model_source.load_for_matrix", no_weights)
    monkeypatch.setenv("COLUMNS", "200")
    said = ablate(tiny_llama, neurons, tmp_path, "--dry-run")
    assert f"{CELLS} cells, 0 finished, {CELLS} to compute" in said
    # 2 documents: 5 choices each in 15 cells of X-CSQA, one text each in 15 cells of bpb
    assert f"{15 * 10 + 15 * 2} requests" in said
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_knows_what_is_finished(tiny_llama, neurons, tmp_path):
    ablate(tiny_llama, neurons, tmp_path, "--shard", "1/3")
    assert f"{CELLS} cells, 10 finished, 20 to compute" in ablate(tiny_llama, neurons, tmp_path, "--dry-run")
    assert f"{CELLS} cells, 0 finished, {CELLS} to compute" in ablate(
        tiny_llama, neurons, tmp_path, "--dry-run", "--limit", "3"
    )


def test_a_square_computes_only_what_the_matrix_lacks(tiny_llama, neurons, whole, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    folder = shutil.copytree(whole, tmp_path / "o")
    ordinary = json.loads((whole / "report.json").read_text())
    off_diagonal = 2 * 2 * 3  # tasks, masks on the other language, LS and R with two seeds
    assert ordinary["squares"] == ordinary["doses"] == []
    said = ablate(tiny_llama, neurons, folder, "--cross", "--shard", "1/2")
    assert f"{off_diagonal // 2} of {CELLS + off_diagonal} cells of the matrix are missing" in said
    said = ablate(tiny_llama, neurons, folder, "--cross")
    assert f"{CELLS + off_diagonal} cells, {off_diagonal // 2} to compute" in said
    assert "existence on bpb: every mask on every language, LS all" in said
    report = json.loads((folder / "report.json").read_text())
    assert report["tables"] == ordinary["tables"]
    squares = {square["task"]: square for square in report["squares"]}
    assert list(squares) == ["xcsqa", "bpb"]
    by_language = ordinary["tables"][1]["rows"][1]["delta"]["by_language"]
    for mask, scores in by_language.items():
        changes = squares["bpb"]["effects"]["changes"][mask]
        assert list(changes) == ["en", "zh", "es"]
        assert changes[mask]["value"] == pytest.approx(scores["own"]["difference"])
        assert changes["en"]["value"] == pytest.approx(scores["english"]["difference"])
    assert "Language-specific neurons" in ablate(tiny_llama, neurons, folder)  # without --cross, as before
    again = json.loads((folder / "report.json").read_text())
    assert again == ordinary | {"model": str(tiny_llama), "digest": again["digest"]}


def test_dose_curves_share_cells_with_the_table(tiny_llama, neurons, whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "o")
    sizes = json.loads((whole / "manifest.json").read_text())["presets"][0]["counts"]
    own = min(sizes.values())
    said = ablate(tiny_llama, neurons, folder, "--tasks", "bpb", "--counts", f"{own},2")
    # 2 languages on two kinds of documents under 3 masks for each number; the table has those of the smallest set
    shared = 2 * 3 * list(sizes.values()).count(own)
    assert f"{15 + 24 - shared} cells, {24 - shared} to compute" in said
    assert "existence on bpb: change by number of neurons, LS all" in said
    (dose,) = json.loads((folder / "report.json").read_text())["doses"]
    assert [(point["language"], point["count"]) for point in dose["points"]] == [
        (language, count) for count in (2, own) for language in (None, "zh", "es")
    ]
    said = ablate(tiny_llama, neurons, folder, "--tasks", "bpb", "--counts", f"2,{own + 1}", code=2)
    assert f"found {own + 1}; expected at most {own}; select larger sets with a higher --fraction" in said


def test_a_dry_run_counts_the_draws_of_each_benchmark(tiny_llama, neurons, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    command = arguments(tiny_llama, neurons, tmp_path)
    at = command.index("--seeds")
    said = mwork(*command[:at], *command[at + 2 :], "--device", "cpu", "--dry-run")
    # 3 baselines; LS and 3 (X-CSQA) or 20 (bits per byte) controls of 2 languages on own and English documents
    assert f"{(3 + 4 * 4) + (3 + 21 * 4)} cells, 0 finished" in said


def test_own_presets_are_run(tiny_llama, neurons, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("mine:\n  task: bpb\n  settings:\n    - {random: false, positions: s-ffn}\n", encoding="utf-8")
    arguments = (
        "ablate", "--model", tiny_llama, "--neurons", neurons, "--preset", own, "--languages", "en,zh",
        "--data", "embedded", "--limit", "2", "--device", "cpu", "--out", tmp_path / "o",
    )  # fmt: skip
    said = mwork(*arguments)
    assert "4 cells, 4 to compute" in said
    assert "LS s-ffn" in said
    report = json.loads((tmp_path / "o" / "report.json").read_text())
    assert [table["preset"] for table in report["tables"]] == ["mine"]
    own.write_text(own.read_text().replace("s-ffn", "s-fnn"), encoding="utf-8")
    assert f"{own}:4: unknown position; found 's-fnn'" in mwork(*arguments, code=2)


def test_ray_that_is_not_installed_is_named_before_anything_loads(tiny_llama, neurons, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = ablate(tiny_llama, neurons, tmp_path, "--engine", "ray", code=2)
    assert "pip install 'mwork-eval[ray]'" in said
    assert "--workers is for --engine ray" in ablate(tiny_llama, neurons, tmp_path, "--workers", "2", code=2)
    assert list(tmp_path.iterdir()) == []


def test_draws_of_the_documents_are_detected_and_ablated(tiny_llama, neurons, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    said = ablate(tiny_llama, neurons, tmp_path, "--set-draws", "3", code=2)
    assert f"{neurons} lacks sets of random halves" in said
    assert "mwork detect --set-draws 3" in said
    shipped = ("ablate", "--neurons", "gemma3-270m", "--preset", "existence", "--tasks", "bpb", "--out", tmp_path / "s")
    assert "gemma3-270m lacks sets of random halves" in mwork(*shipped, "--set-draws", "3", code=2)
    out = tmp_path / "o"
    detection = (
        "--model", tiny_llama, "--languages", "en,zh,es", "--fraction", "0.4", "--max-docs", "16", "--max-tokens", "32",
        "--device", "cpu", "--set-draws", "3",
    )  # fmt: skip
    matrix = ("--preset", "existence", "--tasks", "bpb", "--limit", "2", "--seeds", "1", "--out", out)
    said = mwork("run", *detection, *matrix)
    assert "sets of 3 random halves of the documents" in said
    assert "existence on bpb: ∆ by the documents that the neurons were detected in" in said
    report = json.loads((out / "report.json").read_text())
    ((row,),) = (draws["rows"] for draws in report["set_draws"])
    assert (row["setting"], len(row["sets"]["by_draw"])) == ("LS all", 3)
    assert row["delta"] == report["tables"][0]["rows"][1]["delta"]["delta"]
    assert 0 < row["overlap"] < 1
    assert row["sets"]["standard_error"] > 0
    scores = {
        (c["mask_language"], c["language"], c["draw"]): c["score"] for c in report["cells"] if c["setting"] != "R all"
    }
    for draw, delta in enumerate(row["sets"]["by_draw"], 1):
        changes = [
            scores[mask, language, draw] - scores[None, language, None]
            for mask in ("zh", "es")
            for language in (mask, "en")
        ]
        assert delta == pytest.approx((changes[0] - changes[1] + changes[2] - changes[3]) / 2)  # bits: up is damage
    again = (
        "ablate", "--model", tiny_llama, "--neurons", out / "neurons", "--languages", "en,zh,es", "--data", "embedded",
        "--device", "cpu", *matrix,
    )  # fmt: skip
    assert ", 0 to compute" in mwork(*again, "--set-draws", "2", "--dry-run")
    mwork(*again, "--set-draws", "2")
    fewer = json.loads((out / "report.json").read_text())["set_draws"][0]["rows"][0]["sets"]["by_draw"]
    assert fewer == row["sets"]["by_draw"][:2]
    mwork(*again)
    assert json.loads((out / "report.json").read_text())["set_draws"] == []
