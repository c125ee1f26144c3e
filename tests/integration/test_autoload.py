"""The start-up line in environments of their own: whatever stands for mwork_eval there, lm-eval is imported."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import lm_eval
import pytest

import mwork_eval

OURS = Path(mwork_eval.__file__).parent
PTH = OURS.parent / "mwork_eval_autoload.pth"
MODELS = "import lm_eval.models"
TWO_STEPS = "import lm_eval.models, lm_eval.api.metrics"
EVERY_STEP = "import lm_eval.models, lm_eval.api.metrics, lm_eval.tasks, lm_eval._cli.run, lm_eval.evaluator"
NAMED = "from lm_eval.api.registry import model_registry; print('mwork-hf' in model_registry)"


class Environment:
    """An environment with all packages of this one but ours, and our start-up line."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, symlinks=True, with_pip=False)
        self._python = folder / "bin" / "python"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.packages = folder / "lib" / version / "site-packages"
        for entry in Path(lm_eval.__file__).parents[1].iterdir():
            if "mwork" not in entry.name and entry.suffix != ".pth":
                (self.packages / entry.name).symlink_to(entry)
        shutil.copy(PTH, self.packages)

    def install(self, *without: str) -> Path:
        """Install our package as a wheel does, but for some files."""
        package = self.packages / "mwork_eval"
        shutil.copytree(OURS, package, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("tasks", "neuron_sets"):
            (package / name).symlink_to(OURS.parent / name)
        for name in without:
            path = package / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return package

    def run(self, code: str, **environment: str) -> tuple[str, list[str]]:
        """Run a program, and return what it printed and its warnings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MWORK", "PYTHON"))}
        command = [self._python, "-W", "error::UserWarning:mwork_eval", "-c", code]
        run = subprocess.run(
            command, capture_output=True, text=True, env=kept | environment, cwd=self.packages.parent, check=False
        )
        assert run.returncode == 0, run.stderr
        return run.stdout.strip(), run.stderr.strip().splitlines()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return Environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture
def environment(built):
    yield built
    package = built.packages / "mwork_eval"
    shutil.rmtree(package, ignore_errors=True)
    package.with_suffix(".py").unlink(missing_ok=True)


def one_warning(found: tuple[str, list[str]], *words: str) -> None:
    printed, lines = found
    assert printed == ""
    (line,) = lines
    for word in ("mwork-eval", "MWORK_NO_AUTOLOAD=1", *words):
        assert word in line


def foreign_package(packages: Path) -> None:
    (packages / "mwork_eval").mkdir()
    (packages / "mwork_eval" / "__init__.py").write_text("print('somebody else')\n")


def foreign_program(packages: Path) -> None:
    (packages / "mwork_eval.py").write_text("print('somebody else'); raise SystemExit(3)\n")


def left_over_folder(packages: Path) -> None:
    (packages / "mwork_eval" / "tasks").mkdir(parents=True)


def empty_submodules(packages: Path) -> None:
    (packages / "mwork_eval" / "plugin").mkdir(parents=True)
    (packages / "mwork_eval" / "plugin" / "autoload.py").write_text("")


@pytest.mark.parametrize(
    ("lay", "word"),
    [
        (foreign_package, "is not the package mwork_eval"),
        (foreign_program, "is not the package mwork_eval"),
        (left_over_folder, "is not the package mwork_eval"),
        (empty_submodules, "ImportError: cannot import name"),
    ],
)
def test_what_is_not_ours_is_one_warning_and_never_run(environment, lay, word):
    lay(environment.packages)
    one_warning(environment.run(TWO_STEPS), word)


@pytest.mark.parametrize(
    "without",
    [
        ("plugin",),
        ("plugin/registration.py",),
        ("__init__.py", "versions.py"),
        ("digests.py",),
        ("benchmarks", "evaluation"),
    ],
)
def test_a_half_removed_package_is_one_warning(environment, without):
    environment.install(*without)
    one_warning(environment.run(EVERY_STEP if "evaluation" in without else TWO_STEPS))


@pytest.mark.parametrize(
    ("place", "text", "word"),
    [
        ("__init__.py", "this is no Python", "SyntaxError"),
        ("__init__.py", "import sys; sys.exit(3)", "SystemExit: 3"),
        ("plugin/autoload.py", "raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("plugin/registration.py", "def extend(module): return module.nothing_of_that_name", "AttributeError"),
        ("plugin/registration.py", "def extend(module): raise SystemExit(4)", "SystemExit: 4"),
    ],
)
def test_a_broken_package_is_one_warning(environment, place, text, word):
    (environment.install() / place).write_text(text)
    one_warning(environment.run(TWO_STEPS), word)


def test_an_lm_eval_that_does_not_fit_is_one_warning(environment, tmp_path):
    environment.install()
    for name in ("", "models", "api", "tasks"):
        (tmp_path / "lm_eval" / name).mkdir() if name else (tmp_path / "lm_eval").mkdir()
        (tmp_path / "lm_eval" / name / "__init__.py").touch()
    for name in ("api/registry.py", "api/task.py", "tasks/_index.py", "evaluator.py"):
        (tmp_path / "lm_eval" / name).touch()
    code = "import lm_eval.models, lm_eval.tasks._index, lm_eval.api.task, lm_eval.evaluator"
    one_warning(environment.run(code, PYTHONPATH=str(tmp_path)), "cannot extend lm_eval.models")


def test_what_is_gone_altogether_leaves_nothing_to_warn_of(environment):
    assert environment.run(MODELS) == ("", [])


@pytest.mark.parametrize("value", [None, "", "0", "false", "No", "off"])
def test_the_hook_is_on(environment, value):
    environment.install()
    assert environment.run(f"{MODELS}; {NAMED}", **({} if value is None else {"MWORK_NO_AUTOLOAD": value})) == (
        "True",
        [],
    )


@pytest.mark.parametrize("value", ["1", "true", "YES", "on", "2"])
def test_the_hook_is_off(environment, value):
    left_over_folder(environment.packages)
    assert environment.run(f"{MODELS}; {NAMED}", MWORK_NO_AUTOLOAD=value) == ("False", [])


def test_a_whole_package_extends_every_step_without_a_word(environment):
    environment.install()
    extended = "from lm_eval.tasks._index import TaskIndex; print(TaskIndex.build.__module__)"
    printed, lines = environment.run(f"{EVERY_STEP}; {NAMED}; {extended}")
    assert printed == "True\nmwork_eval.plugin.registration"
    assert lines == []


def test_a_second_line_adds_no_second_finder(environment):
    environment.install("plugin")
    one_warning(environment.run(f"import site; site.addsitedir(site.getsitepackages()[0]); {MODELS}"))
