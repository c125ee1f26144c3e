"""Keep other libraries from writing to the terminal."""

import logging
import os


def quiet_libraries() -> None:
    """Leave the terminal to our own progress: must run before transformers or lm-eval is imported."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    logging.getLogger("mwork_eval.lm.model").setLevel(logging.ERROR)
