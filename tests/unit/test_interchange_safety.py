"""Files of other tools that are damaged or hostile: one line, and nothing of them runs."""

import pickle
import random
import zipfile
from io import BytesIO

import pytest
import torch
from helpers.foreign_files import expertise, foreign_configuration, masks, saved
from helpers.mutations import changed_bytes

import mwork_eval as mw
from mwork_eval.neurons.neuron_set import NeuronSet


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return foreign_configuration(tmp_path_factory.mktemp("configurations"))


@pytest.fixture(scope="module")
def shape(model):
    return mw.inspect(model).shape


class _Runs:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_file_that_would_run_code_is_refused_and_does_not_run(protocol, tmp_path, model):
    ran, path = tmp_path / "ran", tmp_path / "X.neuron.pth"
    torch.save([_Runs(ran)], path, pickle_protocol=protocol)
    for format in ("lape", "kinit"):
        with pytest.raises(mw.InputError, match="refused: reading it could run code"):
            mw.import_sets(path, format, "en", model=model)
    assert not ran.exists()
    torch.load(path, weights_only=False)
    assert ran.exists()


def test_a_bare_pickle_is_not_read(tmp_path, model):
    ran, path = tmp_path / "ran", tmp_path / "X.neuron.pth"
    path.write_bytes(pickle.dumps([_Runs(ran)]))
    with pytest.raises(mw.InputError, match="no zip archive"):
        mw.import_sets(path, "lape", "en", model=model)
    torch.save([[torch.ones(1)]], path, _use_new_zipfile_serialization=False)
    with pytest.raises(mw.InputError, match=r"no zip archive, as PyTorch writes since 1\.6"):
        mw.import_sets(path, "lape", "en", model=model)
    assert not ran.exists()


def rezipped(raw, path, compression=zipfile.ZIP_STORED, **changed):
    """Write a file of torch.save again, with other members."""
    with zipfile.ZipFile(BytesIO(raw)) as old, zipfile.ZipFile(path, "w", compression) as new:
        for one in old.infolist():
            new.writestr(one.filename, changed.get(one.filename.rpartition("/")[2], old.read(one)))


def test_a_file_that_promises_more_than_it_has_is_refused(tmp_path, model):
    path = saved(masks([[1], [2]]), tmp_path / "X.neuron.pth")
    raw = path.read_bytes()
    rezipped(raw, path, zipfile.ZIP_DEFLATED, **{"data.pkl": b"\0" * 2**26})
    with pytest.raises(mw.InputError, match="promise more bytes than the file has"):
        mw.import_sets(path, "lape", "en", model=model)
    rezipped(raw, path, **{"0": b"\0"})
    with pytest.raises(mw.InputError, match=r"cannot be read.*does not match"):
        mw.import_sets(path, "lape", "en", model=model)
    rezipped(raw, path)
    assert len(mw.import_sets(path, "lape", "en", model=model)["en"]) == 2


def _files(folder, shape):
    """A file of each format, small and whole."""
    both = {
        language: NeuronSet(shape, {(0, "up"): [3, 7], (1, "up"): [start]})
        for start, language in enumerate(("de", "ja"))
    }
    for name in ("lape", "kinit", "csv", "json"):
        mw.export_sets(both, name, out=folder / name)
    mw.export_sets({"de": both["de"]}, "damo", out=folder / "damo")
    expertise(folder / "kojima", [(0.9, "model.layers.0.mlp.up_proj:0", 4), (0.1, "model.layers.1.mlp.up_proj:0", 5)])


@pytest.mark.parametrize("name", ["lape", "kinit", "damo", "kojima", "csv", "json"])
def test_a_damaged_file_is_one_line_and_nothing_else(name, tmp_path, model, shape, request, monkeypatch):
    _files(tmp_path, shape)
    path, generator = tmp_path / name, random.Random(name)
    from mwork_eval.application import import_sets as importing

    target = importing.foreign_target(str(model), None)
    monkeypatch.setattr(importing, "foreign_target", lambda *given, **named: target)
    languages = ["de"] if name in ("damo", "kojima") else ["de", "ja"]
    whole, errors = path.read_bytes(), []
    copies = max(1000, request.config.getoption("--mutations"))
    for number in range(copies):
        copy = changed_bytes(whole, generator)
        if number % 4 == 0 and name in ("lape", "kinit"):  # the archive is whole, and its description is not
            with zipfile.ZipFile(BytesIO(whole)) as archive:
                (description,) = (one for one in archive.namelist() if one.endswith("data.pkl"))
                rezipped(whole, path, **{"data.pkl": changed_bytes(archive.read(description), generator)})
        else:
            path.write_bytes(copy)
        try:
            mw.import_sets(path, name, languages, model=model)
        except mw.InputError as error:
            errors.append(str(error))
    assert len(errors) > copies // 20
    assert not [one for one in errors if "\n" in one or len(one) > 2500]


@pytest.mark.parametrize("name", ["lape", "kinit", "damo", "kojima", "csv", "json"])
def test_a_truncated_file_is_an_error(name, tmp_path, model, shape):
    _files(tmp_path, shape)
    path = tmp_path / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(mw.InputError):
        mw.import_sets(path, name, ["de"] if name in ("damo", "kojima") else ["de", "ja"], model=model)
