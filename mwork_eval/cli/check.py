"""`mwork check`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mwork_eval.errors import InputError
from mwork_eval.terminal.lines import print_document, tell_written

if TYPE_CHECKING:
    from mwork_eval.application.check import CheckResults

_RESULTS = click.Path(path_type=Path)


@click.command()
@click.argument("folders", type=_RESULTS, nargs=-1, required=True, metavar="NEW")
@click.option(
    "--baseline",
    type=_RESULTS,
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
@click.option("--any-engine", is_flag=True, help="Compare answers of different engines: transformers and vLLM.")
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
    any_engine: bool,
    out: Path | None,
    write_baseline: Path | None,
    calibrate: bool,
) -> None:
    """Compare the results in NEW with those in OLD, document by document; fail if a score dropped.

    NEW and OLD are folders of `mwork ablate`, `mwork run`, or lm_eval --log_samples; of lm_eval, also a results file.
    A score fails if it dropped by more than its limit (1 point; 0.02 bits per byte) and an exact test of no change,
    corrected for the number of comparisons, says p < 0.05. Exit codes: 0 pass, 1 regression, 2 something could not be
    compared, 3 a defect of this program. Writes check.md, check.json and junit.xml.

    With --calibrate: NEW are two or more runs of one checkpoint, with other seeds, batches or hardware.
    """
    asked = {"--baseline": baseline, "--write-baseline": write_baseline, "--calibrate": calibrate}
    chosen = [name for name, value in asked.items() if value]
    if len(chosen) != 1:
        raise InputError(f"one of {', '.join(asked)} is needed", found=" and ".join(chosen) or "none")
    from mwork_eval.application import check as gate
    from mwork_eval.results.lm_eval_folder import results_files

    for place in folders if baseline is None else (*folders, baseline):
        if not place.exists() and not results_files(place):
            raise InputError(f"{place} does not exist", expected="a results folder, or a results file of lm_eval")

    if calibrate:
        from mwork_eval.gate.calibration import as_limits_file

        limits_out = None if out is None else out / "limits.yaml"
        measured = gate.calibrate(folders, limits=limits_file, per_task=per_task, out=limits_out)
        print_document(as_limits_file(measured))
        if limits_out is not None:
            tell_written([limits_out])
        return
    if len(folders) > 1:
        raise InputError("one NEW is compared", found=" ".join(map(str, folders)), hint="several are for --calibrate")
    (new,) = folders
    if baseline is not None:
        found = gate.check(new, baseline, limits=limits_file, strict=strict, per_task=per_task, any_engine=any_engine)
        _show(found, out or (new if new.is_dir() else new.parent) / "check")
        ctx.exit(found.exit_code)
    elif write_baseline is not None:
        tell_written(gate.write_baseline(new, write_baseline, limits=limits_file))


def _show(found: "CheckResults", folder: Path) -> None:
    """Show a check on the terminal, as files and, in a GitHub workflow, as summary and annotations."""
    from mwork_eval.gate.formats.files import append_step_summary
    from mwork_eval.gate.formats.github import annotations
    from mwork_eval.terminal.console import make_console
    from mwork_eval.terminal.gate import print_check
    from mwork_eval.terminal.streams import write_commands

    print_check(found, make_console())
    tell_written(found.write(folder))
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        append_step_summary(found, Path(summary))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        write_commands(annotations(found))
