"""Versions of the software that scores and trained values depend on."""

from importlib.metadata import version

import mwork_eval


def software_versions() -> dict[str, str]:
    """Return the versions by name."""
    names = ("lm_eval", "torch", "transformers")
    return {"mwork_eval": mwork_eval.__version__} | {name: version(name) for name in names}
