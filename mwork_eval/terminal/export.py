"""An exported checkpoint."""

from shlex import quote

from rich.console import Console

from mwork_eval.application.export import ExportedCheckpoint
from mwork_eval.terminal.console import say, styled


def print_export(found: ExportedCheckpoint, console: Console) -> None:
    """Print what was written, in what it differs, and how to use it."""
    changed = [one for one in found.differences if one.changed]
    lines, values = sum(one.lines for one in changed), sum(one.changed for one in changed)
    say(console, styled(str(found.folder), "bold"), f": {found.model} with {found.what}", wrap=False)
    say(console, f"  proven: {len(changed)} tensors differ, {lines:,} lines with {values:,} values; all else is equal")
    if found.left_out:
        say(console, f"  left out: {' '.join(found.left_out)}")
    arguments = quote(f"pretrained={found.folder}")
    say(console, f"  lm_eval --model hf --model_args {arguments} --tasks ...", wrap=False)
