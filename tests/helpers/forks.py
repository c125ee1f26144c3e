"""A process that has imported what takes long, and forks for each command that a line asks for.

Run as part of a script beside it, which `helpers.commands` starts. A line in is a command, a line out its exit code.
"""

import gc
import json
import os
import sys
from collections.abc import Callable


def serve(run: Callable[[list[str]], None]) -> None:
    """Fork for each line of stdin: what a command leaves in its process is gone with it.

    Args:
        run: Is the command with these arguments, in a process, folder and environment of its own. How it ends, by
            itself, by `sys.exit` or by an error, is how the process ends.
    """
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(run, **json.loads(line))
            return
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _become(
    run: Callable[[list[str]], None], arguments: list[str], environment: dict[str, str], folder: str, out: str, err: str
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, path in enumerate((os.devnull, out, err)):
        os.dup2(os.open(path, os.O_RDWR), number)
    run(arguments)
