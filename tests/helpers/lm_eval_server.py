"""lm-eval with all imported, every task file read and the machine described; forks for each command, and saves it that.

Started by `helpers.commands.lm_eval`. What a command leaves in lm-eval or in logging is gone with its process.
"""

import runpy
import sys
from functools import cache

import lm_eval.__main__  # noqa: F401
from forks import serve
from lm_eval.tasks import TaskManager, _index
from torch.utils import collect_env

import mwork_eval.lm.model  # noqa: F401


def prepare() -> None:
    # The index alone finds and reads files so, and changes nothing in what it reads.
    _index.load_yaml, find = cache(_index.load_yaml), _index.TaskIndex._iter_yaml_files
    _index.TaskIndex._iter_yaml_files = staticmethod(cache(lambda root: list(find(root))))
    TaskManager()
    described = collect_env.get_pretty_env_info()
    collect_env.get_pretty_env_info = lambda: described


def lm_eval_command(arguments: list[str]) -> None:
    """Be `python -m lm_eval`."""
    sys.argv = ["lm_eval", *arguments]
    runpy.run_module("lm_eval", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    prepare()
    serve(lm_eval_command)
