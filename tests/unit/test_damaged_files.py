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


def test_no_single_bit_makes_another_number(tmp_path, request):
    """Of every file that holds numbers: scores, sets, deltas, cells, manifests, baselines, reports."""
    generator, found, loaders = random.Random(3000), Counter(), []
    for name in PROTECTED:
        folder = tmp_path / name / "folder"
        folder.mkdir(parents=True)
        loader = LOADERS[name](folder)
        loaders.append((loader, loader.file.read_bytes(), repr(loader.read())))
    for number in range(request.config.getoption("--flips")):
        loader, whole, expected = loaders[number % len(loaders)]
        bit = generator.randrange(8 * len(whole))
        loader.file.write_bytes(whole[: bit // 8] + bytes([whole[bit // 8] ^ 1 << bit % 8]) + whole[bit // 8 + 1 :])
        try:
            assert repr(loader.read()) == expected
            found["same"] += 1
        except InputError:
            found["errors"] += 1
        loader.file.write_bytes(whole)
    print(dict(found))
    assert found["errors"] > 0
