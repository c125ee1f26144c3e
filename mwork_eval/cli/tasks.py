"""`mwork tasks`."""

import click

from mwork_eval.cli.options import languages_option


@click.command()
@languages_option("en,zh,es,de", "Languages; families that have two of them are listed.")
@click.option("--family", help="Only families of this name, with their tasks.  [default: all]")
def tasks(languages: list[str], family: str | None) -> None:
    """List the benchmarks and lm-eval's families of tasks that have some languages.

    How many tasks a language's group has, what scores it, its main metric, and whether its data can be had now: here,
    in the cache, or on the hub (HF_HUB_OFFLINE=1: offline).
    """
    from mwork_eval.application.tasks import tasks as find_families
    from mwork_eval.terminal.console import make_console
    from mwork_eval.terminal.task_families import print_task_families

    rows = find_families(languages, family)
    shown = list(dict.fromkeys(language for row in rows for language in (*languages, *row.tasks)))
    print_task_families(rows, shown, make_console(), names=family is not None)
