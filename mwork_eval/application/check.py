"""The gate: compare new results with old ones, keep a baseline, measure the noise between runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mwork_eval.application.arguments import folder_to_read, shown_value
from mwork_eval.errors import InputError
from mwork_eval.files.writing import write_text_atomically
from mwork_eval.gate import wording
from mwork_eval.gate.calibration import Calibration, as_limits_file
from mwork_eval.gate.calibration import calibrate as measure
from mwork_eval.gate.check import Check, check_folders
from mwork_eval.gate.formats.files import write_check_files
from mwork_eval.gate.limits import Control, Limits, read_limits
from mwork_eval.gate.reading import read_snapshot
from mwork_eval.gate.snapshot import write_baseline as write_snapshot
from mwork_eval.gate.verdict import Outcome
from mwork_eval.views.notebook import data_frame, html_list, html_table


class CheckResults(Check):
    """What a check found; a notebook shows its tables and reasons."""

    @property
    def passed(self) -> bool:
        """Whether everything was compared and nothing is a regression."""
        return self.exit_code == 0

    def to_pandas(self) -> Any:
        """Return a `pandas.DataFrame` with a row per task; changes are NEW - OLD in `unit`, negative for damage.

        Raises:
            InputError: If pandas is not installed.
        """
        return data_frame(
            [
                {
                    "task": result.name.full,
                    "metric": result.metric,
                    "unit": result.change.unit,
                    "old": result.change.old,
                    "new": result.change.new,
                    "change": result.change.change.value,
                    "low": result.change.change.low,
                    "high": result.change.change.high,
                    "documents": result.change.documents,
                    "p": result.evidence.p,
                    "p_corrected": result.evidence.p_corrected,
                    "verdict": str(result.verdict.outcome),
                    "reason": result.verdict.reason,
                }
                for result in self.tasks
            ]
        )

    def write(self, folder: str | Path) -> list[Path]:
        """Write `check.md`, `check.json` and `junit.xml`.

        Returns:
            The files written.
        """
        return write_check_files(self, Path(folder))

    def __repr__(self) -> str:
        return f"<CheckResults: {wording.headline(self).partition(': ')[2]}>"

    def _repr_html_(self) -> str:
        reasons = [*wording.problems(self), *wording.reasons(self, Outcome.REGRESSION)]
        reasons += [*wording.reasons(self, Outcome.UNSURE), *map(wording.plain, self.notes)]
        tables = (html_table("", columns, rows) for columns, rows in wording.tables(self))
        return html_list(wording.headline(self), reasons) + "".join(tables)


def check(
    new: str | Path,
    old: str | Path,
    *,
    limits: Limits | str | Path | None = None,
    strict: bool = False,
    per_task: bool = False,
    any_engine: bool = False,
) -> CheckResults:
    """Compare the results in ``new`` with those in ``old``, document by document, and judge every drop.

    A drop is a regression if it exceeds its limit (1 point; 0.02 bits per byte) and an exact test of no change,
    corrected for the number of comparisons (Holm), says p < 0.05. Nothing is written.

    Args:
        new: Results folder of `ablate`, `mwork run` or lm_eval --log_samples.
        old: Such a folder, or a written baseline.
        limits: What is allowed and required, or a YAML file of it.
        strict: Whether every drop over its limit is a regression, and a task that only ``new`` has a problem.
        per_task: Whether 5 % false alarms are allowed in each comparison, rather than in the whole run.
        any_engine: Whether answers of different engines (transformers, vLLM) may be compared.

    Raises:
        InputError: If the limits cannot be read, or name what neither folder has. What cannot be compared is in
            `problems`.
    """
    folders = folder_to_read("old", old), folder_to_read("new", new)
    found = check_folders(*folders, _limits(limits), strict, _control(per_task), any_engine=any_engine)
    return CheckResults(**vars(found))


def write_baseline(results: str | Path, out: str | Path, *, limits: Limits | str | Path | None = None) -> list[Path]:
    """Write what a later check needs of a results folder, without prompts and answers.

    Args:
        results: A results folder.
        out: Where to write; a folder to be committed.
        limits: What names the clusters of documents.

    Returns:
        The files written.

    Raises:
        InputError: If a file is missing or damaged.
    """
    return write_snapshot(
        read_snapshot(folder_to_read("results", results), _limits(limits).cluster_of), folder_to_read("out", out)
    )


def calibrate(
    runs: Sequence[str | Path],
    *,
    limits: Limits | str | Path | None = None,
    per_task: bool = False,
    out: str | Path | None = None,
) -> Calibration:
    """Measure the noise between runs of one checkpoint with other seeds, batches or hardware.

    Args:
        runs: Two results folders or more.
        limits: What names the clusters of documents.
        per_task: Whether 5 % false alarms are allowed in each task, rather than in the whole run.
        out: A file for limits that allow the noise; `check` reads it.

    Raises:
        InputError: If there are fewer than two runs, or they are of other tasks or documents.
    """
    found = measure([Path(run) for run in runs], _limits(limits), _control(per_task))
    if out is not None:
        write_text_atomically(Path(out), as_limits_file(found))
    return found


def _limits(limits: Limits | str | Path | None) -> Limits:
    if limits is None:
        return Limits()
    if not isinstance(limits, Limits | str | Path):
        raise InputError("unusable limits", found=shown_value(limits), expected="Limits, or a YAML file of them")
    return limits if isinstance(limits, Limits) else read_limits(Path(limits))


def _control(per_task: bool) -> Control:
    return Control.PER_TASK if per_task else Control.FAMILY_WISE
