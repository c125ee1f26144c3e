"""Let lm-eval work in silence: what it says and draws would drown the caller's own progress."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

_LOGGERS = ("lm_eval", "mwork_eval.lm.model")
"""lm-eval's own, and that of the model, which tells of every mask."""


@contextmanager
def quiet_lm_eval() -> Iterator[None]:
    """Hide lm-eval's messages below errors, and its bars; loggers and libraries are as before in the end."""
    import datasets
    import lm_eval.api.task

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    # A bar for every task whose requests are built, which no argument turns off.
    module: Any = lm_eval.api.task
    bar, bars_of_datasets = module.tqdm, datasets.are_progress_bars_disabled()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    module.tqdm = partial(bar, disable=True)
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        module.tqdm = bar
        if not bars_of_datasets:
            datasets.enable_progress_bars()
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
