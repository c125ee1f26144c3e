"""`mwork inspect`."""

import click

from mwork_eval.cli.options import trust_option
from mwork_eval.errors import InputError


@click.command()
@click.argument("model")
@click.option("--verify", is_flag=True, help="Load the weights, and prove on them what was read.")
@click.option("--device", help="With --verify: such as cuda:0 or cpu.  [default: the first accelerator, else cpu]")
@click.option("--dtype", help="With --verify: float32, bfloat16, float16 or auto.  [default: as of detect]")
@click.option("--revision", help="Branch, tag or commit of a hub model.  [default: its main branch]")
@trust_option
def inspect(
    model: str, verify: bool, device: str | None, dtype: str | None, revision: str | None, trust_remote_code: bool
) -> None:
    """Print a model's layers, structures and neuron counts, and whether it is supported.

    MODEL is gemma3-270m, a local folder, or a hub id. Its configuration alone is read. With --verify its weights are
    loaded: some neurons of every structure are zeroed in them, and what that changes is compared with the scores.
    """
    if not verify and (device or dtype):
        raise InputError("no weights are loaded", found="--device or --dtype", expected="them with --verify")

    from mwork_eval.application.inspect import inspect as inspect_model
    from mwork_eval.terminal.console import make_console
    from mwork_eval.terminal.inspection import print_inspection
    from mwork_eval.terminal.progress import TerminalProgress

    found = inspect_model(
        model,
        verify=verify,
        device=device,
        dtype=dtype,
        revision=revision,
        trust_remote_code=trust_remote_code,
        progress=TerminalProgress(),
    )
    print_inspection(found, make_console())
    found.check()
