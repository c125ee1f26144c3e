"""A repository of a hub on this machine as local folders: verified, gone on with, and nothing of others overwritten."""

from pathlib import Path

import pytest
from filelock import FileLock
from helpers.commands import mwork
from helpers.hub_repositories import NAME, bytes_of_set, repository_files
from helpers.hub_server import HubServer
from helpers.neuron_sets import ES, ZH
from huggingface_hub import constants

import mwork_eval as mw
from mwork_eval.errors import InputError, NotReachedError
from mwork_eval.hub.pull import carry_out, plan_pull
from mwork_eval.hub.reference import HubReference
from mwork_eval.neurons.references import find_neurons

pytest_plugins = ["helpers.hub_server"]

OTHERS = {
    "scores/zh.safetensors": b"scores",
    "deltas/half.safetensors": b"delta",
    "results/tiny/manifest.json": b"{}",
    "results/tiny/cells/one.json": b"{1}",
    "images/profile.png": b"png",
}
PULLED = {"neurons/zh.safetensors", "neurons/es.safetensors", *OTHERS} - {"images/profile.png"}


def publish(hub: HubServer, **changed: bytes) -> str:
    return hub.repository(NAME).commit(repository_files({"zh": ZH, "es": ES}, **OTHERS, **changed))


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_is_there_byte_by_byte(hub_server: HubServer, tmp_path: Path) -> None:
    commit = publish(hub_server)
    pulled = mw.pull("hub:user/sets", out=tmp_path / "o", progress=False)
    there = hub_server.repositories[NAME].files()
    assert files_in(tmp_path / "o") == {path: there[path] for path in {*PULLED, "mwork.json"}}
    assert set(pulled.files) == set(pulled.fetched) == PULLED
    assert (pulled.reference, pulled.base_model) == (f"hub:user/sets@{commit}", "tiny")
    assert repr(pulled) == f"<PulledRepository {tmp_path / 'o'}: 6 files of hub:user/sets@{commit}>"
    assert find_neurons(str(tmp_path / "o/neurons/zh")) == ZH


def test_the_command(hub_server: HubServer, tmp_path: Path) -> None:
    commit = publish(hub_server)
    said = mwork("sets", "pull", "hub:user/sets@main", "--out", tmp_path / "o")
    assert "6 files fetched, 0 there already, 0 removed" in said
    assert f"{tmp_path / 'o'}: hub:user/sets@{commit}" in said
    assert "0 files fetched, 6 there already" in mwork("sets", "pull", "hub:user/sets", "--out", tmp_path / "o")
    assert "is not in the cache" not in said


def test_what_is_there_is_not_fetched_again(hub_server: HubServer, tmp_path: Path) -> None:
    first = publish(hub_server)
    mw.pull("hub:user/sets", out=tmp_path, progress=False)
    second = publish(hub_server, **{"results/tiny/more.json": b"[]"})
    sent = len([one for one in hub_server.requests if one.startswith("GET /user")])
    pulled = mw.pull("hub:user/sets", out=tmp_path, progress=False)
    assert pulled.fetched == ("results/tiny/more.json",)
    assert pulled.reference == f"hub:user/sets@{second}"
    assert len([one for one in hub_server.requests if one.startswith("GET /user")]) == sent + 2, "the index, and it"
    back = mw.pull(f"hub:user/sets@{first}", out=tmp_path, progress=False)
    assert (back.fetched, back.removed) == ((), ("results/tiny/more.json",))
    assert set(files_in(tmp_path)) == {*PULLED, "mwork.json"}


def test_a_file_that_was_replaced_on_the_hub_is_replaced_here(hub_server: HubServer, tmp_path: Path) -> None:
    publish(hub_server)
    mw.pull("hub:user/sets", out=tmp_path, progress=False)
    hub_server.repository(NAME).commit(repository_files({"zh": ES}))
    pulled = mw.pull("hub:user/sets", out=tmp_path, progress=False)
    assert pulled.fetched == ("neurons/zh.safetensors",)
    assert set(pulled.removed) == PULLED - {"neurons/zh.safetensors"}
    assert files_in(tmp_path)["neurons/zh.safetensors"] == bytes_of_set(ES)


def test_an_interrupted_pull_goes_on(hub_server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    publish(hub_server)
    hub_server.cut["scores/zh.safetensors"] = 1000
    with pytest.raises(NotReachedError, match=r"is not reached for scores/zh.safetensors"):
        mw.pull("hub:user/sets", out=tmp_path, progress=False)
    before = {path: content for path, content in files_in(tmp_path).items() if not path.startswith(".")}
    there = hub_server.repositories[NAME].files()
    assert before
    assert all(content == there[path] for path, content in before.items())
    hub_server.cut.clear()
    pulled = mw.pull("hub:user/sets", out=tmp_path, progress=False)
    assert not set(pulled.fetched) & set(before)
    assert set(files_in(tmp_path)) == {*PULLED, "mwork.json"}


def test_an_interrupted_pull_goes_on_at_a_branch_that_moved(
    hub_server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder then holds files of two versions, and a third is on the hub."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub_server.repository(NAME).commit(repository_files({"es": ES, "zh": ES}))
    mw.pull("hub:user/sets", out=tmp_path, progress=False)
    hub_server.repository(NAME).commit(repository_files({"es": ZH, "zh": ZH | ES}))
    hub_server.cut["neurons/zh.safetensors"] = 1000
    with pytest.raises(NotReachedError):
        mw.pull("hub:user/sets", out=tmp_path, progress=False)
    assert files_in(tmp_path)["neurons/es.safetensors"] == bytes_of_set(ZH)
    assert files_in(tmp_path)["neurons/zh.safetensors"] == bytes_of_set(ES)
    hub_server.cut.clear()
    third = repository_files({"es": ES & ZH, "zh": ES - ZH})
    hub_server.repository(NAME).commit(third)
    mw.pull("hub:user/sets", out=tmp_path, progress=False)
    assert files_in(tmp_path) == {path: third[path] for path in third if path != "README.md"}


def test_files_of_others_are_not_overwritten(hub_server: HubServer, tmp_path: Path) -> None:
    publish(hub_server)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds something else; found mine.txt"):
        mw.pull("hub:user/sets", out=tmp_path, progress=False)
    assert set(files_in(tmp_path)) == {"mine.txt"}
    (tmp_path / "mine.txt").unlink()
    mw.pull("hub:user/sets", out=tmp_path, progress=False)
    (tmp_path / "neurons/zh.safetensors").write_bytes(b"changed")
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"neurons/zh.safetensors was changed since it was pulled"):
        mw.pull("hub:user/sets", out=tmp_path, progress=False)
    hub_server.repository(NAME).commit(repository_files({"es": ES}))
    with pytest.raises(InputError, match=r"neurons/zh.safetensors was changed since it was pulled"):
        mw.pull("hub:user/sets", out=tmp_path, progress=False)
    (tmp_path / "neurons/zh.safetensors").unlink()
    mw.pull("hub:user/sets", out=tmp_path, progress=False)
    assert set(files_in(tmp_path)) == {"mine.txt", "mwork.json", "neurons/es.safetensors"}


def test_a_link_in_the_folder_leads_nowhere(hub_server: HubServer, tmp_path: Path) -> None:
    publish(hub_server)
    mw.pull("hub:user/sets", out=tmp_path / "o", progress=False)
    outside = tmp_path / "outside"
    (tmp_path / "o/neurons").rename(outside)
    (tmp_path / "o/neurons").symlink_to(outside)
    (outside / "zh.safetensors").unlink()
    with pytest.raises(InputError, match="is a link"):
        mw.pull("hub:user/sets", out=tmp_path / "o", progress=False)
    assert not (outside / "zh.safetensors").exists()


def test_what_cannot_be_pulled_is_one_line(
    hub_server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_server.repository("user/hand").commit({"zh.safetensors": bytes_of_set(ZH)})
    hub_server.repository("user/empty").commit(repository_files({}))
    publish(hub_server)
    (tmp_path / "file").write_text("")
    for reference, out, said in [
        ("hub:user/hand", "o", r"user/hand cannot be pulled; found no mwork.json"),
        ("hub:user/empty", "o", r"nothing to pull in user/empty"),
        ("hub:user/none", "o", r"no repository user/none"),
        ("hub:user/sets/zh", "o", r"a repository is pulled as a whole; found hub:user/sets/zh"),
        ("user/sets", "o", r"no reference to a repository on the hub"),
    ]:
        with pytest.raises(InputError, match=said) as error:
            mw.pull(reference, out=tmp_path / out, progress=False)
        assert "\n" not in str(error.value)
        assert f"{said.split(';')[0].split('.*')[0]}" in mwork(
            "sets", "pull", reference, "--out", tmp_path / out, code=2
        )
    with pytest.raises(InputError, match=r"unusable out; found the file .*file"):
        mw.pull("hub:user/sets", out=tmp_path / "file", progress=False)
    with pytest.raises(InputError, match="unusable reference"):
        mw.pull(3, out=tmp_path / "o")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="nothing to pull into"):
        mw.pull("hub:user/sets", out=None)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(NotReachedError, match="is not in the cache"):
        mw.pull("hub:user/sets", out=tmp_path / "o", progress=False)
    assert not (tmp_path / "o").exists()


def test_a_pull_offline_of_what_is_cached(
    hub_server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(hub_server)
    mw.pull("hub:user/sets", out=tmp_path / "a", progress=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    mw.pull("hub:user/sets", out=tmp_path / "b", progress=False)
    assert files_in(tmp_path / "a") == files_in(tmp_path / "b")


def test_an_index_that_lies_leaves_no_wrong_file(hub_server: HubServer, tmp_path: Path) -> None:
    files = repository_files({"zh": ZH, "es": ES}) | {"neurons/zh.safetensors": bytes_of_set(ES)}
    hub_server.repository(NAME).commit(files)
    with pytest.raises(InputError, match="is not what its index says"):
        mw.pull("hub:user/sets", out=tmp_path, progress=False)
    assert "neurons/zh.safetensors" not in files_in(tmp_path)


def test_two_pulls_into_one_folder_do_not_mix(hub_server: HubServer, tmp_path: Path) -> None:
    """One waits for nobody, and one that planned before another one was done begins anew."""
    hub_server.repository(NAME).commit(repository_files({"es": ES, "zh": ES}))
    first = plan_pull(HubReference(NAME), tmp_path)
    with (
        FileLock(tmp_path / ".mwork.json.lock"),
        pytest.raises(InputError, match="another process pulls into"),
    ):
        mw.pull("hub:user/sets", out=tmp_path, progress=False)
    hub_server.repository(NAME).commit(repository_files({"es": ZH, "zh": ZH}))
    mw.pull("hub:user/sets", out=tmp_path, progress=False)
    with pytest.raises(InputError, match="another process pulls into"):
        carry_out(first)
    assert {content for path, content in files_in(tmp_path).items() if path != "mwork.json"} == {bytes_of_set(ZH)}
    assert mw.pull("hub:user/sets", out=tmp_path, progress=False).fetched == ()
