"""`mwork check`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mwork_eval.errors import InputError

if TYPE_CHECKING:
    from mwork_eval.gate.findings import Check

_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@click.command()
@click.argument("new", type=_FOLDER)
@click.option("--baseline", type=_FOLDER, metavar="OLD", help="Results folder, or written baseline, to compare with.")
@click.option("--limits", "limits_file", type=click.Path(path_type=Path), help="YAML file of limits; see docs/ci.md.")
@click.option("--strict", is_flag=True, help="Fail on every drop over its limit, and on tasks that only NEW has.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="For the files; NEW/check if not given.")
@click.option(
    "--write-baseline",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="OLD",
    help="Do not compare: write what a later --baseline needs of NEW, to be committed.",
)
@click.pass_context
def check(
    ctx: click.Context,
    new: Path,
    baseline: Path | None,
    limits_file: Path | None,
    strict: bool,
    out: Path | None,
    write_baseline: Path | None,
) -> None:
    """Compare the results in NEW with those in OLD, document by document; fail if a score dropped.

    NEW and OLD are folders of `mwork ablate`, `mwork run`, or lm_eval --log_samples. A score fails if it dropped by
    more than its limit (1 point; 0.02 bits per byte) and the 95 % paired interval excludes zero. Exit codes: 0 pass,
    1 regression, 2 something could not be compared. Writes check.md, check.json and junit.xml.
    """
    if baseline is not None and write_baseline is None:
        ctx.exit(_compare(baseline, new, limits_file, strict, out or new / "check"))
    elif write_baseline is not None and baseline is None:
        _write(new, write_baseline)
    else:
        raise InputError("one of --baseline and --write-baseline is needed", found="both" if baseline else "neither")


def _write(folder: Path, out: Path) -> None:
    from mwork_eval.gate.baseline import write_baseline
    from mwork_eval.gate.reading import read_snapshot

    _tell_written(write_baseline(read_snapshot(folder), out))


def _compare(old: Path, new: Path, limits_file: Path | None, strict: bool, out: Path) -> int:
    from mwork_eval.gate.check import check_folders
    from mwork_eval.gate.limits import Limits
    from mwork_eval.gate.limits_file import read_limits

    limits = Limits() if limits_file is None else read_limits(limits_file)
    found = check_folders(old, new, limits, strict)
    _show(found, out)
    return found.exit_code


def _show(found: "Check", folder: Path) -> None:
    """Show a check on the terminal, as files and, in a GitHub workflow, as summary and annotations."""
    from rich.console import Console

    from mwork_eval.gate.files import append_step_summary, write_check_files
    from mwork_eval.gate.github import annotations
    from mwork_eval.gate.terminal import print_check

    print_check(found, Console())
    _tell_written(write_check_files(found, folder))
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        append_step_summary(found, Path(summary))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in annotations(found):
            click.echo(line)


def _tell_written(files: list[Path]) -> None:
    click.echo("written: " + ", ".join(map(str, files)), err=True)
