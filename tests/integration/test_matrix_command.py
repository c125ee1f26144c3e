"""`mwork ablate` on a tiny model: in parts, estimated, with own presets."""

import json

from matrix_runs import CELLS, ablate, mwork

from mwork_eval.cli import steps

pytest_plugins = ["matrix_fixtures"]


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

    monkeypatch.setattr(steps, "load_for_matrix", no_weights)
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
