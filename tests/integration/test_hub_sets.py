"""Neuron sets of a hub on this machine: found by every way to name them, and pinned."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import mwork
from helpers.hub_repositories import NAME, publish
from helpers.hub_server import HubServer
from helpers.neuron_sets import ES, SHAPE, ZH

import mwork_eval as mw
from mwork_eval.errors import InputError
from mwork_eval.hub.index import write_index
from mwork_eval.neurons.comparison import compare_pairs
from mwork_eval.neurons.drawn_sets import find_drawn_sets
from mwork_eval.neurons.expressions import evaluate
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import find_folder, find_language_sets, find_named_sets, find_neurons

pytest_plugins = ["helpers.hub_server"]

SETS = {"zh": ZH.described(language="zh"), "es": ES.described(language="es")}
ZH_FILE = "neurons/zh.safetensors"


def test_a_set_is_fetched_alone_and_says_where_it_is_from(hub_server: HubServer) -> None:
    commit = publish(hub_server, SETS)
    for reference in ("hub:user/sets/zh", "hub:user/sets@main/zh", f"hub:user/sets@{commit}/zh"):
        neurons = find_neurons(reference)
        assert neurons == ZH
        assert neurons.about == {"language": "zh", "hub": f"hub:user/sets@{commit}/zh"}
    assert hub_server.downloads(ZH_FILE) == 1
    assert hub_server.downloads("neurons/es.safetensors") == 0
    assert hub_server.downloads("README.md") == 0
    assert find_neurons(f"hub:user/sets@{commit}/zh.safetensors").about["hub"] == f"hub:user/sets@{commit}/zh"


def test_an_expression_is_pinned_as_a_whole(hub_server: HubServer) -> None:
    commit = publish(hub_server, SETS)
    neurons = find_neurons("hub:user/sets/zh-es")
    assert neurons == ZH - ES
    assert neurons.about["expression"] == "zh-es"
    assert neurons.about["hub"] == f"hub:user/sets@{commit}/zh-es"
    assert find_neurons(neurons.about["hub"]) == neurons


def test_an_expression_of_several_repositories_names_their_commits(hub_server: HubServer, tmp_path: Path) -> None:
    one, other = publish(hub_server, SETS), publish(hub_server, SETS, "user/others")
    neurons = evaluate("hub:user/sets/zh - hub:user/others/es")
    assert neurons == ZH - ES
    assert neurons.about["expression"] == f"hub:user/sets@{one}/zh - hub:user/others@{other}/es"
    assert "hub" not in neurons.about, "the result is nowhere on the hub"
    assert evaluate(neurons.about["expression"]) == neurons
    mwork("sets", "algebra", "hub:user/sets/zh - hub:user/others/es", "--out", tmp_path / "one.safetensors")
    assert find_neurons(str(tmp_path / "one.safetensors")) == ZH - ES


def test_folders_of_a_repository(hub_server: HubServer) -> None:
    publish(hub_server, {"half/zh": ZH, "half/es": ES, "whole/zh": ES})
    assert find_neurons("hub:user/sets/half/zh") == ZH
    assert find_neurons("hub:user/sets/whole/zh") == ES
    assert find_named_sets(["hub:user/sets/half"]) == {"zh": ZH, "es": ES}
    with pytest.raises(InputError, match=r"no neurons in user/sets on the hub; found the folders half whole; expected"):
        find_named_sets(["hub:user/sets"])
    with pytest.raises(InputError, match=r"no neurons in third of user/sets on the hub; found the folders half whole"):
        find_neurons("hub:user/sets/third/zh")


def test_every_way_to_name_sets_takes_the_hub(hub_server: HubServer, tmp_path: Path) -> None:
    commit = publish(hub_server, SETS)
    pinned = {name: f"hub:user/sets@{commit}/{name}" for name in SETS}
    for sets in (
        find_named_sets(["hub:user/sets"]),
        find_language_sets("hub:user/sets", ["es", "zh"]),
        mw.read_neurons("hub:user/sets", "all"),
        mw.read_neurons("hub:user/sets", "zh,es"),
        mw.read_neurons(Path("hub:user/sets"), "zh,es"),
    ):
        assert sets == {"zh": ZH, "es": ES}
        assert {name: one.about["hub"] for name, one in sets.items()} == pinned
    assert mw.read_neurons("hub:user/sets/zh") == ZH
    assert mw.read_neurons(Path("hub:user/sets/zh")) == ZH
    found = compare_pairs("hub:user/sets", "hub:user/sets")
    assert {name: one.total.share for name, one in found.sets.items()} == {"zh": 1.0, "es": 1.0}
    assert compare_pairs("hub:user/sets/zh", "hub:user/sets/es").sets[""].total.both == 0
    with pytest.raises(InputError, match=r"hub:user/sets is a folder of neuron sets"):
        mw.read_neurons("hub:user/sets")
    assert "hub:user/sets/zh" in mwork("sets", "show", "hub:user/sets/zh", "hub:user/sets/zh-es")
    assert json.loads(mwork("sets", "diff", "hub:user/sets/zh", "hub:user/sets/es", "--json"))
    assert "zh" in mwork("overlap", "hub:user/sets")
    assert mwork("profile", "hub:user/sets").replace("hub:user/sets", "") == mwork(
        "profile", f"hub:user/sets@{commit}"
    ).replace(f"hub:user/sets@{commit}", "")


def test_what_is_not_there_is_one_line(hub_server: HubServer) -> None:
    publish(hub_server, SETS)
    with pytest.raises(InputError, match=r"no neuron set 'fr' in hub:user/sets; found es zh") as error:
        find_neurons("hub:user/sets/fr")
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=r"hub:user/sets is a repository; expected a set in it"):
        find_neurons("hub:user/sets")
    with pytest.raises(InputError, match=r"no neuron set 'fr'"):
        find_language_sets("hub:user/sets", ["fr"])
    with pytest.raises(InputError, match=r"no repository user/none on http://127"):
        find_neurons("hub:user/none/zh")
    with pytest.raises(InputError, match=r"no such revision of user/sets; found v2"):
        find_neurons("hub:user/sets@v2/zh")
    with pytest.raises(InputError, match=r"no such revision of user/sets; found 0000"):
        find_neurons(f"hub:user/sets@{'0' * 40}/zh")
    with pytest.raises(InputError, match=r"no reference to a repository"):
        find_neurons("hub:sets/")


def test_draws_come_with_their_sets(hub_server: HubServer) -> None:
    halves = {f"draws/{number}/{name}": one for number in (1, 2) for name, one in SETS.items()}
    publish(hub_server, {**SETS, **halves})
    sets = find_language_sets("hub:user/sets", ["zh"])
    publish(hub_server, {"zh": ES})  # without draws: those of the commit that the sets are of are meant
    first, second = find_drawn_sets("hub:user/sets", sets, 2)
    assert first == second == {"zh": ZH}
    assert find_named_sets([f"hub:user/sets@{sets['zh'].about['hub'].partition('@')[2][:40]}"]).keys() == {"zh", "es"}


def test_a_folder_of_the_hub_on_this_machine(hub_server: HubServer) -> None:
    publish(hub_server, SETS)
    folder = find_folder("hub:user/sets")
    assert sorted(path.name for path in folder.iterdir()) == ["es.safetensors", "zh.safetensors"]


def test_a_set_of_no_kind_is_one_line(hub_server: HubServer) -> None:
    files = {ZH_FILE: b"no set"}
    index = write_index(files, base_model=None, fingerprint=None)
    hub_server.repository(NAME).commit({**files, "mwork.json": index})
    with pytest.raises(InputError, match="cannot be read"):
        find_neurons("hub:user/sets/zh")


def test_a_combination_in_memory_says_of_no_place(hub_server: HubServer) -> None:
    publish(hub_server, SETS)
    zh, es = find_neurons("hub:user/sets/zh"), find_neurons("hub:user/sets/es")
    for combined in (zh - es, zh & es, zh | es, zh ^ es):
        assert "hub" not in combined.about
    other = NeuronSet(SHAPE, {(0, "q"): np.array([1])})
    assert "hub" not in (other - zh).about
