"""Several enhancement folders at once: the mean over tasks of each language, and the figure over languages."""

from collections.abc import Sequence
from pathlib import Path

import click

from mwork_eval.errors import InputError

NAME = "improvements"


def write_improvements(folders: Sequence[Path], *, formats: Sequence[str], out: Path, figures: bool) -> None:
    """Show what training changed, the mean over tasks per language (Table 6), and write it as `improvements.*`.

    Args:
        folders: Folders of `mwork enhance --evaluate`.
        formats: Names of report formats; those but `terminal`, `md` and `json` have no such report.
        out: Where the files go.
        figures: Whether to draw the gain against the number of documents over languages (Figure 4).
    """
    from rich.console import Console

    from mwork_eval.digests import write_text_atomically
    from mwork_eval.enhancement.changes import mean_tables
    from mwork_eval.enhancement.folder import read_improvements
    from mwork_eval.reports.formats.names import TERMINAL
    from mwork_eval.reports.plots import FORMATS, write_figures
    from mwork_eval.terminal.enhancement import print_enhancement
    from mwork_eval.views.enhancement import enhancement_as_json, enhancement_as_markdown
    from mwork_eval.views.enhancement_plot import plot_languages

    if not {"md", "json", TERMINAL} & set(formats):
        raise InputError("no such report of fine-tuning", found=",".join(formats), expected="terminal, md or json")
    found = read_improvements(folders)
    tables = [table for one in found for table in mean_tables(one.record.deltas, one.families, one.scores)]
    about = {"model": found[0].record.model, "fingerprint": found[0].record.fingerprint, "folders": len(found)}
    texts = {
        "json": lambda: enhancement_as_json(tables, about),
        "md": lambda: enhancement_as_markdown(tables),
    }
    written = []
    for ending in (name for name in formats if name in texts):
        write_text_atomically(out / f"{NAME}.{ending}", texts[ending]())
        written.append(out / f"{NAME}.{ending}")
    if figures:
        written += write_figures({NAME: lambda: plot_languages(tables)}, out, FORMATS)
    if TERMINAL in formats:
        print_enhancement(tables, Console(soft_wrap=False))
    if written:
        click.echo("written: " + ", ".join(map(str, written)), err=True)
