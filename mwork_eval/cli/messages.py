"""Errors in the words of the command line: what they call by its name in Python is an option or a command here."""

import re
from collections.abc import Iterator

import click

_QUOTED = re.compile(r"`(\w+)(?:=([^`]*))?`|`(\w+)\(([^`]*)\)`")


def in_options(message: str, root: click.Group, invoked: click.Command) -> str:
    """Say options and commands where a message quotes arguments and functions.

    Args:
        message: Quotes arguments as `` `limit` `` or `` `limit=8` ``, functions as `` `detect` `` or
            `` `detect(out=FOLDER)` ``. What is neither stays as it is.
        root: The group of all commands.
        invoked: The command that failed; an argument is first looked up among its options.

    Returns:
        The message, with `--limit 8` and `` `mwork detect --out FOLDER` `` in it.
    """
    commands = {str(one.name).replace("-", "_"): one for one in root.commands.values()}
    everywhere = {**_options_of(root), **_options_of(invoked)}

    def said(match: re.Match[str]) -> str:
        argument, value, function, inner = match.groups()
        if argument is not None:
            if value is None and argument in commands:
                return f"`mwork {commands[argument].name}`"
            return _option(everywhere, argument, value) or match[0]
        if function not in commands:
            return match[0]
        given = [part.strip().partition("=") for part in inner.split(",")]
        own = _options_of(commands[function])
        words = [_option(own, name, value) or f"{name}{equals}{value}" for name, equals, value in given]
        return f"`mwork {' '.join([str(commands[function].name), *filter(None, words)])}`"

    return _QUOTED.sub(said, message)


def _option(options: dict[str, str], argument: str, value: str | None) -> str | None:
    if argument not in options:
        return None
    # What is True in Python is a flag here.
    shown = "" if value in (None, "", "True") else f" {str(value).strip(chr(39))}"
    return f"{options[argument]}{shown}"


def _options_of(command: click.Command) -> dict[str, str]:
    """Return the options of a command, and of those below it, by the name of what they become."""
    return {
        str(parameter.name): max(parameter.opts, key=len)
        for one in _below(command)
        for parameter in one.params
        if isinstance(parameter, click.Option)
    }


def _below(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        for one in command.commands.values():
            yield from _below(one)
