"""Python with the libraries imported that this package imports, and nothing of it; forks for each command.

Started by `helpers.commands.python`: a start of the interpreter is mostly these imports.
"""

import runpy
import sys
from pathlib import Path

import datasets  # noqa: F401
import scipy.stats  # noqa: F401
import sklearn.metrics  # noqa: F401
from forks import serve
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM  # noqa: F401


def python(arguments: list[str]) -> None:
    """Be `python -m MODULE ...`, `python -c CODE` or `python SCRIPT ...`, in the package of the working folder."""
    assert not any(name.partition(".")[0] in ("mwork_eval", "lm_eval") for name in sys.modules)
    first, *rest = arguments
    folder = str(Path.cwd())
    sys.path[0] = folder
    if first == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv = ["-c", *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = arguments
        sys.path.insert(0, str(Path(first).parent))
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    serve(python)
