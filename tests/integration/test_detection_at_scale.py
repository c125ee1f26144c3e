"""Detection that is killed, resumed, spread over processes and jobs, estimated and inspected."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import mwork

from mwork_eval.detection.partial import PartialScores
from mwork_eval.detection.score_table import ScoreTable
from mwork_eval.resources import embedded_folder

ENVIRONMENT = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

STOPS_AT_ITS_FIRST_CHECKPOINT = """
import signal
import time
from pathlib import Path

from mwork_eval.cli.main import main
from mwork_eval.detection.partial import PartialScores

save = PartialScores.save

def save_and_wait(self, path):
    save(self, path)
    if Path(path).name.startswith("zh"):
        time.sleep(120)
        raise SystemExit("not killed")

PartialScores.save = save_and_wait
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
main()
"""
"""The command line, which waits to be killed once the first checkpoint of Chinese is written."""


@pytest.fixture(scope="module")
def corpora(tmp_path_factory) -> list[str]:
    """Dozens of documents of English and Chinese."""
    folder = tmp_path_factory.mktemp("corpora")
    options = []
    for code in ("en", "zh"):
        texts = (embedded_folder() / f"corpus/{code}.txt").read_text(encoding="utf-8").splitlines()
        lines = [f"{number} {text}" for number in range(3) for text in texts]
        (folder / f"{code}.txt").write_text("\n".join(lines), encoding="utf-8")
        options += ["--corpus", f"{code}={folder / code}.txt"]
    return options


def detect(model: Path, corpora: list[str], out: Path, *extra: str) -> list[str]:
    return [
        "detect", "--model", str(model), *corpora, "--fraction", "0.4", "--max-docs", "all", "--max-tokens", "48",
        "--record", "all", "--max-memory", "400KB", "--device", "cpu", "--out", str(out), *extra,
    ]  # fmt: skip


def run(arguments: list[str], launcher: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *launcher, "mwork_eval", *arguments]
    result = subprocess.run(command, env=ENVIRONMENT, text=True, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
    return result


@pytest.fixture(scope="module")
def whole(tiny_llama, corpora, tmp_path_factory) -> Path:
    """What an uninterrupted detection in one process writes."""
    out = tmp_path_factory.mktemp("whole")
    mwork(*detect(tiny_llama, corpora, out))
    return out


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_detection_goes_on_where_it_was(tiny_llama, corpora, whole, tmp_path, kill):
    arguments = detect(tiny_llama, corpora, tmp_path, "--checkpoint-docs", "5", "--resume")
    command = [sys.executable, "-c", STOPS_AT_ITS_FIRST_CHECKPOINT, *arguments]
    process = subprocess.Popen(command, env=ENVIRONMENT, text=True, stderr=subprocess.PIPE)
    checkpoint = tmp_path / "scores/zh.partial.safetensors"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(kill)
    _, said = process.communicate()
    assert process.returncode == (130 if kill == signal.SIGINT else -kill), said
    if kill == signal.SIGINT:
        assert "What is finished is kept" in said
    assert 0 < PartialScores.load(checkpoint).documents < 78
    assert (tmp_path / "scores/en.safetensors").exists()
    mwork(*arguments)
    assert files_of(tmp_path) == files_of(whole)


@pytest.mark.slow
def test_two_processes_find_what_one_finds(tiny_llama, corpora, whole, tmp_path):
    # `accelerate launch --cpu` needs mpirun for a second process; torchrun starts two by itself.
    launcher = ("torch.distributed.run", "--standalone", "--nproc_per_node", "2", "--module")
    said = run(detect(tiny_llama, corpora, tmp_path), launcher).stderr
    assert said.count(f"{tmp_path}/zh.safetensors: ") == 1
    assert set(files_of(tmp_path)) == set(files_of(whole))
    for code in ("en", "zh"):
        mine, theirs = (ScoreTable.load(folder / f"scores/{code}.safetensors") for folder in (tmp_path, whole))
        assert dict(mine.about) == dict(theirs.about)
        for place in theirs.minimum:
            np.testing.assert_array_equal(mine.minimum[place], theirs.minimum[place])
            np.testing.assert_array_equal(mine.worst_rank[place], theirs.worst_rank[place])
            np.testing.assert_allclose(mine.mean[place], theirs.mean[place], rtol=1e-6)
    assert files_of(tmp_path)["zh.safetensors"] == files_of(whole)["zh.safetensors"]


def test_shards_of_separate_jobs_are_merged(tiny_llama, corpora, whole, tmp_path):
    for shard in ("1/2", "2/2"):
        assert "join the parts with `mwork scores merge" in mwork(
            *detect(tiny_llama, corpora, tmp_path, "--shard", shard)
        )
    files = sorted((tmp_path / "scores").glob("*.partial.safetensors"))
    assert [file.name for file in files] == [
        f"{code}.{n}-of-2.partial.safetensors" for code in ("en", "zh") for n in (1, 2)
    ]
    said = mwork("scores", "merge", *files, "--out", tmp_path / "merged")
    assert "78 documents of 2 shards" in said
    mwork("select", tmp_path / "merged", "--fraction", "0.4", "--out", tmp_path / "merged")
    mine, theirs = (ScoreTable.load(folder / "scores/zh.safetensors") for folder in (tmp_path / "merged", whole))
    assert dict(mine.about) == dict(theirs.about)
    for place in theirs.minimum:
        np.testing.assert_allclose(mine.minimum[place], theirs.minimum[place], rtol=1e-4)
    assert "found shards 1/2" in mwork("scores", "merge", files[0], "--out", tmp_path / "x", code=2)
    assert "of another kind" in mwork(
        "scores", "merge", whole / "scores/zh.safetensors", "--out", tmp_path / "x", code=2
    )


def test_a_dry_run_counts_and_loads_no_weights(tiny_llama, corpora, tmp_path, monkeypatch):
    def never(*_, **__):
        raise AssertionError("weights loaded")

    monkeypatch.setattr("mwork_eval.models.loading.load_model", never)
    output = mwork(*detect(tiny_llama, corpora, tmp_path, "--dry-run"))
    assert output.count("78 ") >= 4
    assert "GiB" in output
    assert not list(tmp_path.iterdir())


def test_stability_is_printed_and_stored(tiny_llama, tmp_path):
    arguments = (
        "detect", "--model", tiny_llama, "--languages", "en,zh", "--max-docs", "6", "--fraction", "0.4",
        "--device", "cpu", "--stability", "--out", tmp_path,
    )  # fmt: skip
    first = mwork(*arguments)
    assert "Overlap: Jaccard" in first
    stored = ScoreTable.load(tmp_path / "scores/zh.safetensors").about["stability"]
    assert [row["documents"] for row in stored] == [1, 2, 4, 6]
    again = mwork(*arguments)
    assert again[again.index("language") :] == first[first.index("language") :]


def test_inspect_reads_the_configuration_only(tmp_path, tiny_llama):
    (tmp_path / "config.json").write_bytes((tiny_llama / "config.json").read_bytes())
    output = mwork("inspect", tmp_path)
    assert ": llama, 4 layers" in output
    assert "masking: yes, by weights" in output
    assert "cannot be loaded" in mwork("inspect", tmp_path / "nothing", code=2)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--shard", "3/2"), "cannot read --shard; found 3/2"),
        (("--max-memory", "much"), "cannot read --max-memory; found much"),
        (("--max-docs", "0"), "cannot read --max-docs; found 0"),
    ],
)
def test_wrong_options_are_one_line(tiny_llama, corpora, tmp_path, extra, message):
    assert message in mwork(*detect(tiny_llama, corpora, tmp_path, *extra), code=2)
