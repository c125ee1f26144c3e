"""How an application function says what it does: bars and messages, for a notebook, a terminal or nobody."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from mwork_eval.errors import InputError

log = logging.getLogger("mwork_eval")

Advance = Callable[[str, int], None]
"""Takes a label for what is done next and the number of units just done."""


class Progress(Protocol):
    """Where the progress of long work goes: what a caller gives as `progress` to see it in a way of their own.

    Examples:
        >>> from contextlib import contextmanager
        >>> class Lines:
        ...     @contextmanager
        ...     def bar(self, what, total, *, show=True):
        ...         yield lambda label, amount: print(f"{what}: {label}, {amount} of {total}")
        ...
        ...     def tell(self, message):
        ...         print(message)
        >>> with Lines().bar("detect", 24) as advance:
        ...     advance("zh (documents)", 4)
        detect: zh (documents), 4 of 24
    """

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


ProgressChoice = Progress | bool | None
"""What a caller says of progress: None for bars, False for none, or an object of the caller's."""


def shown(progress: ProgressChoice) -> Progress:
    """Return where an application function's progress goes.

    Args:
        progress: None (or True) for bars that fit notebooks and terminals, False for no bars, or a `Progress`.

    Raises:
        InputError: If it is none of these.
    """
    if progress is None or isinstance(progress, bool):
        return Silent() if progress is False else Bars()
    if isinstance(progress, type) or not all(callable(getattr(progress, name, None)) for name in ("bar", "tell")):
        from mwork_eval.application.arguments import shown_value  # the command line reads this file; that needs numpy

        expected = "None for bars, False for none, or an object with the methods bar and tell"
        raise InputError("unusable progress", found=shown_value(progress), expected=expected)
    return progress
