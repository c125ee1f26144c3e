"""`mwork inspect`."""

import click


@click.command()
@click.argument("model")
@click.option("--revision", help="Branch, tag or commit of a hub model.  [default: its main branch]")
def inspect(model: str, revision: str | None) -> None:
    """Print a model's layers, structures and neuron counts, and whether it is supported, without loading weights.

    MODEL is gemma3-270m, a local folder, or a hub id.
    """
    from mwork_eval.models.inspection import inspect_model
    from mwork_eval.terminal.console import make_console
    from mwork_eval.terminal.inspection import print_inspection

    print_inspection(inspect_model(model, revision), make_console())
