"""How a model was asked and loaded, in the words of every report."""

from collections.abc import Mapping
from typing import Any

from mwork_eval.digests import canonical_json
from mwork_eval.results.prompting_record import PromptingRecord


def asked_in_words(prompting: PromptingRecord | None, model_args: Mapping[str, Any]) -> str:
    """Say how a model was asked and loaded; empty if nothing was said of it.

    Args:
        prompting: How prompts were made, beyond what task files say.
        model_args: Further arguments of the model.
    """
    prompts = [] if prompting is None else [f"Prompts: {prompting.in_words()}."]
    given = ", ".join(f"{name}={canonical_json(value)}" for name, value in model_args.items())
    return " ".join([*prompts, *([f"Model arguments: {given}."] if given else [])])


def told_in_words(about: Mapping[str, Any]) -> str:
    """Say the same of what a file says under `prompting` and `model_args`, as JSON values."""
    said = about.get("prompting")
    prompting = PromptingRecord.model_validate(said) if said else None
    return asked_in_words(prompting, about.get("model_args") or {})
