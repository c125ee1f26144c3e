"""What the ranks of an engine say of a load, held against the edits: every one once, and nothing else goes on."""

from collections.abc import Collection, Sequence

from mwork_eval.errors import InputError
from mwork_eval.vllm_plugin.stream import Report


def check_reports(names: Collection[str], reports: Sequence[Report | None]) -> None:
    """Raise unless each edit reached the model on some rank, and on none more than once.

    Under tensor parallel every rank is brought every tensor, under expert parallel a rank may be brought only those
    of its own experts.

    Args:
        names: Names of the checkpoint's tensors that are edited.
        reports: Of each rank, what its last load met; None of a rank that loaded otherwise than by our loader.

    Raises:
        InputError: If a tensor was not met, or more often than once, or had another shape.
    """
    told = [report for report in reports if report is not None]
    if names and len(told) < len(reports):
        raise InputError(
            "vLLM did not load the weights by the loader of mwork-eval",
            found=f"{len(reports) - len(told)} of {len(reports)} workers without a report",
            hint="leave load_format out; is mwork-eval installed on every machine?",
        )
    for report in told:
        for name, shape in report["shapes"].items():
            raise InputError("a tensor of the model has another shape than its checkpoint", found=f"{name} {shape}")
        twice = sorted(name for name, count in report["met"].items() if count > 1)
        if twice:
            raise InputError(
                "vLLM loads tensors more than once, so that it is unknown which of them count",
                found=_listed(twice),
                hint="write the masked checkpoint with `export(out=FOLDER)`, and load that",
            )
    met: set[str] = set().union(*(report["met"] for report in told))
    if missing := sorted(set(names) - met):
        raise InputError(
            "vLLM did not read tensors that hold neurons of the mask",
            found=f"no {_listed(missing)}",
            expected=f"all {len(set(names))}",
            hint="write the masked checkpoint with `export(out=FOLDER)`, and load that",
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
