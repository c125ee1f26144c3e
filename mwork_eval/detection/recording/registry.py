"""The records that there are, beside the scores that every pass keeps: a row each."""

from collections.abc import Iterable
from importlib import import_module

from mwork_eval.detection.recording.record import PassRecord
from mwork_eval.errors import InputError

SCORES = "scores"

RECORDED = "recorded"
"""The entry of what tables and parts say of themselves that names the records beside the scores."""

RECORDS = {
    "activations": "mwork_eval.detection.recording.activations",
    "responses": "mwork_eval.detection.recording.responses",
    "attributions": "mwork_eval.detection.recording.attributions",
}
"""By name, the module of a record; its `RECORD` is one. Score files name their records in this order."""

_SCORES = "mwork_eval.detection.recording.scores"
_ALL = "all"


def find_records(names: Iterable[str]) -> list[PassRecord]:
    """Return the record of the scores, and those named.

    Raises:
        InputError: If there is none of a name.
    """
    found: list[PassRecord] = [import_module(_SCORES).RECORD]
    for name in names:
        if name not in RECORDS:
            raise unknown_record(name)
        found.append(import_module(RECORDS[name]).RECORD)
    return found


def parse_records(text: str | None) -> tuple[str, ...]:
    """Split a comma-separated list of records, or `all`, into names in the order of `RECORDS`.

    Raises:
        InputError: If there is none of a name.
    """
    names = {name.strip() for name in (text or "").split(",") if name.strip()} - {SCORES}
    if unknown := sorted(names - {*RECORDS, _ALL}):
        raise unknown_record(",".join(unknown))
    return tuple(name for name in RECORDS if name in names or _ALL in names)


def unknown_record(name: str) -> InputError:
    """Return the error that there is no record of a name."""
    return InputError("unknown record", found=name, expected=f"some of {','.join(RECORDS)}, or {_ALL}")
