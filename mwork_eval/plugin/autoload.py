"""Make mwork-hf and its tasks known to lm-eval when, and only when, lm-eval is imported.

`mwork_eval_autoload.pth` puts a finder on `sys.meta_path` at every start of Python. It asks this module about
submodules of lm-eval and nothing else, so that other programs pay for one line and import nothing. Some of those
submodules are loaded as usual and then handed to `mwork_eval.plugin.registration`.
docs/decisions/0001-plugin-backport.md says why, and when this file is deleted.

lm-eval belongs to others, too: whatever fails here or in the line itself is one warning in a process, and the import
goes on as it would without us.
"""

import logging
import sys
import traceback
from typing import Any

WATCHER = "MworkLmEvalWatcher"
"""Name of the finder's class in the .pth file."""

_WATCHED = (
    "lm_eval.models",
    "lm_eval.api.metrics",
    "lm_eval.tasks._index",
    "lm_eval.tasks.manager",
    "lm_eval.config.evaluate_config",
    "lm_eval._cli.run",
    "lm_eval.loggers.evaluation_tracker",
    "lm_eval.api.task",
    "lm_eval.evaluator",
)


_log = logging.getLogger("mwork_eval")
_warned: list[str] = []
"""The submodule of lm-eval whose extension failed first."""


def find_spec(name: str, path: Any, target: Any) -> Any:
    """Find a watched module as Python would, with a step added after its import; None for any other."""
    if name not in _WATCHED:
        return None
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        if find is None or WATCHER in (type(finder).__name__, getattr(finder, "__name__", "")):
            continue
        try:
            spec = find(name, path, target)
        except Exception:
            return None  # Python asks this finder itself next, and the error has nothing of ours in it
        if spec is not None and spec.loader is not None:
            _extend(name, spec.loader)
            return spec
    return None


def _extend(name: str, loader: Any) -> None:
    """Add the step to a loader, which others may load from, too."""
    try:
        execute = loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            if module.__name__ == name:
                _extend_module(module)

        loader.exec_module = exec_module
    except Exception as error:
        _warn(name, error)


def _extend_module(module: Any) -> None:
    try:
        from mwork_eval.plugin import registration as plugin

        plugin.extend(module)
    except (Exception, SystemExit) as error:
        _warn(module.__name__, error)


def _warn(name: str, error: BaseException) -> None:
    """Warn once that a submodule of lm-eval stays as it is."""
    reason = " ".join("".join(traceback.format_exception_only(error)).split())[:500]
    _log.log(
        logging.DEBUG if _warned else logging.WARNING,
        "mwork-eval cannot extend %s: %s; reinstall mwork-eval with an lm-eval that it supports, or set "
        "MWORK_NO_AUTOLOAD=1",
        name,
        reason,
    )
    _warned.append(name)
