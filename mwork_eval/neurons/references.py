"""Find a neuron set by what a user writes: a file, a shipped name, or an expression within a folder."""

import operator
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from mwork_eval.errors import InputError
from mwork_eval.neurons.files import load_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.resources import neuron_sets_folder

SUFFIX = ".safetensors"
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
            by `-` (without), `&` (and) and `|` (or), read from left to right.

    Raises:
        InputError: If nothing fits; lists the sets there are.
    """
    path = Path(reference).expanduser()
    if path.suffix == SUFFIX:
        return load_neuron_set(path)
    try:
        folder = find_folder(str(path.parent))
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
    if (whole := folder / f"{path.name}{SUFFIX}").is_file():
        return load_neuron_set(whole)
    names = _split(path.name, [file.stem for file in folder.glob(f"*{SUFFIX}")])
    expected = "one of these, or an expression of them such as zh-es"
    sets = [_load_named(folder, name, expected) for name in names[::2]]
    combined = sets[0]
    for sign, operand in zip(names[1::2], sets[1:], strict=True):
        combined = OPERATIONS[sign](combined, operand)
    return combined.described(expression=path.name) if len(sets) > 1 else combined


def _load_named(folder: Path, name: str, expected: str) -> NeuronSet:
    if not (file := folder / f"{name}{SUFFIX}").is_file():
        found = " ".join(sorted(file.stem for file in folder.glob(f"*{SUFFIX}"))) or "no set"
        raise InputError(f"no neuron set {name!r} in {folder}", found=found, expected=expected)
    return load_neuron_set(file)


def _split(expression: str, there: Sequence[str]) -> list[str]:
    """Split an expression at its signs; a hyphen inside the name of a set that is there, as in zh-Hant, is none."""
    whole = "|".join(re.escape(name) for name in sorted(there, key=len, reverse=True) if "-" in name)
    kept = re.sub(rf"(?<![^-&|])(?:{whole})(?![^-&|])", lambda name: name[0].replace("-", "\0"), expression)
    return [part.replace("\0", "-") for part in re.split(r"([-&|])", kept if whole else expression)]


def find_folder(reference: str) -> Path:
    """Return a folder of neuron sets: a local one, else a shipped one of that name.

    Raises:
        InputError: If there is none; names the shipped ones.
    """
    shipped = neuron_sets_folder()
    for folder in (Path(reference).expanduser(), shipped / reference):
        if folder.is_dir() and any(folder.glob(f"*{SUFFIX}")):
            return folder
    raise InputError(
        f"no folder of neuron sets {reference!r}",
        found="no such folder, or no set in it",
        expected=f"a local folder, or one of {' '.join(sorted(f.name for f in shipped.iterdir() if f.is_dir()))}",
        hint="make one with `detect(out=FOLDER)`",
    )


def find_language_sets(reference: str, languages: list[str]) -> dict[str, NeuronSet]:
    """Load the set of each language from a folder.

    Raises:
        InputError: If the folder or a language's set is missing.
    """
    folder = find_folder(reference)
    return {language: _load_named(folder, language, "a set of each language") for language in languages}


def find_named_sets(references: Sequence[str]) -> dict[str, NeuronSet]:
    """Load sets under names: those of a folder under their files' names, a single one as the user wrote it.

    Args:
        references: Folders (local or shipped), or references as `find_neurons` reads them.

    Raises:
        InputError: If something is not found, or two sets have one name.
    """
    found: dict[str, NeuronSet] = {}
    for reference in references:
        try:
            folder = find_folder(reference)
        except InputError:
            named = {reference: find_neurons(reference)}
        else:
            named = {path.stem: load_neuron_set(path) for path in sorted(folder.glob(f"*{SUFFIX}"))}
        if twice := found.keys() & named.keys():
            raise InputError("two sets of one name", found=" ".join(sorted(twice)), hint="name single sets")
        found |= named
    return found
