"""Read neuron sets: files, shipped ones, folders, and those of the hub."""

from collections.abc import Sequence
from pathlib import Path
from typing import overload

from mwork_eval.application.arguments import languages_of, shown_value
from mwork_eval.errors import InputError, NotReachedError
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import find_language_sets, find_neurons
from mwork_eval.neurons.set_folders import find_set_folder

ALL = "all"


@overload
def read_neurons(reference: str | Path, languages: None = None) -> NeuronSet: ...


@overload
def read_neurons(reference: str | Path, languages: str | Sequence[str]) -> dict[str, NeuronSet]: ...


def read_neurons(
    reference: str | Path, languages: str | Sequence[str] | None = None
) -> NeuronSet | dict[str, NeuronSet]:
    """Read one neuron set, or several from a folder.

    Args:
        reference: One set: a file (`runs/zh.safetensors`), a set in a local or shipped folder (`runs/zh`,
            `gemma3-270m/zh`), an expression within a folder (`gemma3-270m/zh-es`), or one of a repository on the hub
            (`hub:USER/NAME[@REVISION]/zh`). With ``languages``, the folder (`hub:USER/NAME` of a repository).
        languages: The languages to read from a folder, as a list or as `zh,es`, or `all` for every set in it; if not
            given, ``reference`` is one set.

    Returns:
        The set, or with ``languages`` the sets by language.

    Raises:
        InputError: If something is not found, or a file is damaged.

    Examples:
        >>> import mwork_eval as mw
        >>> neurons = mw.read_neurons("gemma3-270m/zh")
        >>> neurons.shape.layers
        18
        >>> sorted(mw.read_neurons("gemma3-270m", "zh,es"))
        ['es', 'zh']
    """
    if not isinstance(reference, str | Path):
        raise InputError("unusable reference", found=shown_value(reference), expected="such as gemma3-270m/zh")
    where = str(reference)
    if languages is None:
        if _is_folder(where):
            raise InputError(
                f"{where} is a folder of neuron sets",
                expected=f"one set, such as {where}/zh, or languages, such as {ALL!r}",
            )
        return find_neurons(where)
    if isinstance(languages, str) and languages == ALL:
        return find_set_folder(where).load_all()
    return find_language_sets(where, languages_of(languages))


def _is_folder(reference: str) -> bool:
    try:
        find_set_folder(reference)
    except NotReachedError:
        raise
    except InputError:
        return False
    return True
