"""Everything that a repository gets: what was given, and what is made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from mwork_eval.errors import InputError
from mwork_eval.publishing.base_model import PublishedModel
from mwork_eval.publishing.card import PROFILE, render_card
from mwork_eval.publishing.contents import Contents
from mwork_eval.publishing.eval_results import render_eval_results
from mwork_eval.publishing.every_eval_ever import render_records
from mwork_eval.reports.plots import plot_heat
from mwork_eval.results.set_counts import count_sets
from mwork_eval.results.summaries.entries import Contender, Score

_EVAL_RESULTS = ".eval_results/mwork-eval.yaml"


@dataclass(frozen=True)
class RepositoryFiles:
    """What a repository gets, beside its index.

    Attributes:
        card: Its card.
        files: By path, the other files.
    """

    card: str
    files: Mapping[str, Path | bytes]


def repository_files(contents: Contents, model: PublishedModel, repository: str) -> RepositoryFiles:
    """Make the card, the figure and the scores in the forms that others read.

    Args:
        contents: What is published.
        model: The base model.
        repository: USER/NAME.

    Raises:
        InputError: If a stored cell is damaged, or matplotlib is missing.
    """
    files: dict[str, Path | bytes] = dict(contents.files)
    if image := profile_image(contents):
        files[PROFILE] = image
    own = own_scores(contents, model)
    owner = repository.partition("/")[0]
    for matrix in contents.matrices:
        if not matrix.is_of_the_model_alone:
            continue
        manifest = matrix.results.manifest
        of_model = _of_model(matrix.scores, model)
        files |= render_records(of_model, model, owner=owner, versions=manifest.versions, engine=manifest.engine)
    for run in contents.runs:
        if run.is_of_the_model_alone:
            of_model = _of_model(run.scores, model)
            files |= render_records(of_model, model, owner=owner, versions=run.versions, engine=run.engine)
    # The Hub takes these for scores of the repository itself, so they go into the model's own alone.
    is_own = repository == model.hub and not model.is_default
    if is_own and (entries := render_eval_results(own)) is not None:
        files[_EVAL_RESULTS] = entries.encode()
    paths = sorted(files)
    return RepositoryFiles(render_card(contents, model, repository, paths, own), {path: files[path] for path in paths})


def own_scores(contents: Contents, model: PublishedModel) -> list[Score]:
    """Return the newest score of each task of the model itself, nothing deactivated in it and nothing put into it."""
    found = [score for matrix in contents.matrices if matrix.is_of_the_model_alone for score in matrix.scores]
    found += [score for run in contents.runs if run.is_of_the_model_alone for score in run.scores]
    newest = {(score.task, score.metric, score.compared_by): score for score in sorted(found, key=lambda one: one.time)}
    return _of_model(list(newest.values()), model)


def profile_image(contents: Contents) -> bytes | None:
    """Draw where the neurons of the sets are, as PNG; None without any.

    Raises:
        InputError: If sets are of models of different sizes.
    """
    several = len(contents.sets) > 1
    sets = {f"{folder}/{name}" if several else name: neurons for folder, name, neurons in contents.every_set()}
    if not any(map(len, sets.values())):
        return None
    if len({repr(neurons.shape) for neurons in sets.values()}) > 1:
        raise InputError(
            "a repository is of one model's weights", found=f"sets of models of other sizes: {' '.join(sets)}"
        )
    drawn = BytesIO()
    plot_heat(count_sets(sets)).savefig(drawn, format="png", dpi=110, metadata={"Software": None})
    return drawn.getvalue()


def _of_model(scores: Sequence[Score], model: PublishedModel) -> list[Score]:
    """Return scores under the name that readers know the model by, which is no folder of the writer's."""
    return [replace(score, contender=Contender(model.to_load, score.contender.fingerprint)) for score in scores]
