"""How commands end: an exit code means one thing, one line says what happened, and output gives no commands."""

import io
import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from helpers.gate_folders import answers, make_results

import mwork_eval.application.check as gate
from mwork_eval.cli.main import main
from mwork_eval.errors import InputError
from mwork_eval.terminal.lines import log_handler
from mwork_eval.terminal.streams import GuardedStream, write_commands

COMMANDS = ("x ::stop-commands::abc", "##[error]y", "##vso[task.complete]z", "##teamcity[x]", "\u2028::add-mask::b")


def end_with(error: BaseException, *options: str, **environment: str):
    """Run a command whose work ends with an exception."""

    def fail(*_: object, **__: object):
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "check", fail)
        return CliRunner().invoke(main, [*options, "check", ".", "--baseline", "."], env=environment)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("bad", found="a\nb"), 2, "Error: bad; found a\\nb"),
        (OSError(28, "No space left on device", "a\n::b"), 2, "Error: No space left on device (a\\n::b); what is"),
        (KeyError("layers\n::x"), 3, "Error: unforeseen KeyError: "),
        (MemoryError(), 3, "Error: unforeseen MemoryError (in mwork_eval.cli.check:"),
        (RecursionError("deep"), 3, "Error: unforeseen RecursionError: deep (in mwork_eval."),
        (SystemExit(1), 3, "Error: unforeseen SystemExit: 1"),
        (SystemExit("a library"), 3, "Error: unforeseen SystemExit: a library"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_an_exception_ends_with_its_code_and_one_line(error, code, line):
    found = end_with(error)
    assert found.exit_code == code
    assert found.stderr.startswith(line)
    assert found.stderr.count("\n") == 1
    assert len(found.stderr) < 2500


def test_the_traceback_comes_when_asked_for():
    assert "Traceback" not in end_with(KeyError("x")).stderr
    for found in (end_with(KeyError("x"), "--debug"), end_with(KeyError("x"), MWORK_DEBUG="1")):
        assert found.exit_code == 3
        assert "Traceback" in found.stderr
        assert found.stderr.splitlines()[-1].startswith("Error: unforeseen KeyError")
    assert "Traceback" not in end_with(KeyError("x"), MWORK_DEBUG="0").stderr


def test_ctrl_c_and_the_end_of_a_library_keep_their_codes():
    found = end_with(KeyboardInterrupt())
    assert (found.exit_code, "Interrupted. What is finished is kept" in found.stderr) == (130, True)
    assert end_with(click.Abort()).exit_code == 130
    assert end_with(SystemExit(15)).exit_code == 15


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(5, "no"), KeyError("x")])
def test_a_command_that_writes_nothing_keeps_nothing(error, monkeypatch):
    def fail(*_: object, **__: object):
        raise error

    monkeypatch.setattr("mwork_eval.application.inspect.inspect", fail)
    found = CliRunner().invoke(main, ["inspect", "x", "--verify"])
    assert found.exit_code in (130, 2, 3)
    assert "kept" not in found.stderr
    assert found.stderr.strip().startswith("Interrupted." if isinstance(error, KeyboardInterrupt) else "Error: ")
    assert "kept" in end_with(error).stderr


def test_wrong_options_end_with_2_and_one_line():
    for wrong in (
        ["check", "--bogus\n::x"],
        ["no\n::such"],
        ["sets", "diff", "a", "b", "c\n::d"],
        ["lens", "--k", "\n"],
    ):
        found = CliRunner().invoke(main, wrong)
        assert found.exit_code == 2
        (line,) = [line for line in found.stderr.splitlines() if line.startswith("Error: ")]
        assert found.stderr.splitlines()[-1] == line


def test_who_closes_the_output_gets_no_message():
    command = [sys.executable, "-m", "mwork_eval", "--help"]
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (run.returncode, run.stderr) == (141, "")


def lines_that_command(text: str) -> list[str]:
    """Return the lines that a service takes for commands."""
    return [
        line
        for line in text.splitlines()
        if line.strip().startswith("::") or any(mark in line for mark in ("##[", "##vso[", "##teamcity["))
    ]


@pytest.mark.parametrize("width", [40, 79, 200])
@pytest.mark.parametrize("name", COMMANDS)
def test_no_name_gives_a_command(name, width, tmp_path, monkeypatch):
    old = make_results(tmp_path / "old", {(name, "zh"): answers(100, 80)}, model=name)
    new = make_results(tmp_path / "new", {(name, "zh"): answers(100, 40)}, model=name)
    environment = {"GITHUB_ACTIONS": "true", "COLUMNS": str(width), "FORCE_COLOR": "1"}
    found = CliRunner().invoke(main, ["check", str(new), "--baseline", str(old)], env=environment)
    assert found.exit_code == 1
    commands = lines_that_command(found.output)
    assert commands
    assert all(line.startswith("::error title=mwork check::") and "##[" not in line for line in commands)
    shown = CliRunner().invoke(main, ["report", str(new), "--formats", "terminal"], env=environment)
    assert lines_that_command(shown.output) == []
    for wrong in (["check", name, "--baseline", name], ["sets", "show", f"\n{name}"], ["report", f"{name}\r{name}"]):
        assert lines_that_command(CliRunner().invoke(main, wrong, env=environment).output) == []


def test_a_command_in_pieces_is_broken_and_json_stays_json():
    stream = io.StringIO()
    guard = GuardedStream(stream)
    for piece in ("ok\n ", ":", ":stop\n#", "#", "[error]\n", "a ::b ##x\n", '{"a": "##[b"}\n', "\x1b[1m::c\n"):
        guard.write(piece)
    guard.buffer.write(b"\n::d\n")
    assert stream.getvalue() == (
        'ok\n :\\u003astop\n##\\u005berror]\na ::b ##x\n{"a": "##\\u005bb"}\n\x1b[1m:\\u003ac\n\n:\\u003ad\n'
    )


def test_an_output_without_unicode_gets_escapes():
    binary = io.BytesIO()
    guard = GuardedStream(io.TextIOWrapper(binary, encoding="ascii"))
    guard.write("∆ of 深\n")
    guard.flush()
    assert binary.getvalue() == b"\\u2206 of \\u6df1\n"


def test_commands_that_are_meant_are_written(capsys):
    write_commands(["::error title=a::b ##[c]"])
    assert capsys.readouterr().out == "::error title=a::b ##\\u005bc]\n"


def test_a_log_message_is_one_line(capsys):
    import logging

    handler = log_handler()
    handler.emit(logging.LogRecord("x", logging.WARNING, "", 0, "read %s", ("a\n::b" + "c" * 5000,), None))
    said = capsys.readouterr().err
    assert said.startswith("read a\\n::b")
    assert said.count("\n") == 1
    assert len(said) < 2100
