"""Errors say arguments and functions to a caller, and options and commands on the command line."""

import ast
import re
from pathlib import Path

import pytest

import mwork_eval
from mwork_eval.cli.main import main
from mwork_eval.cli.messages import in_options

PACKAGE = Path(mwork_eval.__file__).parent
ONLY_COMMANDS = {
    "application/named_sets.py", "detection/corpus/sources.py", "detection/detect.py", "detection/partial.py",
    "benchmarks/data.py", "results/lm_eval_folder.py", "application/read_results.py", "application/detect.py",
}  # fmt: skip
"""What names options or commands because only commands come there, or do what helps, or lm-eval's own come there."""
ROOMS = ("cli", "terminal", "gate", "leaderboard")


@pytest.mark.parametrize(
    ("message", "command", "said"),
    [
        ("choose another `out`", "enhance", "choose another --out"),
        ("`workers` is for `engine=ray`", "ablate", "--workers is for --engine ray"),
        ("use `specific='none'`", "select", "use --specific none"),
        ("accept it with `force=True`", "ablate", "accept it with --force"),
        ("make it with `detect` or `tune_layers`", "ablate", "make it with `mwork detect` or `mwork tune-layers`"),
        ("`detect(set_draws=3, out=FOLDER)`", "ablate", "`mwork detect --set-draws 3 --out FOLDER`"),
        ("run `enhance(tasks=...)`", "report", "run `mwork enhance --evaluate ...`"),
        ("each of `texts`", "lens", "each of --text"),
        ("each of `texts`", "enhance", "each of --corpus"),
        ("larger sets with a higher `fraction`", "ablate", "larger sets with a higher --fraction"),
        ("unusable `documents`; found 0", "enhance", "unusable --documents; found 0"),
        ("`out` is no file", "sets", "--out is no file"),
        ("the file `notes` is damaged; no `x=y`", "ablate", "the file `notes` is damaged; no `x=y`"),
    ],
)
def test_the_command_line_says_its_own_words(message, command, said):
    assert in_options(message, main, main.commands[command]) == said


def errors_of(path):
    """Return the texts of every InputError that a file raises, and those made ready for one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        raised = isinstance(node, ast.Call) and getattr(node.func, "id", None) == "InputError"
        ready = isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) in ("hint", "expected")
        if raised or ready:
            texts = (one.value for one in ast.walk(node) if isinstance(one, ast.Constant))
            yield from (text for text in texts if isinstance(text, str))


def test_no_error_that_a_caller_sees_names_an_option():
    found = [
        f"{name}: {text}"
        for path in PACKAGE.rglob("*.py")
        if (name := path.relative_to(PACKAGE).as_posix()).split("/")[0] not in ROOMS and name not in ONLY_COMMANDS
        for text in errors_of(path)
        if re.search(r"(?<![\w-])--[a-z]|`mwork [a-z]", text)
    ]
    assert not found


def test_what_an_error_quotes_is_an_argument_or_a_function_of_the_command_line_too():
    quoted = {
        (name, match)
        for path in PACKAGE.rglob("*.py")
        if (name := path.relative_to(PACKAGE).as_posix()).split("/")[0] not in ROOMS
        for text in errors_of(path)
        for match in re.findall(r"`\w+(?:=[^`]*)?`|`\w+\([^`]*\)`", text)
    }
    assert len(quoted) > 30
    assert not [pair for pair in quoted if in_options(pair[1], main, main) == pair[1]]
