"""Files put into a repository on a hub of this machine: one commit, what is deleted, what is refused."""

from pathlib import Path

import pytest
from helpers.hub_server import TOKEN, HubServer
from huggingface_hub import constants, errors

from mwork_eval.errors import InputError, NotReachedError
from mwork_eval.hub import upload
from mwork_eval.hub.faults import fault
from mwork_eval.hub.index import read_index, write_index
from mwork_eval.hub.reference import HubReference
from mwork_eval.hub.upload import bytes_of, check_target, push_files

pytest_plugins = ["helpers.hub_server"]

NAME = "user/sets"


def files_of(**named: bytes) -> dict[str, bytes | Path]:
    """Return the files of a push: sets by name, a card and an index."""
    files: dict[str, bytes | Path] = {f"neurons/{name}.safetensors": content for name, content in named.items()}
    index = write_index(files, base_model="tiny", fingerprint=None)
    return {"README.md": b"---\nlicense: mit\n---\nours\n", **files, "mwork.json": index}


def test_a_push_is_one_commit_with_all_files(hub_server: HubServer, tmp_path: Path) -> None:
    files = files_of(zh=b"zh", es=b"es")
    files["neurons/zh.safetensors"] = tmp_path / "zh"
    (tmp_path / "zh").write_bytes(b"zh")
    seen: list[tuple[str, int]] = []
    done = push_files(NAME, files, message="Sets of tiny", bar=lambda name, amount: seen.append((name, amount)))
    there = hub_server.repositories[NAME]
    assert there.branches["main"] == done.commit
    assert there.titles[done.commit] == "Sets of tiny"
    assert len(there.commits) == 2, "the hub's own first commit, and ours"
    assert there.files() == {".gitattributes": there.files()[".gitattributes"]} | {
        path: content if isinstance(content, bytes) else content.read_bytes() for path, content in files.items()
    }
    assert done.url.endswith(f"/{NAME}/commit/{done.commit}")
    assert set(done.added) == set(files)
    assert done.deleted == ()
    assert (
        sum(amount for _, amount in seen)
        == bytes_of(files)
        == sum(map(len, there.files().values())) - len(there.files()[".gitattributes"])
    )


def test_large_files_are_sent_one_by_one(hub_server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "_LARGE", 3)
    files = files_of(zh=b"large", es=b"es")
    seen: list[str] = []
    push_files(NAME, files, message="one", bar=lambda name, amount: seen.append(name))
    assert seen[:1] == ["README.md"]
    assert sorted(seen) == sorted(files)
    assert hub_server.repositories[NAME].files()["neurons/zh.safetensors"] == b"large"


def test_what_an_earlier_push_put_there_goes_and_the_rest_stays(hub_server: HubServer) -> None:
    push_files(NAME, files_of(zh=b"zh", es=b"es"), message="one")
    there = hub_server.repositories[NAME]
    there.commit({**there.files(), "notes.txt": b"by hand"})
    done = push_files(NAME, files_of(zh=b"new"), message="two")
    assert done.deleted == ("neurons/es.safetensors",)
    assert set(there.files()) == {
        ".gitattributes",
        "README.md",
        "mwork.json",
        "neurons/zh.safetensors",
        "notes.txt",
    }
    assert there.files()["neurons/zh.safetensors"] == b"new"
    assert there.parents[done.commit] is not None


def test_a_file_that_is_gone_already_is_not_deleted(hub_server: HubServer) -> None:
    push_files(NAME, files_of(zh=b"zh", es=b"es"), message="one")
    there = hub_server.repositories[NAME]
    there.commit({path: content for path, content in there.files().items() if "es." not in path})
    assert push_files(NAME, files_of(zh=b"new"), message="two").deleted == ()


def test_a_repository_of_another_kind_is_refused_unless_forced(hub_server: HubServer) -> None:
    there = hub_server.repository(NAME)
    there.commit({"README.md": b"a model", "model.safetensors": b"weights"})
    assert check_target(NAME).foreign
    with pytest.raises(InputError, match=r"another kind; found README\.md, and no mwork\.json .*`force=True`"):
        push_files(NAME, files_of(zh=b"zh"), message="one")
    with pytest.raises(InputError, match="another kind"):
        push_files(NAME, files_of(zh=b"zh"), message="one", revision="sets")
    assert len(there.commits) == 1
    push_files(NAME, files_of(zh=b"zh"), message="one", force=True)
    assert there.files()["model.safetensors"] == b"weights"
    assert b"ours" in there.files()["README.md"]
    assert not check_target(NAME).foreign


def test_a_damaged_index_makes_a_repository_of_another_kind(hub_server: HubServer) -> None:
    hub_server.repository(NAME).commit({"README.md": b"", "mwork.json": b"{}"})
    assert check_target(NAME).foreign


def test_a_target_tells_what_is_there(hub_server: HubServer) -> None:
    assert check_target(NAME).commit is None
    files = files_of(zh=b"zh")
    done = push_files(NAME, files, message="one")
    target = check_target(NAME)
    assert (target.commit, target.foreign) == (done.commit, False)
    assert target.index is not None
    assert list(target.index.files) == ["neurons/zh.safetensors"]


def test_a_branch_is_made_and_main_stays(hub_server: HubServer) -> None:
    first = push_files(NAME, files_of(zh=b"zh"), message="one")
    second = push_files(NAME, files_of(zh=b"new"), message="two", revision="next")
    there = hub_server.repositories[NAME]
    assert there.branches == {"main": first.commit, "next": second.commit}
    third = push_files(NAME, files_of(zh=b"newer"), message="three", revision="next")
    assert there.parents[third.commit] == second.commit
    assert there.branches["main"] == first.commit


def test_a_new_repository_can_be_private(hub_server: HubServer) -> None:
    push_files(NAME, files_of(zh=b"zh"), message="one", private=True)
    push_files("user/open", files_of(zh=b"zh"), message="one")
    assert hub_server.repositories[NAME].private
    assert not hub_server.repositories["user/open"].private


def test_a_repository_that_changed_meanwhile_is_one_line(
    hub_server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    push_files(NAME, files_of(zh=b"zh"), message="one")
    before = check_target(NAME)
    hub_server.repositories[NAME].commit({**hub_server.repositories[NAME].files(), "other": b""})
    monkeypatch.setattr(upload, "check_target", lambda *_, **__: before)
    with pytest.raises(InputError, match=f"{NAME} was changed meanwhile"):
        push_files(NAME, files_of(zh=b"new"), message="two")


def test_an_equal_push_makes_no_commit(hub_server: HubServer) -> None:
    first = push_files(NAME, files_of(zh=b"zh"), message="one")
    second = push_files(NAME, files_of(zh=b"zh"), message="two")
    assert second.commit == first.commit
    assert len(hub_server.repositories[NAME].commits) == 2


def test_the_index_in_the_repository_is_the_one_pushed(hub_server: HubServer, tmp_path: Path) -> None:
    push_files(NAME, files_of(zh=b"zh"), message="one")
    (tmp_path / "mwork.json").write_bytes(hub_server.repositories[NAME].files()["mwork.json"])
    assert list(read_index(tmp_path / "mwork.json").files) == ["neurons/zh.safetensors"]


@pytest.mark.parametrize("name", ["sets", "user/", "user/sets/zh", "hub:user/sets", "us er/sets", ""])
def test_a_name_that_is_none_is_one_line(name: str, hub_server: HubServer) -> None:
    with pytest.raises(InputError, match=r"no name of a repository on the hub; found .* expected USER/NAME"):
        check_target(name)
    assert hub_server.requests == []


def test_a_commit_is_no_branch(hub_server: HubServer) -> None:
    done = push_files(NAME, files_of(zh=b"zh"), message="one")
    with pytest.raises(InputError, match=f"files are pushed to a branch; found the commit {done.commit}"):
        push_files(NAME, files_of(zh=b"new"), message="two", revision=done.commit)
    with pytest.raises(InputError, match="no reference to a repository on the hub"):
        check_target(NAME, revision="../main")


def test_no_token_and_a_wrong_one_are_one_line(hub_server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")
    with pytest.raises(InputError, match="does not know who you are; found a token that is not valid; log in with"):
        check_target(NAME)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(InputError, match="does not know who you are; found no token; log in with"):
        push_files(NAME, files_of(zh=b"zh"), message="one")
    assert hub_server.repositories == {}


def test_a_namespace_of_others_is_one_line(hub_server: HubServer) -> None:
    with pytest.raises(InputError, match=r"refuses access to other/sets.*a token that may write"):
        push_files("other/sets", files_of(zh=b"zh"), message="one")


def test_nothing_is_pushed_offline(hub_server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="found HF_HUB_OFFLINE=1"):
        check_target(NAME)
    assert hub_server.requests == []


def test_a_hub_that_is_down_is_one_line(hub_server: HubServer) -> None:
    hub_server.fail = 503
    with pytest.raises(NotReachedError, match="is not reached for hub:user/sets"):
        check_target(NAME)


def test_a_card_that_the_hub_refuses_is_one_line(hub_server: HubServer) -> None:
    files = files_of(zh=b"zh") | {"README.md": b"---\nlicense: none\n---\n"}
    with pytest.raises(InputError, match=r"Invalid metadata in README\.md\. - license: no such licence") as error:
        push_files(NAME, files, message="one")
    assert "\n" not in str(error.value)


def test_a_hub_that_refuses_everybody_is_one_line(hub_server: HubServer) -> None:
    hub_server.fail = 401
    with pytest.raises(InputError, match="does not know who you are; found a token that is not valid"):
        check_target(NAME)


def test_a_file_that_changes_while_it_is_published_is_one_line(hub_server: HubServer, tmp_path: Path) -> None:
    """The index was made of what it was before; a repository with both could never be read."""
    file = tmp_path / "zh"
    file.write_bytes(b"zh")
    files: dict[str, bytes | Path] = {"neurons/zh.safetensors": file}
    files["mwork.json"] = write_index(files, base_model="tiny", fingerprint=None)
    file.write_bytes(b"another")
    with pytest.raises(InputError, match=r"changed while it was being published; found neurons/zh\.safetensors"):
        push_files(NAME, files, message="Sets")
    assert NAME not in hub_server.repositories


def test_no_message_tells_a_secret(hub_server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://me:password@127.0.0.1:9")
    reference = HubReference(NAME)
    told = [
        fault(error, reference)
        for error in (
            ValueError(f"illegal header b'Bearer {TOKEN}'"),
            OSError("http://me:password@127.0.0.1:9/user/sets is none"),
            errors.LocalTokenNotFoundError("x"),
            errors.OfflineModeIsEnabled("x"),
        )
    ]
    assert all(TOKEN not in str(one) and "password" not in str(one) for one in told)
    assert "http://127.0.0.1:9 does not know who you are" in str(told[2])
