"""Neuron sets of a hub on this machine: cached, verified, used offline, and each fault in one line."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.hub_repositories import NAME, bytes_of_set, publish, repository_files
from helpers.hub_server import HubServer, point_client_at
from helpers.neuron_sets import ES, ZH
from huggingface_hub import constants

from mwork_eval.errors import InputError, NotReachedError
from mwork_eval.files.seal import sealed
from mwork_eval.hub import repository
from mwork_eval.neurons.references import find_named_sets, find_neurons

pytest_plugins = ["helpers.hub_server"]

SETS = {"zh": ZH.described(language="zh"), "es": ES.described(language="es")}
ZH_FILE = "neurons/zh.safetensors"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What sets HF_HUB_OFFLINE=1."""
    return lambda: monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, hub_server: HubServer) -> Callable[[], None]:
    """What points the client at a port that nothing answers on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # The client waits between its tries.
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return lambda: point_client_at(monkeypatch, f"http://127.0.0.1:{port}", hub_server.cache)


def test_gated_private_and_no_token_are_one_line(hub_server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(hub_server, SETS)
    hub_server.gated.add(NAME)
    with pytest.raises(InputError, match=r"user/sets is gated; found no access; ask for access at http://127"):
        find_neurons("hub:user/sets/zh")
    hub_server.gated.clear()
    hub_server.repositories[NAME].private = True
    assert find_neurons("hub:user/sets/zh") == ZH
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(InputError, match=r"no repository user/sets on .*if it is private, log in with"):
        find_neurons("hub:user/sets@main/zh")


def test_a_moved_branch_is_resolved_anew_and_a_commit_stays(hub_server: HubServer) -> None:
    first = publish(hub_server, SETS)
    assert find_neurons("hub:user/sets/zh") == ZH
    second = publish(hub_server, {"zh": ES})
    moved = find_neurons("hub:user/sets/zh")
    assert moved == ES
    assert moved.about["hub"] == f"hub:user/sets@{second}/zh"
    assert find_neurons(f"hub:user/sets@{first}/zh") == ZH


def test_a_cached_set_is_used_offline(hub_server: HubServer, offline: Callable[[], None]) -> None:
    commit = publish(hub_server, SETS)
    find_neurons("hub:user/sets/zh")
    publish(hub_server, {"zh": ES})
    asked = len(hub_server.requests)
    offline()
    for reference in ("hub:user/sets/zh", "hub:user/sets@main/zh", f"hub:user/sets@{commit}/zh"):
        neurons = find_neurons(reference)
        assert neurons == ZH, "the branch as it was when the hub was last asked"
        assert neurons.about["hub"] == f"hub:user/sets@{commit}/zh"
    assert len(hub_server.requests) == asked
    with pytest.raises(
        NotReachedError, match=r"neurons/es.safetensors of user/sets is not in the cache; found HF_HUB_OFFLINE=1"
    ):
        find_neurons("hub:user/sets/es")


def test_an_uncached_repository_offline_is_one_line(hub_server: HubServer, offline: Callable[[], None]) -> None:
    commit = publish(hub_server, SETS)
    offline()
    for reference in ("hub:user/sets/zh", f"hub:user/sets@{commit}/zh", "hub:user/sets@v1/zh"):
        with pytest.raises(
            NotReachedError, match=r"is not in the cache; found HF_HUB_OFFLINE=1; fetch it once"
        ) as error:
            find_neurons(reference)
        assert "\n" not in str(error.value)
    assert hub_server.requests == []


def test_a_pinned_and_cached_set_asks_nobody(hub_server: HubServer) -> None:
    commit = publish(hub_server, SETS)
    find_neurons(f"hub:user/sets@{commit}/zh")
    asked = len(hub_server.requests)
    assert find_neurons(f"hub:user/sets@{commit}/zh") == ZH
    assert len(hub_server.requests) == asked


def test_no_network_falls_back_to_the_cache_and_says_so(
    hub_server: HubServer, no_hub: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    commit = publish(hub_server, SETS)
    find_neurons("hub:user/sets/zh")
    no_hub()
    assert find_neurons("hub:user/sets/zh").about["hub"] == f"hub:user/sets@{commit}/zh"
    assert f"the hub is not reached: hub:user/sets is read from the cache, as it was at {commit[:12]}" in caplog.text
    with pytest.raises(
        NotReachedError, match=r"http://127\S* is not reached for neurons/es.safetensors of user/sets; found no answer"
    ) as error:
        find_neurons("hub:user/sets/es")
    assert "\n" not in str(error.value)
    with pytest.raises(NotReachedError, match=r"http://127\S* is not reached for hub:user/others"):
        find_neurons("hub:user/others/zh")


def test_a_hub_that_is_down_is_one_line(hub_server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    publish(hub_server, SETS)
    hub_server.fail = 503
    with pytest.raises(NotReachedError, match=r"is not reached for hub:user/sets; found .*503"):
        find_neurons("hub:user/sets/zh")


def blob(hub: HubServer, path: str) -> Path:
    """Return where the cache keeps the bytes of a file."""
    (found,) = hub.cache.glob(f"models--*/snapshots/*/{path}")
    return found.resolve()


def test_a_damaged_file_in_the_cache_is_fetched_anew(
    hub_server: HubServer,
    offline: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    publish(hub_server, SETS)
    find_neurons("hub:user/sets/zh")
    file = blob(hub_server, ZH_FILE)
    whole = file.read_bytes()
    file.write_bytes(bytes_of_set(SETS["es"]))  # a whole set, and another one
    assert find_neurons("hub:user/sets/zh") == ZH
    assert "neurons/zh.safetensors of user/sets is damaged in the cache; fetched anew" in caplog.text
    assert file.read_bytes() == whole
    assert hub_server.downloads(ZH_FILE) == 2
    file.write_bytes(bytes_of_set(SETS["es"]))
    offline()
    with pytest.raises(InputError, match=r"is damaged in the cache; found digest .*call once with a way") as error:
        find_neurons("hub:user/sets/zh")
    assert "\n" not in str(error.value)


def test_a_damaged_file_is_fetched_anew_where_there_are_no_links(
    hub_server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.are_symlinks_supported", lambda folder=None: False)
    publish(hub_server, SETS)
    find_neurons("hub:user/sets/zh")
    file = blob(hub_server, ZH_FILE)
    assert "snapshots" in file.parts, "no link"
    file.write_bytes(bytes_of_set(SETS["es"]))
    assert find_neurons("hub:user/sets/zh") == ZH


def test_a_damaged_index_in_the_cache_is_fetched_anew(hub_server: HubServer, offline: Callable[[], None]) -> None:
    publish(hub_server, SETS)
    find_neurons("hub:user/sets/zh")
    blob(hub_server, "mwork.json").write_bytes(b"{}")
    assert find_neurons("hub:user/sets/zh") == ZH
    blob(hub_server, "mwork.json").write_bytes(b"{}")
    offline()
    with pytest.raises(InputError, match=r"hub:user/sets@\w{40}/mwork.json is damaged"):
        find_neurons("hub:user/sets/zh")


def test_a_file_damaged_on_the_way_is_fetched_once_more(hub_server: HubServer) -> None:
    publish(hub_server, SETS)
    hub_server.corrupt[ZH_FILE] = 1
    assert find_neurons("hub:user/sets/zh") == ZH
    assert hub_server.downloads(ZH_FILE) == 2


def test_an_index_that_lies_is_one_line(hub_server: HubServer) -> None:
    files = repository_files(SETS) | {ZH_FILE: bytes_of_set(SETS["es"])}
    hub_server.repository(NAME).commit(files)
    with pytest.raises(InputError, match=r"neurons/zh.safetensors of user/sets is not what its index says") as error:
        find_neurons("hub:user/sets/zh")
    assert "\n" not in str(error.value)
    assert hub_server.downloads(ZH_FILE) == 2
    assert find_neurons("hub:user/sets/es") == ES


def test_an_index_that_names_more_than_there_is_is_one_line(hub_server: HubServer) -> None:
    files = repository_files(SETS)
    del files[ZH_FILE]
    hub_server.repository(NAME).commit(files)
    with pytest.raises(InputError, match=r"no file neurons/zh.safetensors in user/sets"):
        find_neurons("hub:user/sets/zh")


def test_an_index_with_a_path_outside_is_one_line(hub_server: HubServer) -> None:
    files = repository_files(SETS)
    index = json.loads(files["mwork.json"])
    del index["digest"]
    index["files"]["../../zh.safetensors"] = "0" * 64
    hub_server.repository(NAME).commit(files | {"mwork.json": sealed(json.dumps(index)).encode()})
    with pytest.raises(InputError, match=r"mwork.json is damaged; found files: a path '\.\./\.\./zh") as error:
        find_neurons("hub:user/sets/zh")
    assert "\n" not in str(error.value)


def test_a_file_that_the_index_does_not_name_is_not_used(hub_server: HubServer) -> None:
    hub_server.repository(NAME).commit({**repository_files({"zh": ZH}), "neurons/es.safetensors": bytes_of_set(ES)})
    assert list(find_named_sets(["hub:user/sets"])) == ["zh"]
    with pytest.raises(InputError, match="no neuron set 'es'"):
        find_neurons("hub:user/sets/es")


def test_an_interrupted_download_leaves_nothing_and_the_next_goes_on(
    hub_server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    publish(hub_server, SETS)
    hub_server.cut[ZH_FILE] = 1000
    with pytest.raises(NotReachedError, match=r"is not reached for neurons/zh.safetensors") as error:
        find_neurons("hub:user/sets/zh")
    assert "\n" not in str(error.value)
    assert not list(hub_server.cache.glob(f"models--*/snapshots/*/{ZH_FILE}"))
    hub_server.cut.clear()
    assert find_neurons("hub:user/sets/zh") == ZH


def test_a_repository_made_by_hand(hub_server: HubServer, offline: Callable[[], None]) -> None:
    """Sets at the root or below `neurons`, weights beside them, no index: verified by their own digests alone."""
    commit = hub_server.repository(NAME).commit(
        {
            "README.md": b"a model with sets",
            "zh.safetensors": bytes_of_set(SETS["zh"]),
            "half/es.safetensors": bytes_of_set(SETS["es"]),
            "model.safetensors": b"weights",
            "model-00001-of-00002.safetensors": b"weights",
            "run.py": b"raise SystemExit",
            "zh.pkl": b"",
        }
    )
    neurons = find_neurons("hub:user/sets/zh")
    assert (neurons, neurons.about["hub"]) == (ZH, f"hub:user/sets@{commit}/zh")
    assert find_neurons("hub:user/sets/half/es") == ES
    assert find_named_sets(["hub:user/sets"]) == {"zh": ZH}
    fetched = {path.rpartition("/")[2] for path in hub_server.requests if path.startswith("GET /user")}
    assert fetched == {"zh.safetensors", "es.safetensors"}
    offline()
    assert find_neurons("hub:user/sets/zh") == ZH
    assert find_neurons(f"hub:user/sets@{commit}/half/es") == ES


def test_a_full_disk_is_one_line(
    hub_server: HubServer, offline: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no matter of the cache, offline or not."""
    publish(hub_server, SETS)
    find_neurons("hub:user/sets/zh")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("huggingface_hub.hf_api.HfApi.hf_hub_download", full)
    for _ in range(2):
        with pytest.raises(InputError, match=r"cannot be had from the hub; found \[Errno 28\] No space left"):
            find_neurons("hub:user/sets/zh")
        offline()


def test_a_file_larger_than_any_of_ours_is_not_fetched(hub_server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(hub_server, SETS)
    size = len(hub_server.repositories[NAME].files()["neurons/zh.safetensors"])
    monkeypatch.setattr(repository, "_LARGEST", size - 1)
    with pytest.raises(InputError, match=r"neurons/zh.safetensors of user/sets is too large; found [\d,]+ bytes"):
        find_neurons("hub:user/sets/zh")
    assert not hub_server.downloads("neurons/zh.safetensors")
    monkeypatch.setattr(repository, "_LARGEST", size)
    assert find_neurons("hub:user/sets/zh") == ZH
    monkeypatch.setattr(repository, "_LARGEST", 0)
    assert find_neurons("hub:user/sets/zh") == ZH, "what is in the cache fills nothing"


def test_an_index_larger_than_any_of_ours_is_not_fetched(
    hub_server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(hub_server, SETS)
    monkeypatch.setattr(repository, "LARGEST_INDEX", 10)
    with pytest.raises(InputError, match=r"mwork.json of user/sets is too large"):
        find_neurons("hub:user/sets/zh")
    assert not hub_server.downloads("mwork.json")


def test_a_disk_without_room_is_one_line_before_anything_is_fetched(
    hub_server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(hub_server, SETS)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=repository._SPARE))
    with pytest.raises(InputError, match=r"the disk has no room for mwork.json of user/sets"):
        find_neurons("hub:user/sets/zh")
    assert not hub_server.downloads("mwork.json")
