"""Progress on standard error: a bar with an ETA on a terminal, a line every tenth elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from mwork_eval.application.progress import Advance
from mwork_eval.terminal.lines import shown, tell


class TerminalProgress:
    """The progress of the commands; what the application functions take as `progress`."""

    @contextmanager
    def bar(self, what: str, total: int | None, *, show: bool = True) -> Iterator[Advance]:
        """Show progress during a block.

        Args:
            what: What is done, such as `detect`.
            total: Number of units, or None if it is not known; then there is no ETA.
            show: Whether to show anything.
        """
        if not show:
            yield lambda label, amount: None
            return
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        from mwork_eval.terminal.console import make_console

        console = make_console(stderr=True)
        if not console.is_terminal:
            yield _line_printer(what, total)
            return
        columns = (
            TextColumn("{task.description:<44}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(shown(what), total=total)
            yield lambda label, amount: bar.update(task, advance=amount, description=shown(f"{what} · {label}"))

    def tell(self, message: str) -> None:
        """Say something beside the bar."""
        tell(message)


def _line_printer(what: str, total: int | None) -> Advance:
    start = time.monotonic()
    done = printed = 0

    def advance(label: str, amount: int) -> None:
        nonlocal done, printed
        done += amount
        elapsed = time.monotonic() - start
        step = 10 * done // max(total, 1) if total is not None else int(elapsed // 60)
        if step > printed:
            printed = step
            if total is None:
                tell(f"{what}: {done}, {elapsed:.0f} s")
            else:
                left = elapsed * (total - done) / done
                tell(f"{what}: {done}/{total}, {elapsed:.0f} s, about {left:.0f} s left")

    return advance
