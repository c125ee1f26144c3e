"""Commands that are killed, and disks that are full: nothing finished is lost, and going on ends as if nothing was."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest
import torch
from helpers.commands import mwork
from helpers.enhancement_models import write_inputs
from helpers.report_folders import make_folder

from mwork_eval.cli.main import main

pytestmark = pytest.mark.slow
CORPORA = ("--corpus", "en=en.txt", "--corpus", "zh=zh.txt", "--max-tokens", "16", "--min-tokens", "4")
COMMANDS = {
    "detect": ("detect", "--model", "m", *CORPORA, "--max-docs", "60", "--fraction", "0.4", "--checkpoint-docs", "2",
               "--resume"),
    "ablate": ("ablate", "--model", "m", "--neurons", "sets", "--preset", "existence", "--tasks", "bpb",
               "--languages", "en,zh", "--limit", "3", "--seeds", "1,2,3", "--data", "embedded"),
    "enhance": ("enhance", "--model", "m", "--neurons", "zh.safetensors", "--corpus", "zh.txt", "--documents", "4,8",
                "--random-control", "2", "--learning-rate", "0.01", "--warmup-steps", "1", "--batch-size", "1",
                "--evaluate", "bpb", "--data", "embedded", "--limit", "2", "--languages", "en,zh"),
    "tune-layers": ("tune-layers", "--model", "m", "--neurons", "sets", "--task", "bpb", "--limit", "2", "--data",
                    "embedded", "--understanding", "1,2", "--generation", "0,1"),
    "leaderboard": ("leaderboard", "one", "two", "three", "--export", "model-index", "--export", "dataset"),
}  # fmt: skip
LEFT = (".lock", ".partial.safetensors", "report.html")
"""Endings of what does not count: locks, checkpoints that are done with, and the page, which names its folder."""


def command_of(name: str, out: Path) -> list[str]:
    device = () if name == "leaderboard" else ("--device", "cpu")
    return [*COMMANDS[name], *device, "--out", str(out)]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, one_thread) -> Path:
    """A tiny model, texts, sets and results."""
    folder = write_inputs(tmp_path_factory.mktemp("inputs"))
    lines = (folder / "zh.txt").read_text().splitlines()
    (folder / "en.txt").write_text("\n".join(line[::-1] for line in lines) + "\n")
    os.chdir(folder)
    mwork(*command_of("detect", folder / "sets"))
    for name in ("one", "two", "three"):
        make_folder(folder / name, model=name)
    return folder


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """OpenMP's threads do not survive a fork: what is forked here must never need them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def there(inputs, monkeypatch):
    monkeypatch.chdir(inputs)


def fork(arguments: list[str], note: Path) -> int:
    """Start a command in a copy of this process, which has everything imported."""
    child = os.fork()
    if child == 0:
        signal.alarm(300)  # rather than wait for ever
        sys.stdout = sys.stderr = note.open("a", encoding="utf-8")
        code = 99
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return child


def ended(child: int) -> int:
    """Wait for a child, and return its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(LEFT)
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_command_goes_on_and_ends_as_if_it_had_not_been(name, tmp_path, request):
    whole, folder, note = tmp_path / "whole", tmp_path / "folder", tmp_path / "note"
    mwork(*command_of(name, whole))
    start = time.monotonic()
    assert ended(fork(command_of(name, tmp_path / "again"), note)) == 0
    longest, generator, killed = time.monotonic() - start, random.Random(name), 0
    while killed < request.config.getoption("--kills"):
        child = fork(command_of(name, folder), note)
        time.sleep(generator.uniform(0, longest))
        os.kill(child, signal.SIGKILL)
        code = ended(child)
        assert code in (0, -signal.SIGKILL), note.read_text()
        killed += code != 0
        if code == 0:
            assert contents(folder) == contents(whole)
            shutil.rmtree(folder)
    child = fork(command_of(name, folder), note)
    assert ended(child) == 0, note.read_text()
    print(f"{name}: {killed} kills")
    assert contents(folder) == contents(whole)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_one_line_and_the_same_command_goes_on(name, small_disk, tmp_path):
    whole, note, filler = tmp_path / "whole", tmp_path / "note", small_disk / "filler"
    mwork(*command_of(name, whole))
    room = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file())
    filler.write_bytes(b"x" * max(4096, 256 * 1024 - min(room // 2, 96 * 1024) // 4096 * 4096))
    assert ended(fork(command_of(name, small_disk / "out"), note)) == 2, note.read_text()
    said = note.read_text()
    assert "Traceback" not in said
    assert re.search("No space left on device|bytes are free there", said.splitlines()[-1])
    kept = tmp_path / "kept"
    shutil.copytree(small_disk / "out", kept)
    mwork(*command_of(name, kept))
    assert contents(kept) == contents(whole)
