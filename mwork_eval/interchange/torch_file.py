"""Files of `torch.save`: read without running code, and with no more memory than they have bytes."""

import pickletools
import struct
import warnings
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.interchange.limits import damaged

_MOST = 2**31
_MOST_PICKLED = 2**25
"""Bytes of the description of the objects in a file; the numbers of its tensors lie beside it."""
_MOST_MEMBERS = 2**18
_KNOWN = frozenset(
    ["torch._utils _rebuild_tensor_v2", "collections OrderedDict"]
    + [
        f"torch {kind}Storage"
        for kind in "Bool Byte Char Short Int Long Half BFloat16 Float Double".split()  # noqa: SIM905
    ]
)
"""What a file of tensors, lists, dictionaries, numbers and texts names."""
_NAMING = frozenset({"GLOBAL", "INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4", "NEWOBJ", "NEWOBJ_EX", "OBJ"})
"""Operations of a pickle that name a function or a class, or call one."""
_OF_ZIP = (zipfile.BadZipFile, struct.error, EOFError, OSError, ValueError, KeyError, NotImplementedError, RuntimeError)
"""What `zipfile` raises for damaged archives."""
_EXPECTED = "a file of torch.save with tensors, lists, dictionaries and numbers"


def read_torch(path: Path) -> Any:
    """Return the value in a file of `torch.save`.

    Raises:
        InputError: If the file is missing, damaged, in the form before PyTorch 1.6, promises more than it has, or names
            anything but tensors and plain values: loading that could run code.
    """
    if not path.is_file():
        raise InputError("file not found", found=path, expected="a file to import")
    _check_members(path)
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged files torch also warns
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # A damaged file makes the reader raise nearly anything; whatever it was, the file cannot be read.
        raise damaged(path, (str(error).strip().splitlines() or [type(error).__name__])[0], _EXPECTED) from error


def torch_bytes(value: Any) -> bytes:
    """Return the bytes of a file of `torch.save`."""
    import torch

    buffer = BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def _check_members(path: Path) -> None:
    """Check what a file promises, before anything in it is unpacked.

    Raises:
        InputError: As `read_torch`.
    """
    size = path.stat().st_size
    if size > _MOST:
        raise InputError(f"{path} is too large", found=f"{size:,} bytes", expected=f"up to {_MOST:,}")
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            descriptions = [one for one in members if one.filename.endswith("/data.pkl")]
            # PyTorch stores plainly; what is packed would be larger than the file, and so would members that overlap.
            packed = any(
                one.compress_type != zipfile.ZIP_STORED or one.file_size != one.compress_size for one in members
            )
            if packed or sum(one.file_size for one in members) > size:
                raise damaged(path, "members that promise more bytes than the file has", _EXPECTED)
            if len(members) > _MOST_MEMBERS or len({one.filename for one in members}) != len(members):
                raise damaged(path, f"{len(members)} members, or two of one name", _EXPECTED)
            if len(descriptions) != 1 or descriptions[0].file_size > _MOST_PICKLED:
                raise damaged(path, "no description of its objects, or too long a one", _EXPECTED)
            described = archive.read(descriptions[0])
    except _OF_ZIP as error:
        with path.open("rb") as file:
            is_zip = file.read(2) == b"PK"
        found = error if is_zip else "no zip archive, as PyTorch writes since 1.6"
        raise damaged(path, found, _EXPECTED) from error
    _check_names(path, described)


def _check_names(path: Path, described: bytes) -> None:
    """Check that a pickle names only what tensors are made of; nothing of it is executed.

    Raises:
        InputError: If it names something else.
    """
    try:
        for operation, argument, _ in pickletools.genops(described):
            if operation.name not in _NAMING or (operation.name == "GLOBAL" and argument in _KNOWN):
                continue
            raise InputError(
                f"{path} is refused: reading it could run code",
                found=str(argument or operation.name).replace(" ", "."),
                expected="tensors, lists, dictionaries and numbers alone",
                hint="convert it where you trust it, for example to csv",
            )
    except (ValueError, UnicodeDecodeError, OverflowError) as error:
        raise damaged(path, f"a damaged description ({error})", _EXPECTED) from error
