"""The hub's own client, under our name."""

from typing import TYPE_CHECKING

from mwork_eval.versions import __version__

if TYPE_CHECKING:
    from huggingface_hub import HfApi


def make_client() -> "HfApi":
    """Return a client of the hub that HF_ENDPOINT names."""
    from huggingface_hub import HfApi, constants

    return HfApi(endpoint=constants.ENDPOINT, library_name="mwork-eval", library_version=__version__)
