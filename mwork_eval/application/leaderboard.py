"""Compare models of many results folders, as a static site or in a notebook."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mwork_eval.application.progress import Progress, shown
from mwork_eval.leaderboard.board import Board, build_board
from mwork_eval.leaderboard.contests import contests_of
from mwork_eval.leaderboard.exports import render_export
from mwork_eval.leaderboard.ranking import RankedContest, rank, rank_contest
from mwork_eval.leaderboard.site import render_site
from mwork_eval.leaderboard.site_folder import check_room, write_site
from mwork_eval.leaderboard.tables import score_record, score_rows
from mwork_eval.results.summaries.folders import find_results, read_all
from mwork_eval.results.summaries.shown_names import without_folders
from mwork_eval.views.notebook import data_frame, html_table


@dataclass(frozen=True, repr=False)
class Ranking:
    """Models ranked over languages; a notebook shows a table.

    Attributes:
        ranked: Who was ranked, on what, and in which order.
    """

    ranked: RankedContest

    def to_pandas(self) -> Any:
        """Return a `pandas.DataFrame` of a row per model: range of ranks, mean, and the score of each language.

        Raises:
            InputError: If pandas is not installed.
        """
        return data_frame(self.ranked.records())

    def __repr__(self) -> str:
        rows = ", ".join(f"{row.rank} {row.label}" for row in self.ranked.rows[:3])
        return f"<Ranking of {len(self.ranked.rows)} on {self.ranked.benchmark}: {rows}>"

    def _repr_html_(self) -> str:
        ranked = self.ranked
        without = f"Without a score in every language: {', '.join(ranked.unranked)}" if ranked.unranked else ""
        return html_table(ranked.caption, ranked.columns, ranked.cells(), without)


@dataclass(frozen=True, repr=False)
class LeaderboardResults:
    """A leaderboard; a notebook shows its scores.

    Attributes:
        board: Scores and changes, only comparable ones in one column.
        index: The first page of the site, if one was written.
        exported: The files exported.
    """

    board: Board
    index: Path | None = None
    exported: tuple[Path, ...] = ()

    def to_pandas(self) -> Any:
        """Return a `pandas.DataFrame` of all scores, also of those that a newer one replaces (`shown` is false).

        Raises:
            InputError: If pandas is not installed.
        """
        return data_frame([score_record(*one) for model in self.board.models for one in model.scores])

    def ranking(self, benchmark: str, languages: Sequence[str] | None = None, prompting: str | None = None) -> Ranking:
        """Rank the models of a benchmark by their mean score over languages, as the first page of the site does.

        A rank is a range: what the documents cannot tell apart shares ranks.

        Args:
            benchmark: Name of the benchmark.
            languages: The languages whose mean is ranked; all of the benchmark if not given.
            prompting: How models were asked, in the words of the site, such as `as the task says`. Of several ways, and
                of several sets of documents, the one with the most scores is taken if not given.

        Raises:
            InputError: If there is no such benchmark, language or way of asking.
        """
        return Ranking(rank(self.board, benchmark, languages, prompting))

    def __repr__(self) -> str:
        return f"<LeaderboardResults: {_counts(self.board)}>"

    def _repr_html_(self) -> str:
        parts: list[str] = []
        for benchmark in self.board.benchmarks:
            ranked = (rank_contest(contest, tuple(contest.columns)) for contest in contests_of(benchmark))
            parts += [Ranking(one)._repr_html_() for one in ranked]
            columns, rows = score_rows(benchmark)
            parts.append(
                html_table(benchmark.name, ["model", *columns], [[contender.name, *row] for contender, row in rows])
            )
        return "".join(parts)


def leaderboard(
    folders: Sequence[str | Path],
    *,
    out: str | Path | None = None,
    exports: Sequence[str] = (),
    with_masked: bool = False,
    progress: Progress | None = None,
) -> LeaderboardResults:
    """Arrange the scores of results folders so that only comparable ones share a column.

    What cannot be read is left out, and named in a message, on the site and in `board.skipped`.

    Args:
        folders: Results folders of `ablate` or `mwork run`, of lm_eval with any model, or folders of such folders; also
            results files of lm_eval.
        out: Folder of a static site; nothing is written if not given.
        exports: Some of `model-index`, `eval-results` and `dataset`, below the site.
        with_masked: Whether masked scores are exported too, under names that say what was deactivated.
        progress: Where progress and messages go; bars if not given.

    Raises:
        InputError: If a folder is not there or holds no results, nothing can be read, or ``out`` holds other files.
    """
    progress = shown(progress)
    places = find_results([Path(folder) for folder in folders])
    given = [Path(folder) for folder in folders]
    results, left_out = read_all(places, bar=progress.bar)
    for reason in left_out.values():
        progress.tell(f"left out: {reason}")
    board = build_board(results, [without_folders(reason, given) for reason in left_out.values()], given=given)
    if out is None:
        return LeaderboardResults(board)
    site = Path(out)
    check_room(site)
    exported: dict[str, bytes] = {}
    for name in exports:
        exported |= render_export(name, board, with_masked)
    pages = render_site(board, progress.bar, lambda fault: progress.tell(f"left out: {fault}"))
    write_site(exported | pages, site, progress.bar)
    index = site / "index.html"
    without = f"; left out: {', '.join(map(str, left_out))}" if left_out else ""
    progress.tell(f"written: {index}, {_counts(board)}{without}")
    if exports:
        progress.tell(f"exported: {len(exported)} files in {site / 'export'}")
    return LeaderboardResults(board, index, tuple(site / name for name in exported))


def _counts(board: Board) -> str:
    counts = ((len(board.models), "model"), (len(board.benchmarks), "benchmark"))
    return ", ".join(f"{count:,} {what}{'s' if count != 1 else ''}" for count, what in counts)
