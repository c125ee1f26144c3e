"""Scores in the forms that others read: model cards, `.eval_results` of model repositories, and a data set."""

import io
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from mwork_eval.errors import InputError
from mwork_eval.leaderboard import tables
from mwork_eval.leaderboard.board import Board, slug_of
from mwork_eval.publishing.eval_results import registered_benchmarks, render_eval_results
from mwork_eval.publishing.model_index import render_model_index
from mwork_eval.results.summaries.entries import Contender, Score


def render_export(name: str, board: Board, with_masked: bool) -> dict[str, bytes]:
    """Render one kind of export.

    Args:
        name: `model-index`, `eval-results` or `dataset`.
        board: What to export.
        with_masked: Whether masked scores go out as those of a model of another name, which says what was deactivated.
            A data set has them in any case, with what was deactivated in a column.

    Returns:
        By path below a site, the content of each file.

    Raises:
        InputError: If nothing can be published as a model's own score.
    """
    if name == "dataset":
        files = _dataset(board)
    else:
        render = _MODEL_EXPORTS[name]
        published = _published(board, with_masked)
        files = {
            f"{slug_of(contender.name)}/{_FILES[name]}": text.encode()
            for contender, scores in published.items()
            if (text := render(contender, scores)) is not None
        }
        if not files:
            raise InputError(
                "no score is of a benchmark that the Hub keeps a leaderboard of",
                found=", ".join(sorted({score.task for scores in published.values() for score in scores})[:10]),
                expected=f"all documents of {' or '.join(registered_benchmarks())}",
                hint="model-index takes any published benchmark",
            )
    return {f"export/{name}/{path}": content for path, content in files.items()}


def _published(board: Board, with_masked: bool) -> dict[Contender, list[Score]]:
    """Return the shown scores that may be published, by who scored."""
    shown = [score for model in board.models for score, is_shown in model.scores if is_shown]
    own = [score for score in shown if with_masked or score.contender.mask is None]
    if not own:
        raise InputError(
            "there are only masked scores, which are not the model's own",
            found=", ".join(sorted({score.contender.name for score in shown})[:5]),
            hint="--with-masked exports them under these names",
        )
    published = [score for score in own if score.dataset is not None]
    if not published:
        raise InputError(
            "no score is of a published benchmark",
            found=", ".join(sorted({score.task for score in own})[:10]),
            expected="results on a benchmark's own data; the embedded texts and bpb are none",
        )
    by_contender: dict[Contender, list[Score]] = {}
    for score in published:
        by_contender.setdefault(score.contender, []).append(score)
    return by_contender


def _model_index(contender: Contender, scores: list[Score]) -> str:
    return render_model_index(contender.name, scores)


def _eval_results(contender: Contender, scores: list[Score]) -> str | None:
    return render_eval_results(scores)


_MODEL_EXPORTS: Mapping[str, Callable[[Contender, list[Score]], str | None]] = {
    "model-index": _model_index,
    "eval-results": _eval_results,
}
_FILES = {"model-index": "model-index.yaml", "eval-results": ".eval_results/mwork-eval.yaml"}


def _dataset(board: Board) -> dict[str, bytes]:
    from datasets import Dataset

    scores = tables.score_records(one for model in board.models for one in model.scores)
    by_pivot = tables.changes_by_pivot(one for model in board.models for one in model.changes)
    named = {"scores.parquet": scores}
    named |= {
        tables.changes_file(pivot, "parquet"): [tables.change_record(*one) for one in changes]
        for pivot, changes in by_pivot.items()
    }
    files: dict[str, bytes] = {}
    configs = []
    for name, records in named.items():
        if records:
            file = io.BytesIO()
            Dataset.from_list(records).to_parquet(file)
            files[name] = file.getvalue()
            configs.append({"config_name": name.removesuffix(".parquet"), "data_files": name})
    others = "".join(_CARD_OF_PIVOT.format(tag=p.tag, name=p.name) for p in by_pivot if not p.is_english)
    files["README.md"] = f"---\n{_yaml({'configs': configs})}---\n\n{_CARD}{others}".encode()
    return files


_CARD = """# Scores, and what deactivating neurons changes

`scores` has one score a row. `mask` says what was deactivated; where it is not empty, the score is not the model's own,
and `model` says so too. `documents_digest` is lm-eval's digest of documents, prompts and right answers: scores with
different ones cannot be compared. `shown` is false for results that a newer one replaces. Where models were asked
otherwise than task files say, `prompting` and `shots` (examples before each question) tell how.

`changes` has a row of a table of deltas each: changes of English and of the other languages when the neurons of the
languages are deactivated, in `unit`, negative for damage, with 95 % intervals over documents. `random` marks controls.
"""

_CARD_OF_PIVOT = """
`changes-{tag}` has the tables that compare with {name}, `pivot`: changes of {name} and of the other languages.
"""


def _yaml(value: Any) -> str:
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000))
