"""Publish neuron sets, scores, deltas and results as a repository of the Hugging Face Hub that explains itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from mwork_eval.application.arguments import flag_of, shown_value
from mwork_eval.application.progress import Progress, ProgressChoice, shown
from mwork_eval.errors import InputError

_NAMED = 5


@dataclass(frozen=True, repr=False)
class Publication:
    """What a repository got, or what it would get.

    Attributes:
        repository: Its name, USER/NAME.
        card: Its card.
        files: By path, how many bytes each file has.
        url: Address of the commit; None if nothing was sent.
        commit: The commit; None if nothing was sent.
        reference: What to write to use it: `hub:USER/NAME` and, with sets, the name of one.
    """

    repository: str
    card: str
    files: Mapping[str, int]
    url: str | None
    commit: str | None
    reference: str

    def __repr__(self) -> str:
        done = f"commit {self.commit[:8]}" if self.commit else "not sent"
        return f"<Publication {self.repository}: {len(self.files)} files, {sum(self.files.values()):,} bytes, {done}>"


def push(
    paths: str | Path | Iterable[str | Path],
    *,
    repo: str,
    private: bool = False,
    revision: str | None = None,
    license: str | None = None,
    base_model: str | None = None,
    message: str | None = None,
    with_scores: bool = True,
    with_paths: bool = False,
    force: bool = False,
    dry_run: bool = False,
    progress: ProgressChoice = None,
) -> Publication:
    """Publish sets, scores, deltas and results of one model as a repository of the Hugging Face Hub.

    What is given is recognised and checked before anything is sent, and nothing else goes along. The repository gets a
    card with tables and commands, a figure of where the neurons are, an index with the SHA-256 of each file, and the
    model's own scores in the forms that others read. What an earlier push left there and this one lacks is deleted in
    the same commit.

    Args:
        paths: One or several of: a folder of sets, as `detect` writes it, or a single set; scores; deltas, or the
            folder of `enhance`; results folders of `ablate`, `compare_detectors` and lm_eval; the name of shipped sets.
        repo: The repository, USER/NAME; made if it is not there.
        private: Whether a new repository is seen by its owner alone.
        revision: The branch; `main` if not given.
        license: Id of the licence; that of the base model if not given.
        base_model: Id of the base model on the hub, where files name a folder.
        message: Of the commit.
        with_scores: Whether the scores beside sets go along.
        with_paths: Publish files as they are, also where they name paths of this machine; if not given, such a path
            becomes its last part, and a file with its own digest gets that of what it says then.
        force: Replace a card that was not made by this function.
        dry_run: Send nothing and ask nobody; give back what would be sent.
        progress: Where progress goes: bars if not given, nothing with False, or a `Progress`.

    Returns:
        What was sent.

    Raises:
        InputError: If something is not recognised or damaged, is of another model than the rest, names the user's own
            folder, or holds a token; if matplotlib is missing for the figure; or if the hub refuses.

    Examples:
        >>> import mwork_eval as mw
        >>> mw.push("gemma3-270m", repo="you/gemma-neurons", dry_run=True, progress=False)  # doctest: +ELLIPSIS
        <Publication you/gemma-neurons: 8 files, ... bytes, not sent>
    """
    from mwork_eval.hub.index import CARD, INDEX, write_index
    from mwork_eval.hub.quiet import without_bars
    from mwork_eval.hub.reference import is_repository
    from mwork_eval.hub.upload import bytes_of, check_target, push_files
    from mwork_eval.publishing.base_model import ask_hub, base_model_of, one_model
    from mwork_eval.publishing.commands import first_reference
    from mwork_eval.publishing.contents import read_contents
    from mwork_eval.publishing.privacy import check_nothing_private
    from mwork_eval.publishing.recognition import recognise
    from mwork_eval.publishing.repository import repository_files
    from mwork_eval.reports.plots import require_matplotlib

    if not isinstance(repo, str) or not is_repository(repo):
        raise InputError("unusable `repo`", found=shown_value(repo), expected="USER/NAME")
    for name, value in (("private", private), ("with_scores", with_scores), ("with_paths", with_paths)):
        flag_of(name, value)
    force, dry, say = flag_of("force", force), flag_of("dry_run", dry_run), shown(progress)
    require_matplotlib("the figure of the card")
    given = _paths_of(paths)
    if not dry:
        check_target(repo, revision=revision)
    recognised = list(dict.fromkeys(one for path in given for one in recognise(path)))
    with say.bar("read", len(recognised)) as advance:
        contents = read_contents(recognised, with_scores=with_scores, advance=advance)
    _tell_left_out(contents.left_out, say)
    known = one_model(contents.weights)
    changed = {} if with_paths else _without_paths(contents.files, say)
    model = base_model_of(known, given=base_model, license=license)
    if not dry:
        model = ask_hub(model)
    made = repository_files(contents, model, repo)
    files: dict[str, bytes | Path] = {**made.files, **changed}
    check_nothing_private({CARD: made.card.encode(), **files}, with_home=with_paths)
    index = write_index(files, base_model=model.hub, fingerprint=model.fingerprint)
    files = {CARD: made.card.encode(), INDEX: index, **files}
    sizes = {path: len(file) if isinstance(file, bytes) else file.stat().st_size for path, file in files.items()}
    reference = first_reference(contents, repo) or f"hub:{repo}"
    if dry:
        return Publication(repo, made.card, sizes, None, None, reference)
    with without_bars(), say.bar("push (bytes)", bytes_of(files)) as advance:
        pushed = push_files(
            repo,
            files,
            private=private,
            revision=revision,
            force=force,
            message=message or f"mwork push: {len(files)} files",
            bar=advance,
        )
    if pushed.deleted:
        say.tell(f"deleted, for this push has no such files: {_some(pushed.deleted)}")
    return Publication(repo, made.card, sizes, pushed.url, pushed.commit, reference)


def _paths_of(paths: Any) -> list[str | Path]:
    given = [paths] if isinstance(paths, str | PathLike) else paths
    listed = list(given) if isinstance(given, Iterable) and not isinstance(given, bytes | Mapping) else []
    if not listed or not all(isinstance(one, str | PathLike) for one in listed):
        raise InputError("nothing to publish", found=shown_value(paths), expected="files or folders, one at least")
    return list(dict.fromkeys(one if isinstance(one, str) else Path(one) for one in listed))


def _without_paths(files: Mapping[str, Path], say: Progress) -> dict[str, bytes]:
    """Return the files that name paths of this machine, with their last parts instead."""
    from mwork_eval.publishing.privacy import find_paths, last_of, without_paths

    paths = find_paths(files.values())
    changed = {name: content for name, file in files.items() if (content := without_paths(file, paths)) is not None}
    if changed:
        told = _some(f"{path} as {last_of(path)}" for path in paths)
        say.tell(f"paths of this machine are published as their last parts, in {len(changed)} files: {told}")
    return changed


def _tell_left_out(left_out: list[Path], say: Progress) -> None:
    if left_out:
        say.tell(f"left out: {_some(left_out)}")


def _some(values: Any) -> str:
    names = [str(value) for value in values]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
