"""Make mwork-hf and its tasks known to lm-eval when, and only when, lm-eval is imported.

`mwork_eval_autoload.pth` puts a finder on `sys.meta_path` at every start of Python. It asks this module about
submodules of lm-eval and nothing else, so that other programs pay for one line and import nothing. Some of those
submodules are loaded as usual and then handed to `mwork_eval.plugin.registration`.
docs/decisions/0001-plugin-backport.md says why, and when this file is deleted.
"""

import sys
from typing import Any

WATCHER = "MworkLmEvalWatcher"
"""Name of the finder's class in the .pth file."""

_WATCHED = (
    "lm_eval.models",
    "lm_eval.api.metrics",
    "lm_eval.tasks._index",
    "lm_eval.config.evaluate_config",
    "lm_eval._cli.run",
    "lm_eval.loggers.evaluation_tracker",
    "lm_eval.api.task",
    "lm_eval.evaluator",
)


def find_spec(name: str, path: Any, target: Any) -> Any:
    """Find a watched module as Python would, with a step added after its import; None for any other."""
    if name not in _WATCHED:
        return None
    for finder in sys.meta_path:
        if type(finder).__name__ == WATCHER or getattr(finder, "__name__", "") == WATCHER:
            continue
        spec = finder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            _extend(spec.loader)
            return spec
    return None


def _extend(loader: Any) -> None:
    execute = loader.exec_module

    def exec_module(module: Any) -> None:
        execute(module)
        from mwork_eval.plugin import registration as plugin

        plugin.extend(module)

    loader.exec_module = exec_module
