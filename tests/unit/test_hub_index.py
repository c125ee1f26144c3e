"""`mwork.json`: what it says, and what it may not say."""

import hashlib
import json
from pathlib import Path

import pytest

from mwork_eval.errors import InputError
from mwork_eval.files.seal import sealed
from mwork_eval.hub import index as module
from mwork_eval.hub.index import read_index, write_index

GOOD = {"format": "mwork-repository", "version": 1, "files": {}, "versions": {}}


def write(folder: Path, **changed: object) -> Path:
    (folder / "mwork.json").write_text(sealed(json.dumps(GOOD | changed)), "utf-8")
    return folder / "mwork.json"


def test_index_has_the_digest_of_each_file_but_card_and_index(tmp_path: Path) -> None:
    local = tmp_path / "zh.safetensors"
    local.write_bytes(b"zh")
    files = {"README.md": b"card", "mwork.json": b"", "neurons/zh.safetensors": local, "results/a/b.json": b"{}"}
    path = tmp_path / "mwork.json"
    path.write_bytes(write_index(files, base_model="gemma3-270m", fingerprint="f" * 64))
    found = read_index(path)
    assert found.files == {
        "neurons/zh.safetensors": hashlib.sha256(b"zh").hexdigest(),
        "results/a/b.json": hashlib.sha256(b"{}").hexdigest(),
    }
    assert (found.base_model, found.fingerprint) == ("gemma3-270m", "f" * 64)
    assert (found.format, found.version) == ("mwork-repository", 1)
    assert "mwork_eval" in found.versions


def test_equal_files_give_equal_bytes() -> None:
    one, other = {"a": b"1", "b": b"2"}, {"b": b"2", "a": b"1"}
    assert write_index(one, base_model=None, fingerprint=None) == write_index(other, base_model=None, fingerprint=None)


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "mwork.json"
    whole = write_index({"neurons/zh.safetensors": b"zh"}, base_model="m", fingerprint=None)
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(InputError, match=r"damaged|another kind"):
            read_index(path)


@pytest.mark.parametrize(
    "path",
    [
        "../zh.safetensors",
        "neurons/../../zh.safetensors",
        "/etc/passwd",
        "neurons\\zh.safetensors",
        "C:/zh.safetensors",
        "neurons//zh.safetensors",
        "neurons/./zh.safetensors",
        "neurons/",
        "neurons/.. /zh.safetensors",
        "neurons/.../zh.safetensors",
        "neurons/ /zh.safetensors",
        "neurons/zh.safetensors.",
        "neurons/zh.safetensors ",
        "",
        "neurons/z\nh.safetensors",
        "README.md",
        "mwork.json",
    ],
)
def test_paths_outside_a_folder_are_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is damaged; found files") as error:
        read_index(write(tmp_path, files={path: "0" * 64}))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("digest", ["", "0" * 63, "Z" * 64, "0" * 65])
def test_digests_that_are_none_are_refused(digest: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is damaged; found files"):
        read_index(write(tmp_path, files={"neurons/zh.safetensors": digest}))


def test_other_kinds_and_versions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="of another kind; found mwork-repository version 2"):
        read_index(write(tmp_path, version=2))
    with pytest.raises(InputError, match="of another kind; found mwork-neurons version 1"):
        read_index(write(tmp_path, format="mwork-neurons"))


def test_an_index_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, files={f"neurons/{number}.safetensors": "0" * 64 for number in range(100)})
    assert module.LARGEST == 2**24
    monkeypatch.setattr(module, "LARGEST", path.stat().st_size - 1)
    with pytest.raises(InputError, match="is too large"):
        read_index(path)
    monkeypatch.setattr(module, "LARGEST", path.stat().st_size)
    assert len(read_index(path).files) == 100


def test_an_index_without_its_digest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mwork.json"
    path.write_text(json.dumps(GOOD), "utf-8")
    with pytest.raises(InputError, match="no digest at its beginning"):
        read_index(path)


def test_names_that_results_have_are_written_and_read(tmp_path: Path) -> None:
    files: dict[str, bytes | Path] = {"results/tiny/scale:0.5 zh|es — 中文?.json": b"{}", "results/tiny/a*b": b""}
    (tmp_path / "mwork.json").write_bytes(write_index(files, base_model=None, fingerprint=None))
    assert set(read_index(tmp_path / "mwork.json").files) == set(files)


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="below a file"):
        read_index(write(tmp_path, files={"neurons/zh": "0" * 64, "neurons/zh/es": "0" * 64}))


def test_a_file_that_could_not_be_fetched_again_is_not_written() -> None:
    with pytest.raises(InputError, match=r"cannot have this name on the hub; found \.\./zh"):
        write_index({"../zh": b""}, base_model=None, fingerprint=None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("neurons/zh.safetensors", "neurons/ZH.safetensors"),
        ("neurons/\u00e9.safetensors", "neurons/e\u0301.safetensors"),
        ("neurons/a/zh.safetensors", "neurons/A/es.safetensors"),
    ],
)
def test_names_that_are_one_file_on_some_systems_are_refused(one: str, other: str, tmp_path: Path) -> None:
    """There the second would be written over the first."""
    with pytest.raises(InputError, match="two names are one file on some systems"):
        write_index({one: b"", other: b""}, base_model=None, fingerprint=None)
    with pytest.raises(InputError, match="that are one on some systems"):
        read_index(write(tmp_path, files={one: "0" * 64, other: "0" * 64}))
