"""`mwork push`."""

from typing import Any

import click


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="SETS_OR_RESULTS...")
@click.option("--repo", required=True, metavar="USER/NAME", help="The repository; made if it is not there.")
@click.option("--private", is_flag=True, help="A new repository is seen by its owner alone.")
@click.option("--revision", help="Branch.  [default: main]")
@click.option("--license", help="Id of the licence, such as cc-by-4.0.  [default: that of the base model]")
@click.option("--base-model", help="Its id on the hub, where files name a folder.  [default: as files say]")
@click.option("--message", help="Of the commit.  [default: says how many files]")
@click.option("--no-scores", is_flag=True, help="Leave the scores beside sets out.")
@click.option("--with-paths", is_flag=True, help="Publish paths of this machine whole.  [default: their last parts]")
@click.option("--force", is_flag=True, help="Replace a card that mwork push has not made.")
@click.option("--dry-run", is_flag=True, help="Print the card and the list of files; send nothing, ask nobody.")
def push(paths: tuple[str, ...], dry_run: bool, no_scores: bool, **options: Any) -> None:
    """Publish sets, scores, deltas and results as a repository of the Hugging Face Hub that explains itself.

    SETS_OR_RESULTS are folders of sets (gemma3-270m, runs/qwen3), single sets, files of scores and deltas, folders of
    `mwork enhance`, and results folders of `mwork ablate`, `mwork run`, `mwork compare-detectors` and lm_eval; all of
    one model. What is damaged is refused before anything is sent.
    """
    from mwork_eval.application.push import push as publish
    from mwork_eval.terminal.console import make_console
    from mwork_eval.terminal.lines import print_document
    from mwork_eval.terminal.progress import TerminalProgress
    from mwork_eval.terminal.publication import print_files, print_pushed

    found = publish(list(paths), dry_run=dry_run, with_scores=not no_scores, **options, progress=TerminalProgress())
    if not dry_run:
        print_pushed(found, make_console())
        return
    print_document(f"{found.card}\n")
    print_files(found, make_console())
