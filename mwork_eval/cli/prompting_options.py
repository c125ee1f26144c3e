"""The options that say how models are asked, and further arguments of the model."""

from typing import Any

import click

from mwork_eval.cli.numbers import Count
from mwork_eval.cli.options import together
from mwork_eval.errors import InputError

_TRUSTED = "mwork_eval.trust_remote_code"
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")


def _template(_: click.Context, __: click.Parameter, value: str | None) -> bool | str:
    if value is None or value.lower() in ("", "false"):
        return False
    return True if value.lower() == "true" else value


def _multiturn(_: click.Context, __: click.Parameter, value: str | None) -> bool | None:
    if value is None:
        return None
    if value.lower() not in (*_TRUE, *_FALSE):
        raise InputError("cannot read --fewshot-as-multiturn", found=value, expected="true or false")
    return value.lower() in _TRUE


def _key_values(_: click.Context, parameter: click.Parameter, value: str | None) -> dict[str, Any] | None:
    if value is None:
        return None
    from mwork_eval.files.key_values import parse_key_values

    return parse_key_values(str(parameter.name), value)


def _model_args(ctx: click.Context, parameter: click.Parameter, value: str | None) -> dict[str, Any] | None:
    given = _key_values(ctx, parameter, value)
    return {**(given or {}), "trust_remote_code": True} if ctx.meta.get(_TRUSTED) else given


def _trust(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta[_TRUSTED] = value


prompting_options = together(
    click.option(
        "--apply-chat-template",
        is_flag=False,
        flag_value="true",
        callback=_template,
        metavar="[NAME]",
        help="Render prompts by the tokenizer's chat template, or by that of its several.  [default: plain texts]",
    ),
    click.option("--system-instruction", metavar="TEXT", help="Before the task's description.  [default: none]"),
    click.option("--num-fewshot", type=Count(0), help="Examples before each question.  [default: the task's number]"),
    click.option(
        "--fewshot-as-multiturn",
        is_flag=False,
        flag_value="true",
        callback=_multiturn,
        metavar="[BOOL]",
        help="Examples as turns of their own.  [default: true with --apply-chat-template]",
    ),
    click.option(
        "--gen-kwargs",
        callback=_key_values,
        metavar="KEY=VALUE,...",
        help="Arguments of generation, or a JSON object of them.  [default: the task's]",
    ),
    click.option(
        "--model-args",
        callback=_model_args,
        metavar="KEY=VALUE,...",
        help="Further arguments of mwork-hf and hf: max_length, peft, attn_implementation, ...  [default: none]",
    ),
    click.option(
        "--trust-remote-code",
        is_flag=True,
        is_eager=True,  # read before --model-args, whose value it goes into
        expose_value=False,
        callback=_trust,
        help="Run the code that the model brings, if it brings some.",
    ),
)
"""How models are asked, in lm-eval's words."""
