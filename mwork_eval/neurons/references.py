"""Find a neuron set by what a user writes: a file, a name in a folder or on the hub, or an expression of names."""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mwork_eval.errors import InputError, NotReachedError
from mwork_eval.hub.download import fetch_folder
from mwork_eval.hub.reference import HubReference, is_hub
from mwork_eval.neurons.files import load_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.set_folders import SUFFIX as SUFFIX
from mwork_eval.neurons.set_folders import SetFolder, find_local_folder, find_set_folder

OPERATIONS: dict[str, Callable[[NeuronSet, NeuronSet], NeuronSet]] = {
    "-": operator.sub,
    "&": operator.and_,
    "|": operator.or_,
}
"""What joins sets in an expression: without, and, or."""


def find_neurons(reference: str) -> NeuronSet:
    """Load the neuron set a user means.

    Args:
        reference: A file (`runs/zh.safetensors`), a set in a local or shipped folder (`runs/zh`,
            `gemma3-270m/zh`), or an expression within a folder (`gemma3-270m/zh-es`, `runs/zh|ru`): names joined
            by `-` (without), `&` (and) and `|` (or), read from left to right. Of a repository on the hub it begins with
            `hub:USER/NAME[@REVISION]/` (`hub:user/gemma3-270m-neurons/zh-es`); the set then says in `about["hub"]`
            by which commit it can be had again.

    Raises:
        InputError: If nothing fits; lists the sets there are.
        NotReachedError: If it is on the hub, and there is no way to it.
    """
    if is_hub(reference):
        return _find_on_hub(HubReference.parse(reference))
    path = Path(reference).expanduser()
    if path.suffix == SUFFIX:
        return load_neuron_set(path)
    try:
        folder = find_set_folder(str(path.parent))
    except InputError:
        if path.parent != Path():
            raise
        # A bare name is in no folder: the one that is meant by none need not be spoken of.
        raise InputError(
            f"no neuron set {reference!r}",
            found="neither a file nor a folder of sets",
            expected="a file, a set in a folder such as gemma3-270m/zh, or a folder where several are read",
            hint="make one with `detect(out=FOLDER)`",
        ) from None
    return _combined(folder, path.name)


def _find_on_hub(reference: HubReference) -> NeuronSet:
    if not reference.rest:
        raise InputError(f"{reference} is a repository", expected=f"a set in it, such as {reference}/zh")
    folder, _, name = reference.rest.removesuffix(SUFFIX).rpartition("/")
    found = find_set_folder(str(replace(reference, rest=folder)))
    neurons = _combined(found, name)
    return neurons.described(hub=found.reference(name))


def _combined(folder: SetFolder, expression: str) -> NeuronSet:
    """Load the set of a name, or combine those of an expression."""
    if expression in folder.names:
        return folder.load(expression)
    names = _split(expression, folder.names)
    expected = "one of these, or an expression of them such as zh-es"
    sets = [folder.find(name, expected) for name in names[::2]]
    combined = sets[0]
    for sign, operand in zip(names[1::2], sets[1:], strict=True):
        combined = OPERATIONS[sign](combined, operand)
    return combined.described(expression=expression) if len(sets) > 1 else combined


def _split(expression: str, there: Sequence[str]) -> list[str]:
    """Split an expression at its signs; a hyphen inside the name of a set that is there, as in zh-Hant, is none."""
    whole = "|".join(re.escape(name) for name in sorted(there, key=len, reverse=True) if "-" in name)
    kept = re.sub(rf"(?<![^-&|])(?:{whole})(?![^-&|])", lambda name: name[0].replace("-", "\0"), expression)
    return [part.replace("\0", "-") for part in re.split(r"([-&|])", kept if whole else expression)]


def find_folder(reference: str, beside: str | None = None) -> Path:
    """Return a folder of neuron sets on this machine: a local one, a shipped one, or one of the hub, fetched.

    Args:
        reference: The folder.
        beside: A folder in it that is fetched too.

    Raises:
        InputError: If there is none; names those there are.
        NotReachedError: If it is on the hub, and there is no way to it.
    """
    return fetch_folder(reference, beside=beside).path if is_hub(reference) else find_local_folder(reference)


def find_language_sets(reference: str, languages: list[str]) -> dict[str, NeuronSet]:
    """Load the set of each language from a folder.

    Raises:
        InputError: If the folder or a language's set is missing.
    """
    folder = find_set_folder(reference)
    return {language: folder.find(language, "a set of each language") for language in languages}


def find_named_sets(references: Sequence[str]) -> dict[str, NeuronSet]:
    """Load sets under names: those of a folder under their files' names, a single one as the user wrote it.

    Args:
        references: Folders (local, shipped or of the hub), or references as `find_neurons` reads them.

    Raises:
        InputError: If something is not found, or two sets have one name.
    """
    found: dict[str, NeuronSet] = {}
    for reference in references:
        try:
            folder = find_set_folder(reference)
        except NotReachedError:
            raise
        except InputError:
            if is_hub(reference) and not HubReference.parse(reference).rest:
                raise
            named = {reference: find_neurons(reference)}
        else:
            named = folder.load_all()
        if twice := found.keys() & named.keys():
            raise InputError("two sets of one name", found=" ".join(sorted(twice)), hint="name single sets")
        found |= named
    return found
