"""Sizes in bytes as people write them."""

import re

from mwork_eval.errors import InputError

_TOO_LARGE = 2.0**63


def parse_size(text: str, name: str) -> int:
    """Return the bytes of a size such as `512MiB`, `2GiB` or `1000`; units are powers of 1024.

    Args:
        text: The size.
        name: The option it was given to, for the message.

    Raises:
        InputError: If it cannot be read or is zero.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?B)?\s*", text, re.IGNORECASE)
    size = 0.0 if match is None else float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " ")
    if not 0 < size < _TOO_LARGE:
        raise InputError(f"cannot read {name}", found=text, expected="a size such as 512MiB or 2GiB")
    return int(size)
