"""Files of locks, which say that a process has something to itself."""

import os
from pathlib import Path

from filelock import BaseFileLock


def remove_lock_file(lock: BaseFileLock) -> None:
    """Remove the file of a lock that this process holds.

    Windows removes no file that is open. There it is left to the lock, which removes it when it is released.
    """
    if os.name == "posix":
        Path(lock.lock_file).unlink(missing_ok=True)
