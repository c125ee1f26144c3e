"""Every loader, given damaged copies of its file: a clear error, or the same data; `--mutations 10000` tries harder."""

import random
from collections import Counter

import click
import pytest
from helpers.damaged import LOADERS, PROTECTED
from helpers.mutations import changed_bytes

from mwork_eval.errors import InputError

_TOLD = (InputError, click.ClickException)


@pytest.mark.parametrize("name", LOADERS)
def test_a_damaged_file_is_an_error_or_says_the_same(name, tmp_path, request, record_property):
    folder = tmp_path / "folder"
    folder.mkdir()
    loader, generator = LOADERS[name](folder), random.Random(name)
    whole, expected = loader.file.read_bytes(), loader.read()
    found, messages = Counter(), []
    for _ in range(request.config.getoption("--mutations")):
        of_bytes = generator.random() < 0.5
        copy = (changed_bytes if of_bytes else loader.change)(whole, generator)
        loader.file.write_bytes(copy)
        try:
            read = loader.read()
        except _TOLD as error:
            found["errors"] += 1
            messages.append(str(error))
        except BaseException:
            (tmp_path / "copy").write_bytes(copy)
            raise
        else:
            found["same" if repr(read) == repr(expected) else "other"] += 1
            if of_bytes and name in PROTECTED:
                assert repr(read) == repr(expected)
    record_property("counts", dict(found))
    print(f"{name}: {dict(found)}")
    assert messages
    assert [message for message in messages if "\n" in message or len(message) > 2500] == []
