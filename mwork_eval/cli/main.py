"""The command `mwork`: its subcommands, and what happens on bad input and Ctrl-C."""

import logging
import os
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
from mwork_eval.cli.messages import in_options
from mwork_eval.cli.profile import overlap, profile
from mwork_eval.cli.report import report
from mwork_eval.cli.run import run
from mwork_eval.cli.scores import scores
from mwork_eval.cli.select import select
from mwork_eval.cli.sets import sets
from mwork_eval.cli.tune_layers import tune_layers
from mwork_eval.errors import InputError
from mwork_eval.evaluation.quiet import hush_loggers


class _BadInput(click.ClickException):
    exit_code = InputError.exit_code


class _Command(click.Group):
    """A group that ends on bad input with one line and code 2, and on Ctrl-C with 130."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            invoked = self.get_command(ctx, ctx.invoked_subcommand or "")
            raise _BadInput(in_options(str(error), self, invoked or self)) from error
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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by what they are for."""
        limit = formatter.width - 6 - max(map(len, self.commands))
        for purpose, commands in _PURPOSES.items():
            with formatter.section(purpose):
                formatter.write_dl([(str(one.name), one.get_short_help_str(limit)) for one in commands])


def _quiet_libraries() -> None:
    """Leave the terminal to our own progress: must run before transformers or lm-eval is imported."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    hush_loggers()


_PURPOSES: dict[str, tuple[click.Command, ...]] = {
    "The main job": (run, detect, ablate, report),
    "Neuron sets": (select, sets, scores, overlap, profile),
    "Models": (inspect, lens, tune_layers, enhance),
    "Checkpoints and leaderboards": (check, leaderboard),
}
_COMPLETION = """\b
Completion of commands and options, in bash (zsh: zsh_source):
  eval "$(_MWORK_COMPLETE=bash_source mwork)"
"""


@click.group(
    cls=_Command,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    epilog=_COMPLETION,
)
@click.version_option(mwork_eval.__version__, prog_name="mwork")
def main() -> None:
    """Find the neurons that carry a language in an LLM, deactivate them, and measure what breaks."""
    _quiet_libraries()


for _commands in _PURPOSES.values():
    for _command in _commands:
        main.add_command(_command)
