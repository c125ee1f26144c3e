"""What files call the scores and changes of a pivot: values with the names of attributes, under the pivot's own."""

from collections.abc import Mapping
from typing import Any

from mwork_eval.languages.pivot import Pivot


def keyed_delta(values: Mapping[str, Any], pivot: str) -> dict[str, Any]:
    """Return the values of a `Delta` as a file has them: `delta_eng` is `delta_zh` with the pivot `zh`."""
    keyed = _renamed(values, Pivot(pivot).keys)
    return keyed | {"by_language": {code: keyed_role(one, pivot) for code, one in values["by_language"].items()}}


def keyed_role(values: Mapping[str, Any], pivot: str) -> dict[str, Any]:
    """Return values of which `english` is the pivot's, under the name that files give it: `english`, else `pivot`."""
    return _renamed(values, {"english": Pivot(pivot).role})


def _renamed(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in values.items()}
