"""The card of a repository, its README.md: what it is, what it shows, how to use it, and what is not known."""

import re
from collections.abc import Iterator, Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from mwork_eval.publishing import result_tables, set_tables
from mwork_eval.publishing.base_model import PublishedModel
from mwork_eval.publishing.card_metadata import card_metadata
from mwork_eval.publishing.commands import broken, python_lines, reproduction_commands, use_commands
from mwork_eval.publishing.contents import Contents
from mwork_eval.reports.markdown_text import escape
from mwork_eval.results.summaries.entries import Score
from mwork_eval.results.summaries.shown_names import shown_name

PROFILE = "images/profile.png"
_HUB = "https://huggingface.co"
_LINK = re.compile(r"https://[\w.~/?#@%&=+:,;-]+", re.ASCII)
"""An address with no sign that ends a link in Markdown, or is markup."""
_FOLDERS = {
    "neurons": "the sets",
    "scores": "the scores of every neuron that the sets were selected from",
    "deltas": "trained values of neurons",
    "results": "results folders, whole: `mwork report` and `mwork leaderboard` read them",
    "every_eval_ever": "the model's own scores in the schema of Every Eval Ever",
    ".eval_results": "the model's own scores on benchmarks that the Hub keeps a leaderboard of",
    "images": "the figure of where the neurons are",
}


def render_card(
    contents: Contents, model: PublishedModel, repository: str, paths: Sequence[str], own_scores: Sequence[Score]
) -> str:
    """Return the card.

    Args:
        contents: What is published.
        model: The base model.
        repository: Its name, USER/NAME.
        paths: The files of the repository.
        own_scores: The model's own scores.

    Raises:
        InputError: If a stored cell is damaged.
    """
    reproduce = reproduction_commands(contents, model)
    sets = [neurons for _, _, neurons in contents.every_set()]
    text = _template().render(
        title=_title(contents, model),
        intro=_intro(contents, model),
        facts=list(_facts(contents, model)),
        profile=PROFILE if PROFILE in paths else None,
        sets=[(folder, set_tables.set_table(of_folder)) for folder, of_folder in contents.sets.items()],
        texts=set_tables.texts_in_common(sets),
        found_by=set_tables.found_by(sets),
        stages=set_tables.stages_of(sets) if sets else None,
        has_shared=any(neurons.shared is not None for neurons in sets),
        matrices=[part for matrix in contents.matrices for part in result_tables.matrix_parts(matrix)],
        legend=result_tables.legend_of(contents) if contents.matrices else "",
        scores=result_tables.score_table(contents.runs) if contents.runs else None,
        deltas=result_tables.delta_file_table(contents.deltas) if contents.deltas else None,
        use=list(map(broken, use_commands(contents, model, repository))),
        python=python_lines(contents, model, repository),
        placeholder=escape(model.to_load) if model.is_unlinked and (sets or contents.deltas) else None,
        pinned=bool(sets),
        repository=repository,
        reproduce=list(map(broken, reproduce)),
        is_partial=any(
            "--corpus" in line or ("--data" in line and "--data embedded" not in line) for line in reproduce
        ),
        inventory=list(_inventory(paths)),
        unknown=list(_unknown(contents, model)),
    )
    return f"{card_metadata(contents, model, own_scores)}\n{text.strip()}\n"


@cache
def _template() -> Template:
    """Return the template; texts are escaped where they are put together, for Markdown is no HTML."""
    environment = Environment(
        loader=PackageLoader("mwork_eval.publishing", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    return environment.get_template("card.md")


def _title(contents: Contents, model: PublishedModel) -> str:
    what = "Language-specific neurons" if contents.sets else "Results of switching neurons off"
    if not contents.sets and not contents.matrices:
        what = "Trained neurons" if contents.deltas else "Scores"
    return f"{what} of {escape(model.shown)}"


def _intro(contents: Contents, model: PublishedModel) -> str:
    names = [escape(set_tables.language_name(tag)) for tag in set_tables.languages_of(contents)]
    languages = " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
    detectors = ", ".join("PLND" if name == "plnd" else name for name in set_tables.detectors_of(contents))
    if contents.sets:
        by = f", found by {escape(detectors)}" if detectors else ""
        carry = f"that carry {languages or 'a language'}{by}"
        what = f"The neurons of {_linked(model)} {carry}: indices of neurons, no weights."
    elif contents.runs and not contents.matrices and not contents.deltas:
        masked = all(run.is_of_the_model_alone for run in contents.runs)
        what = f"Scores of {_linked(model)}{'' if masked else ', also with neurons of it switched off'}."
    else:
        what = f"Results about the neurons of {_linked(model)}{f' that carry {languages}' if languages else ''}."
    return f"{what} mwork-eval switches neurons off inside lm-evaluation-harness and measures what breaks."


def _linked(model: PublishedModel) -> str:
    if model.hub is None:
        return f"`{escape(model.name)}`"
    return f"[{escape(model.hub)}]({_HUB}/{model.hub})"


def _facts(contents: Contents, model: PublishedModel) -> Iterator[tuple[str, str]]:
    yield "base model", _base(model)
    yield "licence", _licence(model)
    if model.fingerprint:
        refused = "; other weights are refused unless you insist" if contents.sets or contents.deltas else ""
        yield "weights", f"fingerprint `{escape(model.fingerprint)}`{refused}"
    abouts = [neurons.about for _, _, neurons in contents.every_set()]
    if dtypes := sorted({str(about["dtype"]) for about in abouts if "dtype" in about}):
        yield "dtype", escape(", ".join(dtypes))
    if versions := sorted({str(about["mwork_eval"]) for about in abouts if "mwork_eval" in about}):
        yield "made with", f"mwork-eval {escape(', '.join(versions))}"


def _base(model: PublishedModel) -> str:
    if model.is_default:
        packed = "packed as Q4_K_M and read back, so other weights than the original's"
        return f"{_linked(model)}, in mwork-eval `{model.name}`: {packed}"
    if model.hub is not None:
        return _linked(model)
    derived = (
        f", whose card calls [{model.derived_from}]({_HUB}/{model.derived_from}) its base" if model.derived_from else ""
    )
    return f"{_linked(model)}, a model that is not named on the Hub{derived}"


def _licence(model: PublishedModel) -> str:
    if model.license is None:
        return f"see the base model's, {_linked(model)}: its terms hold for what is made of it"
    name = f"`{escape(model.license_name or model.license)}`"
    named = f"[{name}]({model.license_link})" if _LINK.fullmatch(model.license_link or "") else name
    if model.license_is_given:
        return f"{named}; for the base model its own terms hold"
    terms = " ([terms of use](https://ai.google.dev/gemma/terms))" if model.license == "gemma" else ""
    return f"{named}, that of the base model{terms}"


def _inventory(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    for folder, what in _FOLDERS.items():
        if count := sum(path.startswith(f"{folder}/") for path in paths):
            yield f"{folder}/", f"{what} ({count} file{'' if count == 1 else 's'})"
    yield "mwork.json", "the SHA-256 of each file, which every use checks"


def _unknown(contents: Contents, model: PublishedModel) -> Iterator[str]:
    if model.hub is None:
        yield "Which model on the Hub the base model is; the fingerprint tells whether yours is it."
    if model.license is None:
        yield "Under which licence the base model is."
    if model.fingerprint is None:
        yield "Which weights this was made with: no file says its fingerprint, so use needs `force`."
    without = [name for _, name, neurons in contents.every_set() if neurons.about.get("corpus") is None]
    if without:
        yield f"Which texts {escape(', '.join(without))} were found in."
    if contents.sets and not contents.matrices:
        yield "What switching these neurons off changes: no results folder is in here."
    alone = [weights.model for weights in contents.weights if weights.fingerprint is None and weights.model]
    if alone and model.fingerprint is not None:
        names = ", ".join(dict.fromkeys(shown_name(name) for name in alone))
        yield f"Whether what {escape(names)} scored or held was of just these weights: some files do not say theirs."
