"""The built wheel in a new environment, used from another folder."""

import os
import site
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ADDRESS = "https://repository.test/owner/name"

pytestmark = [pytest.mark.wheel, pytest.mark.slow]


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """The interpreter of a new environment that holds the wheel; third-party packages are those of this one.

    The path of this environment is added as plain folders, so its own editable mwork_eval is not seen.
    """
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=False)
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", folder / "env" / "bin" / "python", "install", "--no-deps", wheel],
        check=True,
        capture_output=True,
    )
    interpreter = folder / "env" / "bin" / "python"
    purelib = Path(run(interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder).strip())
    (purelib / "third-party.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return interpreter


def run(python: Path, *arguments: object) -> str:
    *arguments, folder = arguments
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "MWORK_DATA")}
    found = subprocess.run([python, *map(str, arguments)], cwd=folder, capture_output=True, text=True, env=environment)
    assert found.returncode == 0, found.stderr[-3000:]
    return found.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the source distribution, and the wheel that is built of it."""
    folder = tmp_path_factory.mktemp("built")
    environment = os.environ | {"MWORK_REPOSITORY_URL": ADDRESS, "MWORK_REVISION": "v1"}
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return folder


def test_the_package_index_would_take_both(built):
    files = sorted(built.iterdir())
    assert [file.suffix for file in files] == [".whl", ".gz"]
    found = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *files], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.count("PASSED") == 2


def test_the_page_of_the_index_leads_to_the_repository(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        (name,) = (name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = files.read(name).decode()
    assert f"Project-URL: Repository, {ADDRESS}\n" in metadata
    assert f"({ADDRESS}/raw/v1/docs/images/cross.png)" in metadata
    assert "](docs/" not in metadata


def test_the_source_distribution_holds_what_tests_and_pages_need(built):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        found = {name.partition("/")[2] for name in files.getnames()}
    for folder in ("tests", "tasks", "neuron_sets", "docs", "benchmarks", "examples", "mwork_eval"):
        kept = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert kept
        assert kept <= found
    for name in (
        "Makefile",
        "constraints.txt",
        "mkdocs.yml",
        "CITATION.cff",
        "SECURITY.md",
        ".github/workflows/ci.yml",
    ):
        assert name in found
    assert not any("__pycache__" in name for name in found)


def test_the_package_comes_from_the_wheel(python, tmp_path):
    where = run(python, "-c", "import mwork_eval; print(mwork_eval.__file__)", tmp_path)
    assert "site-packages" in where
    assert str(ROOT) not in where


def test_tasks_sets_and_texts_are_inside(python, tmp_path):
    code = (
        "from mwork_eval import resources as r\n"
        "for folder in (r.tasks_folder(), r.neuron_sets_folder(), r.embedded_folder()):\n"
        "    print(folder, sum(1 for _ in folder.rglob('*.*')))"
    )
    for line in run(python, "-c", code, tmp_path).splitlines():
        folder, count = line.rsplit(" ", 1)
        assert str(ROOT) not in folder
        assert int(count) > 4


def test_lm_eval_knows_model_and_tasks(python, tmp_path, tiny_llama):
    output = run(
        python, "-m", "lm_eval", "--model", "mwork-hf", "--model_args", f"pretrained={tiny_llama}", "--tasks", "bpb_zh",
        "--limit", "1", "--device", "cpu", "--metadata", "data=embedded", tmp_path,
    )  # fmt: skip
    assert "bits_per_byte" in output


def test_the_command_runs(python, tmp_path, tiny_llama):
    run(
        python, "-m", "mwork_eval", "run", "--model", tiny_llama, "--languages", "en,zh", "--fraction", "0.4",
        "--preset", "existence", "--tasks", "bpb", "--limit", "1", "--max-docs", "2", "--max-tokens", "20",
        "--device", "cpu", tmp_path,
    )  # fmt: skip
    assert (tmp_path / "mwork-run" / "report.md").is_file()
    assert "zh" in run(python, "-m", "mwork_eval", "sets", "show", "gemma3-270m/zh", tmp_path)
