"""Whether vLLM is there, before anything of it is imported."""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from packaging.version import InvalidVersion, Version

from mwork_eval.errors import InputError

OLDEST = "0.32"
"""The first version whose engines load weights again as `mwork-vllm` needs it."""


def check_vllm() -> None:
    """Raise unless vLLM can be used.

    Raises:
        InputError: If it is not installed, in a build that nobody announces, or too old.
    """
    install = 'run: pip install "mwork-eval[vllm]"'
    if find_spec("vllm") is None:
        raise InputError("mwork-vllm needs vLLM", found="vllm not installed", hint=install)
    try:
        found = version("vllm")
    except PackageNotFoundError:
        raise InputError(
            "mwork-vllm needs vLLM under its own name",
            found="a package vllm that no distribution of this name brought",
            hint="docs/how-to/vllm.md tells how a build of another name is announced",
        ) from None
    try:
        old = Version(found) < Version(OLDEST)
    except InvalidVersion:
        return  # a build of somebody's own
    if old:
        raise InputError("vLLM is too old for mwork-vllm", found=found, expected=f"{OLDEST} or newer", hint=install)
