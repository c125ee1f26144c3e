"""Numbers of options: finite and small enough, or one line and exit code 2."""

import click
import pytest
from click.testing import CliRunner
from helpers.commands import invoke

from mwork_eval.cli.main import main
from mwork_eval.cli.numbers import Count, Real
from mwork_eval.digests import file_name

WRONG = ("2.5", "nan", "inf", "1e400", "-1e400", "true", "9" * 5000, "1" + "0" * 30, "", "1\n::x")
LISTS = ("--max-docs", "--seeds", "--documents", "--counts", "--understanding", "--generation", "--shard")
MAPPINGS = ("q=nan", "q=1e400", "q", "q=1=2", "q=true")


def commands(group: click.Group = main, *path: str):
    """Yield every command with the words that call it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield [*path, name], command


def options():
    for path, command in commands():
        for option in command.params:
            if isinstance(option.type, click.types._NumberRangeBase) or option.opts[0] in LISTS:
                yield pytest.param(path, option, id=" ".join([*path, option.opts[0]]))


def test_every_number_is_of_a_type_that_knows_its_bounds():
    for path, command in commands():
        for option in command.params:
            if isinstance(option.type, click.types.IntParamType | click.types.FloatParamType):
                assert isinstance(option.type, Count | Real), (path, option.name)


@pytest.mark.parametrize(("path", "option"), options())
def test_what_is_no_such_number_ends_with_one_line(path, option):
    for text in WRONG:
        if isinstance(option.type, Real) and text == "2.5":
            continue
        if isinstance(option.type, Real) and text in ("9" * 5000, "1" + "0" * 30):
            continue  # a real number, or infinite
        found = CliRunner().invoke(main, [*path, f"{option.opts[0]}={text}"])
        assert found.exit_code == 2, (text, found.output)
        assert found.stderr.splitlines()[-1].startswith("Error: "), found.stderr
        assert len(found.stderr) < 4000


@pytest.mark.parametrize("text", MAPPINGS)
def test_thresholds_are_finite(text):
    assert "cannot read --threshold" in invoke("select", "x", "--threshold", text, "--out", "y", code=2).output


@pytest.mark.parametrize("text", ["nan", "1e400", "9" * 400, "-1GiB", "0"])
def test_sizes_are_finite(text):
    arguments = ("detect", "--languages", "en,zh", "--out", "x", "--max-memory", text)
    assert "cannot read --max-memory" in invoke(*arguments, code=2).output


def test_a_long_name_becomes_a_file_name_that_tells_names_apart():
    assert file_name("a" * 200) == "a" * 200
    names = ["深" * 100, "深" * 101, "a" * 201, "a" * 202, "\ud800" * 100]
    assert len({file_name(name) for name in names}) == len(names)
    assert all(len(file_name(name).encode()) <= 200 for name in names)
    assert file_name("深" * 100).startswith("深" * 60)
