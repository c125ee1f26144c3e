"""Families of tasks: which languages they have, how they are scored, whether their data can be had."""

from collections.abc import Sequence

from rich.console import Console

from mwork_eval.evaluation.families.catalogue import FamilyRow
from mwork_eval.terminal.console import TextTable, print_whole


def print_task_families(rows: Sequence[FamilyRow], languages: Sequence[str], console: Console, *, names: bool) -> None:
    """Print a row per family.

    Args:
        rows: The families.
        languages: The languages asked for.
        console: Where to.
        names: Whether to print a table of the tasks of each language, too.
    """
    table = TextTable("family", *languages, "tasks", "scored by", "main metric", "data")
    for row in rows:
        has = ["yes" if language in row.tasks else "–" for language in languages]
        table.add_row(row.name, *has, str(row.subtasks), row.kind, row.metric, row.data)
    table.columns[1 + len(languages)].justify = "right"
    print_whole(table, console)
    if names:
        tasks = TextTable("family", "language", "task of lm-eval")
        for row in rows:
            for language, found in row.tasks.items():
                tasks.add_row(row.name, language, " or ".join(found))
        print_whole(tasks, console)
