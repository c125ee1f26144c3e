"""The command `mwork`: its subcommands, and what happens on bad input and Ctrl-C."""

import logging
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import click

import mwork_eval
from mwork_eval.cli.ablate import ablate
from mwork_eval.cli.check import check
from mwork_eval.cli.compare_detectors import compare_detectors
from mwork_eval.cli.detect import detect
from mwork_eval.cli.endings import ending_of, run_to_end
from mwork_eval.cli.enhance import enhance
from mwork_eval.cli.export import export
from mwork_eval.cli.inspect import inspect
from mwork_eval.cli.leaderboard import leaderboard
from mwork_eval.cli.lens import lens
from mwork_eval.cli.messages import in_options
from mwork_eval.cli.profile import overlap, profile
from mwork_eval.cli.push import push
from mwork_eval.cli.report import report
from mwork_eval.cli.run import run
from mwork_eval.cli.scores import scores
from mwork_eval.cli.select import select
from mwork_eval.cli.sets import sets
from mwork_eval.cli.tasks import tasks
from mwork_eval.cli.tune_layers import tune_layers
from mwork_eval.errors import InputError
from mwork_eval.evaluation.quiet import hush_loggers
from mwork_eval.terminal.lines import log_handler
from mwork_eval.terminal.streams import guarded_streams


class _Command(click.Group):
    """A group whose every ending has an exit code of its own, and whose output gives no commands to who reads it."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command line, and exit unless told otherwise."""
        run = partial(super().main, args, *rest, standalone_mode=False, **extra)
        if not standalone_mode:
            return run()
        with guarded_streams():
            code = run_to_end(run)
        sys.exit(code)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that the options name."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except SystemExit as error:
            # Of a library: its 1 is not our "regression".
            if error.code != 1 and not isinstance(error.code, str):
                raise
            ctx.exit(ending_of(error, debug=ctx.params["debug"]))
        except InputError as error:
            invoked = self.get_command(ctx, ctx.invoked_subcommand or "")
            told = InputError(in_options(str(error), self, invoked or self))
            ctx.exit(ending_of(told.with_traceback(error.__traceback__), debug=ctx.params["debug"]))
        except (Exception, KeyboardInterrupt) as error:
            keeps = ctx.invoked_subcommand not in _KEEP_NOTHING
            ctx.exit(ending_of(error, debug=ctx.params["debug"], keeps=keeps))

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
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    logging.basicConfig(level=logging.WARNING, handlers=[log_handler()])
    hush_loggers()


_PURPOSES: dict[str, tuple[click.Command, ...]] = {
    "The main job": (run, detect, ablate, compare_detectors, report, tasks),
    "Neuron sets": (select, sets, scores, overlap, profile),
    "Models": (inspect, lens, tune_layers, enhance, export),
    "Checkpoints and leaderboards": (check, leaderboard, push),
}
_KEEP_NOTHING = frozenset(str(one.name) for one in (inspect, tasks, scores, overlap, profile, export, push))
"""Commands that have nothing to go on from: they print, and write at their end if at all."""
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
@click.option(
    "--debug",
    is_flag=True,
    envvar="MWORK_DEBUG",
    help="Print the traceback of an error, too; MWORK_DEBUG=1 does the same.",
)
def main(debug: bool) -> None:
    """Find the neurons that carry a language in an LLM, deactivate them, and measure what breaks."""
    del debug  # read by the group where a command ends
    _quiet_libraries()


for _commands in _PURPOSES.values():
    for _command in _commands:
        main.add_command(_command)
