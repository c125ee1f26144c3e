"""How models are asked, as users write it, checked before a model loads."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from mwork_eval.application.arguments import shown_value, whole_number
from mwork_eval.digests import canonical_json
from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import prepare_tasks
from mwork_eval.evaluation.prompting import Prompting
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.files.key_values import parse_key_values

_LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_WORDS = ("until", *_LENGTHS)
"""Arguments of generation that are lm-eval's; all others are of transformers."""


class PromptingArguments(TypedDict, total=False):
    """How models are asked: arguments of `ablate`, which describes each."""

    apply_chat_template: bool | str
    system_instruction: str | None
    num_fewshot: int | None
    fewshot_as_multiturn: bool | None
    gen_kwargs: Mapping[str, Any] | str | None


def prompting_of(
    apply_chat_template: bool | str = False,
    system_instruction: str | None = None,
    num_fewshot: int | None = None,
    fewshot_as_multiturn: bool | None = None,
    gen_kwargs: Mapping[str, Any] | str | None = None,
) -> Prompting:
    """Turn arguments of `ablate` into one value; the tokenizer is not asked yet.

    Raises:
        InputError: If one cannot be used.
    """
    if not isinstance(apply_chat_template, bool | str) or apply_chat_template == "":
        expected = "True, or the name of a template"
        raise InputError("unusable apply_chat_template", found=shown_value(apply_chat_template), expected=expected)
    if not isinstance(system_instruction, str | None):
        raise InputError("unusable system_instruction", found=shown_value(system_instruction), expected="a text")
    if not isinstance(fewshot_as_multiturn, bool | None):
        raise InputError("unusable fewshot_as_multiturn", found=shown_value(fewshot_as_multiturn), expected="a bool")
    return Prompting(
        apply_chat_template,
        system_instruction or None,
        whole_number("num_fewshot", num_fewshot, at_least=0, none_is="the task's own number"),
        fewshot_as_multiturn,
        gen_kwargs_of(gen_kwargs),
    )


def gen_kwargs_of(given: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """Return arguments of generation that lm-eval or transformers know.

    Raises:
        InputError: If one is unknown, or its value is of another kind.
    """
    if isinstance(given, str):
        given = parse_key_values("gen_kwargs", given)
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise InputError("unusable gen_kwargs", found=shown_value(given), expected="a mapping such as {'top_k': 5}")
    from transformers import GenerationConfig

    known = {*GenerationConfig().to_dict(), *_WORDS}
    if unknown := sorted(given.keys() - known):
        expected = "lm-eval's until and max_gen_toks, or what transformers' GenerationConfig has"
        raise InputError("unknown gen_kwargs", found=" ".join(unknown), expected=expected)
    for name, value in given.items():
        if reason := _unusable(name, value):
            raise InputError(f"unusable {name} among gen_kwargs", found=shown_value(value), expected=reason)
    return dict(given)


def check_prompts(names: Sequence[str], data: str | None, prompting: Prompting) -> None:
    """Build a prompt of each task, if they are asked in a way of the user's, before a model loads.

    Raises:
        InputError: If there are fewer examples than asked for, or the template cannot render the prompt.
    """
    if not prompting.is_default:
        prepare_tasks(names, data=data, sample=Sample(limit=1), prompting=prompting)


def _unusable(name: str, value: Any) -> str | None:
    """Say what was expected of a value that cannot be used; None if it can."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if name in _LENGTHS:
        return None if whole and value >= 1 else "a whole number from 1"
    if name == "do_sample":
        return None if isinstance(value, bool) else "true or false"
    if name in ("temperature", "top_p", "min_p", "typical_p", "repetition_penalty"):
        return None if whole or isinstance(value, float) else "a number"
    if name == "until":
        texts = [value] if isinstance(value, str) else value
        usable = isinstance(texts, list | tuple) and all(isinstance(text, str) and text for text in texts)
        return None if usable else "a text, or a list of texts, none of them empty"
    try:
        canonical_json(value)
    except (TypeError, ValueError):
        return "a value that JSON can hold"
    return None
