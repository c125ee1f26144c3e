"""Pull a repository of neuron sets and results from the hub."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mwork_eval.application.arguments import folder_to_write, shown_value
from mwork_eval.application.progress import ProgressChoice, shown
from mwork_eval.errors import InputError
from mwork_eval.hub.pull import carry_out, plan_pull
from mwork_eval.hub.quiet import without_bars
from mwork_eval.hub.reference import HubReference


@dataclass(frozen=True)
class PulledRepository:
    """What `pull` left.

    Attributes:
        folder: The local folder, with `neurons`, `scores`, `deltas` and `results` as far as the repository has them.
        reference: The repository at the commit that was pulled: `hub:USER/NAME@COMMIT`.
        files: Paths of all files within the folder.
        fetched: Those that were not there before.
        removed: Files of an earlier pull that the repository no longer has.
        base_model: The model that the files belong to, as those who made them called it.
    """

    folder: Path
    reference: str
    files: tuple[str, ...]
    fetched: tuple[str, ...]
    removed: tuple[str, ...]
    base_model: str | None

    def __repr__(self) -> str:
        return f"<PulledRepository {self.folder}: {len(self.files)} files of {self.reference}>"


def pull(reference: str, *, out: Any, progress: ProgressChoice = None) -> PulledRepository:
    """Fetch all sets, scores, deltas and results of a repository that `push` made, each checked against its index.

    What is in the folder already is not fetched again; an interrupted pull goes on when it is called again.

    Args:
        reference: `hub:USER/NAME[@REVISION]`.
        out: A new or empty folder, or one that was pulled into before.
        progress: Where progress goes: bars if not given, nothing with False, or a `Progress`.

    Returns:
        What is in the folder.

    Raises:
        InputError: If there is no such repository, it is none of ours, the folder holds something else, or a file is
            not what the index says.
        NotReachedError: If there is no way to the hub, and it is not in the cache.

    Examples:
        >>> import mwork_eval as mw
        >>> mw.pull("hub:user/gemma3-270m-neurons", out="pulled")  # doctest: +SKIP
        <PulledRepository pulled: 12 files of hub:user/gemma3-270m-neurons@5b0f…>
    """
    if not isinstance(reference, str):
        raise InputError("unusable reference", found=shown_value(reference), expected="hub:USER/NAME[@REVISION]")
    asked = HubReference.parse(reference)
    folder = folder_to_write(out)
    if folder is None:
        raise InputError("nothing to pull into", expected="`out=FOLDER`")
    reporter = shown(progress)
    plan = plan_pull(asked, folder)
    with without_bars(), reporter.bar("pull", len(plan.missing), show=bool(plan.missing)) as advance:
        carry_out(plan, advance)
    index = plan.repository.index
    return PulledRepository(
        folder,
        str(plan.repository.reference),
        plan.paths,
        plan.missing,
        plan.stale,
        None if index is None else index.base_model,
    )
