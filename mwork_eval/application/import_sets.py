"""Make neuron sets of the files of other tools."""

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from mwork_eval.application.arguments import Names, flag_of, folder_to_write, languages_of, one_of, shown_value
from mwork_eval.application.foreign_target import foreign_target
from mwork_eval.digests import digest_of_file
from mwork_eval.errors import InputError
from mwork_eval.interchange.foreign_format import Asked, ForeignFormat
from mwork_eval.interchange.registry import FORMATS, find_format
from mwork_eval.interchange.target import Target
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import SUFFIX
from mwork_eval.versions import __version__


def import_sets(
    file: str | Path | Iterable[str | Path],
    format: str,
    languages: Names | None = None,
    *,
    model: str | Path | None = None,
    like: NeuronSet | str | Path | None = None,
    key: str | None = None,
    out: str | Path | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> dict[str, NeuronSet]:
    """Make neuron sets of a file of another tool; nothing in it is executed.

    Of the model, the configuration alone is read. What a foreign file does not say, such as which weights its neurons
    were found in, is unknown in the sets, too: masks then want `force`.

    Args:
        file: The file; several where each has the neurons of one language, in the order of ``languages``.
        format: `lape`, `clas-bench`, `manipulation`, `kinit`, `damo`, `kojima`, `csv` or `json`.
        languages: The languages in the order of the file. Where the file names its own, those that are wanted; all if
            not given.
        model: `gemma3-270m`, a local folder, or a hub id.
        like: A neuron set of the model instead.
        key: Of `kinit`, which of its results; all of them together if not given.
        out: A folder to write the sets to.
        revision: Which of the hub's the model is.
        trust_remote_code: Run the code that the model brings, if it brings some.

    Returns:
        The sets by language.

    Raises:
        InputError: If the file is not of that format, could run code, has another number of languages, or does not fit
            the model.

    Examples:
        >>> import mwork_eval as mw
        >>> mw.import_sets("X.neuron.pth", "lape", "en,zh,fr,es,vi,id", model="opt-6.7b")  # doctest: +SKIP
    """
    form = find_format(one_of("format", format, FORMATS))
    files = _files(file)
    wanted = [] if languages is None else languages_of(languages)
    folder = folder_to_write(out)
    if key is not None and form.name != "kinit":
        raise InputError("only files of the format kinit have several results", found=f"`key` for {form.name}")
    if missing := [path for path in files if not path.is_file()]:
        raise InputError("file not found", found=missing[0], expected="a file to import")
    if len(files) > 1 and len(files) != len(wanted):
        raise InputError(
            "several files are one for each language",
            found=f"{len(files)} files and {len(wanted)} languages",
            expected="as many",
        )
    target = foreign_target(model, like, revision, trust_remote_code=flag_of("trust_remote_code", trust_remote_code))
    sets: dict[str, NeuronSet] = {}
    for number, path in enumerate(files):
        own = wanted[number : number + 1] if len(files) > 1 else wanted or list(form.order)
        sets |= _sets_of(path, form, Asked(target, tuple(own), key), target)
    for language, neurons in sets.items() if folder is not None else ():
        assert folder is not None
        save_neuron_set(neurons, folder / f"{language}{SUFFIX}")
    return sets


def left_out_of(sets: Iterable[NeuronSet]) -> dict[str, int]:
    """Return what the files had that is no neuron, in words, and how many in all."""
    found: dict[str, int] = {}
    for neurons in sets:
        for what, count in neurons.about.get("origin", {}).get("left_out", {}).items():
            found[what] = found.get(what, 0) + count
    return found


def _sets_of(path: Path, form: ForeignFormat, asked: Asked, target: Target) -> dict[str, NeuronSet]:
    found = form.read(path, asked)
    origin: dict[str, Any] = {"format": form.name, "file": path.name, "digest": digest_of_file(path)}
    if found.says:
        origin["says"] = dict(found.says)
    if found.left_out:
        origin["left_out"] = dict(found.left_out)
    sets = {}
    for language, members in found.members.items():
        about = {"model": target.name, "language": language, "method": "imported", "version": __version__}
        sets[language] = NeuronSet(target.shape, _arrays(members), {**about, "origin": origin})
    if empty := [language for language, neurons in sets.items() if len(neurons) == 0]:
        raise InputError(f"{path} has no neuron of {' '.join(empty)}", expected="neurons of every language")
    return sets


def _arrays(members: Any) -> dict[Any, Any]:
    return {place: list(indices) for place, indices in members.items() if len(indices)}


def _files(file: Any) -> list[Path]:
    given: Sequence[Any] = [file] if isinstance(file, str | PathLike) else list(file) if _is_list(file) else []
    if not given or not all(isinstance(one, str | PathLike) for one in given):
        raise InputError("unusable file", found=shown_value(file), expected="a path, or several")
    return [Path(one) for one in given]


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, bytes)
