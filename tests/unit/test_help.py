"""What `mwork --help` and the help of every command say."""

import re

import click
import pytest
from click.testing import CliRunner

from mwork_eval.cli.main import main


def commands_below(command: click.Command, path: str = "mwork"):
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from commands_below(one, f"{path} {name}")
    else:
        yield pytest.param(command, id=path)


@pytest.mark.parametrize("command", commands_below(main))
def test_every_option_says_what_holds_if_it_is_not_given(command):
    context = click.Context(command, info_name=command.name, show_default=True)
    for option in (one for one in command.params if isinstance(one, click.Option) and not one.is_eager):
        text = " ".join(" ".join(option.get_help_record(context) or ()).split())
        if option.required:
            assert "[required]" in text
        elif not option.is_flag:
            assert re.search(r"\[default: [^\]]|if not given", text), text


def test_commands_are_listed_once_by_what_they_are_for():
    text = CliRunner().invoke(main, ["--help"]).output
    for purpose in ("The main job:", "Neuron sets:", "Models:", "Checkpoints and leaderboards:"):
        assert purpose in text
    for name in main.commands:
        assert len(re.findall(rf"^  {name} ", text, re.MULTILINE)) == 1
    assert 'eval "$(_MWORK_COMPLETE=bash_source mwork)"' in text


def test_completion_is_in_place():
    script = CliRunner().invoke(main, prog_name="mwork", env={"_MWORK_COMPLETE": "bash_source"}).output
    assert "complete -o nosort -F _mwork_completion mwork" in script
