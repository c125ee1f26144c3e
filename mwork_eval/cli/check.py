"""`mwork check`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mwork_eval.errors import InputError

if TYPE_CHECKING:
    from mwork_eval.gate.control import Control
    from mwork_eval.gate.findings import Check
    from mwork_eval.gate.limits import Limits

_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@click.command()
@click.argument("folders", type=_FOLDER, nargs=-1, required=True, metavar="NEW")
@click.option(
    "--baseline",
    type=_FOLDER,
    metavar="OLD",
    help="Results folder, or written baseline, to compare with.  [default: none; see --write-baseline]",
)
@click.option(
    "--limits",
    "limits_file",
    type=click.Path(path_type=Path),
    help="YAML file of limits; see docs/ci.md.  [default: 1 point; 0.02 bits per byte]",
)
@click.option("--strict", is_flag=True, help="Fail on every drop over its limit, and on tasks that only NEW has.")
@click.option("--per-task", is_flag=True, help="5 % false alarms in each comparison, rather than in the whole run.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="For the files; NEW/check if not given.")
@click.option(
    "--write-baseline",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="OLD",
    help="Do not compare: write what a later --baseline needs of NEW, to be committed.  [default: compare]",
)
@click.option(
    "--calibrate",
    is_flag=True,
    help="Do not compare: print limits (to --out, limits.yaml) from the noise between several runs of one checkpoint.",
)
@click.pass_context
def check(
    ctx: click.Context,
    folders: tuple[Path, ...],
    baseline: Path | None,
    limits_file: Path | None,
    strict: bool,
    per_task: bool,
    out: Path | None,
    write_baseline: Path | None,
    calibrate: bool,
) -> None:
    """Compare the results in NEW with those in OLD, document by document; fail if a score dropped.

    NEW and OLD are folders of `mwork ablate`, `mwork run`, or lm_eval --log_samples. A score fails if it dropped by
    more than its limit (1 point; 0.02 bits per byte) and an exact test of no change, corrected for the number of
    comparisons, says p < 0.05. Exit codes: 0 pass, 1 regression, 2 something could not be compared. Writes check.md,
    check.json and junit.xml.

    With --calibrate: NEW are two or more runs of one checkpoint, with other seeds, batches or hardware.
    """
    asked = {"--baseline": baseline, "--write-baseline": write_baseline, "--calibrate": calibrate}
    chosen = [name for name, value in asked.items() if value]
    if len(chosen) != 1:
        raise InputError(f"one of {', '.join(asked)} is needed", found=" and ".join(chosen) or "none")
    if calibrate:
        _calibrate(folders, limits_file, per_task, out)
        return
    if len(folders) > 1:
        raise InputError("one NEW is compared", found=" ".join(map(str, folders)), hint="several are for --calibrate")
    (new,) = folders
    if baseline is not None:
        ctx.exit(_compare(baseline, new, limits_file, strict, per_task, out or new / "check"))
    elif write_baseline is not None:
        _write(new, limits_file, write_baseline)


def _limits(limits_file: Path | None) -> "Limits":
    from mwork_eval.gate.limits import Limits
    from mwork_eval.gate.limits_file import read_limits

    return Limits() if limits_file is None else read_limits(limits_file)


def _control(per_task: bool) -> "Control":
    from mwork_eval.gate.control import Control

    return Control.PER_TASK if per_task else Control.FAMILY_WISE


def _write(folder: Path, limits_file: Path | None, out: Path) -> None:
    from mwork_eval.gate.baseline import write_baseline
    from mwork_eval.gate.reading import read_snapshot

    _tell_written(write_baseline(read_snapshot(folder, _limits(limits_file).cluster_of), out))


def _calibrate(runs: tuple[Path, ...], limits_file: Path | None, per_task: bool, out: Path | None) -> None:
    from mwork_eval.digests import write_text_atomically
    from mwork_eval.gate.calibrated_limits import as_limits_file
    from mwork_eval.gate.calibration import calibrate

    text = as_limits_file(calibrate(runs, _limits(limits_file), _control(per_task)))
    click.echo(text, nl=False)
    if out is not None:
        write_text_atomically(out / "limits.yaml", text)
        _tell_written([out / "limits.yaml"])


def _compare(old: Path, new: Path, limits_file: Path | None, strict: bool, per_task: bool, out: Path) -> int:
    from mwork_eval.gate.check import check_folders

    found = check_folders(old, new, _limits(limits_file), strict, _control(per_task))
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
