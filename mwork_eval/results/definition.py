"""What a score means beyond its documents: scores of other definitions are not compared."""

from collections.abc import Mapping
from typing import Any

from mwork_eval.results.prompting_record import PromptingRecord, joined

_WHOLE_TEXTS = "loglikelihood_rolling"


def definition_of(
    config: Mapping[str, Any] | None,
    version: object,
    *,
    double_bos: bool,
    prompting: PromptingRecord | None = None,
    shots: object = None,
) -> str:
    """Return what a score is defined by: version of its task file, where whole texts begin, and how the model is asked.

    The documents and prompts of bits per byte are the same whether or not a second BOS is scored, and those of a new
    version of a task may be, too.

    Args:
        config: What lm-eval's results say of the task as its configuration, if anything.
        version: Likewise, its version.
        double_bos: Whether a second BOS may be scored, as by lm-eval's `hf`.
        prompting: How the model was asked; None if as the task file says.
        shots: The number of examples, if it is told.
    """
    kind = (config or {}).get("output_type")
    begun = ", as hf begins texts" if kind == _WHOLE_TEXTS and double_bos else ""
    return joined(f"version {version}{begun}", [] if prompting is None else prompting.parts(kind, shots))
