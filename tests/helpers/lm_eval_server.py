"""lm-eval with all imported, every task file read and the machine described; forks for each command, and saves it that.

Started by `helpers.commands.lm_eval`. A line in asks for a command, a line out is its exit code. What a command leaves
in its process, in lm-eval or in logging, is gone with it.
"""

import gc
import json
import os
import runpy
import sys
from functools import cache

import lm_eval.__main__  # noqa: F401
from lm_eval.tasks import TaskManager, _index
from torch.utils import collect_env

import mwork_eval.lm.model  # noqa: F401


def serve() -> None:
    # The index alone finds and reads files so, and changes nothing in what it reads.
    _index.load_yaml, find = cache(_index.load_yaml), _index.TaskIndex._iter_yaml_files
    _index.TaskIndex._iter_yaml_files = staticmethod(cache(lambda root: list(find(root))))
    TaskManager()
    described = collect_env.get_pretty_env_info()
    collect_env.get_pretty_env_info = lambda: described
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            become(**json.loads(line))
            return
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def become(arguments: list[str], environment: dict[str, str], folder: str, out: str, err: str) -> None:
    """Be `python -m lm_eval`: how it ends, by itself, by `sys.exit` or by an error, is how this process ends."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, path in enumerate((os.devnull, out, err)):
        os.dup2(os.open(path, os.O_RDWR), number)
    sys.argv = ["lm_eval", *arguments]
    runpy.run_module("lm_eval", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve()
