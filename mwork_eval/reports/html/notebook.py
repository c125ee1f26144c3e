"""Tables as a notebook shows them: a part of a page, without scripts, which brings all it needs."""

from collections.abc import Sequence

from mwork_eval.languages.pivot import Pivot
from mwork_eval.reports import wording
from mwork_eval.reports.html.environment import page_environment
from mwork_eval.reports.legend import legends_of_tables
from mwork_eval.results.tables import DeltaTable


def tables_as_html(tables: Sequence[DeltaTable], *, summary: str | None = None, unfinished: int = 0) -> str:
    """Return paper-style tables with their notes and the legend.

    Args:
        tables: The tables.
        summary: A line about model and sets that comes before them.
        unfinished: Number of cells that are not computed yet.
    """
    return (
        page_environment()
        .get_template("notebook.html")
        .render(
            summary=summary,
            tables=[
                {
                    "title": wording.title(table),
                    "columns": wording.brief_columns(Pivot(table.pivot)),
                    "rows": [wording.brief_cells(row, table) for row in table.rows],
                    "notes": wording.notes(table),
                }
                for table in tables
            ],
            unfinished=unfinished,
            legend=legends_of_tables(tables),
        )
    )
