"""The command `mwork`: its subcommands, and what happens on bad input and Ctrl-C."""

from typing import Any

import click

import mwork_eval
from mwork_eval.cli.ablate import ablate
from mwork_eval.cli.check import check
from mwork_eval.cli.detect import detect
from mwork_eval.cli.enhance import enhance
from mwork_eval.cli.inspect import inspect
from mwork_eval.cli.leaderboard import leaderboard
from mwork_eval.cli.lens import lens
from mwork_eval.cli.profile import overlap, profile
from mwork_eval.cli.report import report
from mwork_eval.cli.run import run
from mwork_eval.cli.scores import scores
from mwork_eval.cli.select import select
from mwork_eval.cli.sets import sets
from mwork_eval.cli.tune_layers import tune_layers
from mwork_eval.errors import InputError
from mwork_eval.terminal.libraries import quiet_libraries


class _BadInput(click.ClickException):
    exit_code = InputError.exit_code


class _Command(click.Group):
    """A group that ends on bad input with one line and code 2, and on Ctrl-C with 130."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            raise _BadInput(str(error)) from error
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            what = f"{error.strerror or error}{where}"
            raise _BadInput(f"{what}; what is finished is kept, the same command goes on from there") from error
        except KeyboardInterrupt:
            click.echo(
                "\nInterrupted. What is finished is kept; the same command goes on from there (detect: with --resume).",
                err=True,
            )
            ctx.exit(130)


@click.group(cls=_Command, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(mwork_eval.__version__, prog_name="mwork")
def main() -> None:
    """Find the neurons that carry a language in an LLM, deactivate them, and measure what breaks."""
    quiet_libraries()


for command in (
    run,
    inspect,
    detect,
    scores,
    select,
    sets,
    profile,
    overlap,
    tune_layers,
    ablate,
    report,
    check,
    leaderboard,
    lens,
    enhance,
):
    main.add_command(command)
