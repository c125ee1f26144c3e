"""Make mwork-hf and its tasks known to lm-eval when, and only when, lm-eval is imported.

Python runs this at every start through `mwork_eval_autoload.pth`, so it imports nothing: it puts a finder on
`sys.meta_path` that lets four modules of lm-eval load as usual and then calls `mwork_eval.harness.plugin`.
docs/decisions/0001-plugin-backport.md says why, and when this file is deleted.
"""

import sys

TYPE_CHECKING = False  # typing.TYPE_CHECKING, without the cost of importing typing at every Python start
if TYPE_CHECKING:
    from typing import Any

_WATCHED = ("lm_eval.models", "lm_eval.tasks._index", "lm_eval._cli.run", "lm_eval.loggers.evaluation_tracker")


class _LmEvalWatcher:
    """A meta-path finder that finds nothing itself; it adds a step after the import of a watched module."""

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Any":
        if name not in _WATCHED:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                _extend(spec.loader)
                return spec
        return None


def _extend(loader: "Any") -> None:
    execute = loader.exec_module

    def exec_module(module: "Any") -> None:
        execute(module)
        from mwork_eval.harness import plugin

        plugin.extend(module)

    loader.exec_module = exec_module


if not any(type(finder).__name__ == "_LmEvalWatcher" for finder in sys.meta_path):
    sys.meta_path.insert(0, _LmEvalWatcher())  # type: ignore[arg-type]
