"""How an application function says what it does: bars and messages, for a notebook, a terminal or nobody."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

log = logging.getLogger("mwork_eval")

Advance = Callable[[str, int], None]
"""Takes a label for what is done next and the number of units just done."""


class Progress(Protocol):
    """Where the progress of long work goes."""

    def bar(self, what: str, total: int | None, *, show: bool = True) -> AbstractContextManager[Advance]:
        """Show progress during a block.

        Args:
            what: What is done, such as `detect`.
            total: Number of units, or None if it is not known; then there is no ETA.
            show: Whether to show anything.
        """

    def tell(self, message: str) -> None:
        """Say something beside the bar."""


class Silent:
    """Shows no bar; messages go to the log `mwork_eval`, at level info."""

    @contextmanager
    def bar(self, what: str, total: int | None, *, show: bool = True) -> Iterator[Advance]:
        """Show nothing."""
        yield lambda label, amount: None

    def tell(self, message: str) -> None:
        """Log a message."""
        log.info("%s", message)


class Bars(Silent):
    """Bars of tqdm, which fit notebooks and terminals alike; messages go to the log `mwork_eval`."""

    @contextmanager
    def bar(self, what: str, total: int | None, *, show: bool = True) -> Iterator[Advance]:
        """Show a bar with an ETA."""
        from tqdm.auto import tqdm  # type: ignore[import-untyped]

        # Commands turn tqdm off for other libraries; who asks for these bars wants them.
        with tqdm(total=total, desc=what, disable=not show) as bar:

            def advance(label: str, amount: int) -> None:
                bar.set_description(f"{what} · {label}", refresh=False)
                bar.update(amount)

            yield advance


def shown(progress: Progress | None) -> Progress:
    """Return where an application function's progress goes: bars that fit notebooks and terminals if not given."""
    return Bars() if progress is None else progress
