"""What is raised where an engine cannot be trusted any more."""

from mwork_eval.errors import InputError


class EngineFaultError(InputError):
    """An engine does not answer as it did with the same weights: none of its further answers counts.

    `MworkVLLM.restart` starts another one.
    """
