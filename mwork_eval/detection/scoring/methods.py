"""How q and k are scored: the names of the ways."""

from typing import Literal, get_args

from mwork_eval.errors import InputError

Method = Literal["exact", "paper", "reference"]
METHODS: tuple[Method, ...] = get_args(Method)
"""`exact`: Eq. 1 for every structure. `paper`: Q and K by Eq. 8-10. `reference`: what the published code computes."""


def check_method(name: str) -> None:
    """Check the name of a method.

    Raises:
        InputError: If there is none of that name.
    """
    if name not in METHODS:
        raise InputError("unknown method of detection", found=name, expected=" or ".join(METHODS))
