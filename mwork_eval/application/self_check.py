"""Prove an architecture that tests do not cover on the loaded model, before it is scored for the first time."""

from collections.abc import Callable
from weakref import WeakSet

from torch import nn

from mwork_eval.application.sample_text import tokens_to_try
from mwork_eval.detection.verification import verify
from mwork_eval.models.architectures import is_covered
from mwork_eval.models.layout import Layout

_NEURONS = 4
_CHECKED: "WeakSet[nn.Module]" = WeakSet()
"""Models that were found to be read as they are in this process."""


def check_layout(layout: Layout, name: str, tokenizer: object, tell: Callable[[str], object]) -> None:
    """Verify a model of an architecture that tests do not cover, once; does nothing for the others.

    Args:
        layout: The model, in evaluation mode; as before in the end.
        name: What it is called.
        tokenizer: Its tokenizer, or None.
        tell: Told what is done, in one line.

    Raises:
        InputError: If zeroing neurons does not do what their scores say; names structure and layer.
    """
    if is_covered(layout.model_type) or layout.model in _CHECKED or not layout.in_memory:
        return
    found = verify(layout, tokens_to_try(layout, tokenizer), neurons=_NEURONS)
    found.check(name)
    _CHECKED.add(layout.model)
    neurons, layers = sum(len(one.neurons) for one in found.comparisons), len(found.layers)
    tell(
        f"{name}: no test covers {layout.model_type}, so {neurons} neurons of {layers} layers were zeroed: scores agree"
    )
