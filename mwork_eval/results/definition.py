"""What a score means beyond its documents: scores of other definitions are not compared."""

from collections.abc import Mapping
from typing import Any

_WHOLE_TEXTS = "loglikelihood_rolling"


def definition_of(config: Mapping[str, Any] | None, version: object, *, double_bos: bool) -> str:
    """Return what a score is defined by: the version of its task file and, of whole texts, where they begin.

    The documents and prompts of bits per byte are the same whether or not a second BOS is scored, and those of a new
    version of a task may be, too.

    Args:
        config: What lm-eval's results say of the task as its configuration, if anything.
        version: Likewise, its version.
        double_bos: Whether a second BOS may be scored, as by lm-eval's `hf`.
    """
    whole = (config or {}).get("output_type") == _WHOLE_TEXTS
    return f"version {version}" + (", as hf begins texts" if whole and double_bos else "")
