"""The built wheel in a new environment, used from another folder."""

import os
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

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
