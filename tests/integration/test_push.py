"""`mwork push` and `mw.push` against a hub of this machine, and what is read back from it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from conftest import make_model, make_tokenizer
from helpers.enhancement_models import neurons_of
from helpers.hub_server import TOKEN, HubServer
from helpers.published import write_matrix, write_sets
from helpers.recorded_tables import recorded
from huggingface_hub import constants
from huggingface_hub.utils import are_progress_bars_disabled

import mwork_eval as mw
from mwork_eval.cli.main import main
from mwork_eval.enhancement.documents import HELD_OUT
from mwork_eval.hub.index import read_index
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout

pytest_plugins = ["helpers.hub_server"]

NAME = "user/tiny-neurons"


def mwork(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + str(result.exception)
    return result


@pytest.fixture
def given(tmp_path: Path) -> tuple[Path, Path]:
    return write_sets(tmp_path / "sets"), write_matrix(tmp_path / "matrix")


def test_a_dry_run_prints_the_card_and_the_files_and_asks_nobody(
    hub_server: HubServer, given: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    printed = mwork("push", *given, "--repo", NAME, "--dry-run").stdout
    found = mw.push(given, repo=NAME, dry_run=True, progress=False)
    assert printed.startswith(f"{found.card}\n{NAME}: {len(found.files)} files")
    table = printed[len(found.card) :]
    assert all(f" {path} " in table for path in found.files)
    assert (found.url, found.commit) == (None, None)
    assert hub_server.requests == []


def test_scores_go_along_unless_they_are_left_out(given: tuple[Path, Path]) -> None:
    table = recorded("zh", 1)
    table.save(given[0] / "scores" / "zh.safetensors")
    arguments = ("push", given[0] / "scores" / "zh.safetensors", "--repo", NAME, "--dry-run")
    assert "scores/zh.safetensors" in mwork(*arguments).stdout
    told = mwork("push", given[0], "--repo", NAME, "--dry-run", "--no-scores")
    assert "scores/" not in told.stdout
    assert "left out: " in told.stderr


def test_what_is_pushed_is_there_whole_and_indexed(
    hub_server: HubServer, given: tuple[Path, Path], tmp_path: Path
) -> None:
    found = mw.push(given, repo=NAME, message="Sets of tiny", progress=False)
    there = hub_server.repositories[NAME]
    assert found.commit == there.branches["main"]
    assert there.titles[str(found.commit)] == "Sets of tiny"
    files = {path: content for path, content in there.files().items() if path != ".gitattributes"}
    assert {path: len(content) for path, content in files.items()} == found.files
    assert files["README.md"].decode() == found.card
    (tmp_path / "mwork.json").write_bytes(files["mwork.json"])
    index = read_index(tmp_path / "mwork.json")
    assert index.files.keys() == files.keys() - {"README.md", "mwork.json"}
    assert (index.base_model, index.fingerprint) == ("org/tiny", "f")
    for name in ("es", "zh"):
        assert files[f"neurons/{name}.safetensors"] == (given[0] / f"{name}.safetensors").read_bytes()
    assert files["results/matrix/manifest.json"] == (given[1] / "manifest.json").read_bytes()


def test_no_bar_is_shown_unless_asked_for(
    hub_server: HubServer, given: tuple[Path, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    mw.push(given, repo=NAME, progress=False)
    assert "%|" not in capfd.readouterr().err
    assert not are_progress_bars_disabled()


def test_the_last_line_of_the_command_says_where_it_is_and_how_to_use_it(
    hub_server: HubServer, given: tuple[Path, Path]
) -> None:
    (line,) = mwork("push", *given, "--repo", NAME).stdout.splitlines()
    commit = hub_server.repositories[NAME].branches["main"]
    assert line == f"{hub_server.address}/{NAME}/commit/{commit}: commit {commit}; use it as hub:{NAME}/es"


def test_a_pushed_set_is_used_by_its_reference(hub_server: HubServer, given: tuple[Path, Path]) -> None:
    found = mw.push(given, repo=NAME, progress=False)
    neurons = mw.read_neurons(f"hub:{NAME}/zh")
    assert neurons == mw.read_neurons(given[0] / "zh.safetensors")
    assert isinstance(neurons, mw.NeuronSet)
    assert neurons.about["hub"] == f"hub:{NAME}@{found.commit}/zh"


def test_pulled_results_have_the_tables_of_those_that_were_pushed(
    hub_server: HubServer, given: tuple[Path, Path], tmp_path: Path
) -> None:
    mw.push(given, repo=NAME, progress=False)
    mwork("sets", "pull", f"hub:{NAME}", "--out", tmp_path / "pulled")
    pulled = mw.read_results(tmp_path / "pulled" / "results" / "matrix")
    assert pulled.results.tables == mw.read_results(given[1]).results.tables


def test_the_deltas_of_an_enhancement_are_pushed_and_used_by_their_names(hub_server: HubServer, tmp_path: Path) -> None:
    model = make_model("llama")
    neurons = neurons_of(Layout.of(model), fingerprint=fingerprint_of(model), language="zh")
    texts = [" ".join(f"w{(n * 7 + k * 3) % 50}" for k in range(30)) for n in range(HELD_OUT + 4)]
    mw.enhance(
        model,
        make_tokenizer(),
        neurons,
        texts,
        documents=4,
        trained_controls=0,
        out=tmp_path / "trained",
        progress=False,
    )
    found = mw.push(tmp_path / "trained", repo=NAME, progress=False)
    (path,) = [path for path in found.files if path.startswith("deltas/")]
    assert path == "deltas/zh-specific-seed0-4.safetensors"
    assert "results/trained/enhancement.json" in found.files
    assert f"delta=hub:{NAME}/zh-specific-seed0-4 --tasks bpb_zh" in found.card.replace(" \\\n    ", " ")
    assert "| `zh-specific-seed0-4` | zh | specific | 4 |" in found.card
    (local,) = (tmp_path / "trained").rglob("*.safetensors")
    assert hub_server.repositories[NAME].files()[path] == local.read_bytes()


def test_what_this_push_lacks_is_deleted_and_said(hub_server: HubServer, given: tuple[Path, Path]) -> None:
    mw.push(given, repo=NAME, progress=False)
    told = mwork("push", given[0] / "zh.safetensors", "--repo", NAME).stderr
    assert "deleted, for this push has no such files:" in told
    there = hub_server.repositories[NAME].files()
    assert [path for path in there if path.startswith(("neurons/", "results/"))] == ["neurons/zh.safetensors"]


def test_a_licence_is_asked_from_the_base_model_and_one_that_is_given_wins(
    hub_server: HubServer, given: tuple[Path, Path]
) -> None:
    def license_of(card: str) -> Any:
        return yaml.safe_load(card.split("---\n", 2)[1]).get("license")

    assert license_of(mw.push(given, repo=NAME, progress=False).card) is None, "there is no such model"
    hub_server.repository("org/tiny").commit({"README.md": b"---\nlicense: apache-2.0\n---\n# Tiny\n"})
    assert license_of(mw.push(given, repo=NAME, license="mit", progress=False).card) == "mit"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "zh.safetensors").write_bytes(b"x"), "cannot be published"),
        (lambda folder: write_sets(folder / "scores"), "is of another kind"),
        (lambda folder: write_sets(folder, fingerprint="e"), "a repository is of one model's weights"),
        (lambda folder: write_sets(folder, note="hf_" + "aB3" * 12), "holds an access token"),
    ],
)
def test_what_cannot_be_published_is_refused_before_anything_is_sent(
    hub_server: HubServer, given: tuple[Path, Path], damage: Callable[[Path], Any], message: str
) -> None:
    damage(given[0])
    single = given[0] / "zh.safetensors"
    output = mwork("push", single if "published" in message else given[0], given[1], "--repo", NAME, code=2).output
    assert message in output
    assert "Traceback" not in output
    assert NAME not in hub_server.repositories


def test_paths_of_this_machine_become_their_last_parts_unless_asked_for(
    hub_server: HubServer, given: tuple[Path, Path]
) -> None:
    write_sets(given[0], model="/secret/place/tiny", fingerprint="f")
    told = mwork("push", given[0], "--repo", NAME, "--base-model", "org/tiny").stderr
    assert "paths of this machine are published as their last parts, in 2 files: /secret/place/tiny as tiny" in told
    there = hub_server.repositories[NAME].files()
    assert not [path for path, content in there.items() if b"secret" in content]
    mwork("push", given[0], "--repo", NAME, "--base-model", "org/tiny", "--with-paths")
    there = hub_server.repositories[NAME].files()
    named = [path for path, content in there.items() if b"secret" in content]
    assert named == ["neurons/es.safetensors", "neurons/zh.safetensors"], "and not the card"


def test_without_a_token_or_a_way_nothing_is_read(
    hub_server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = tmp_path / "nothing"
    with monkeypatch.context() as offline:
        offline.setattr(constants, "HF_HUB_OFFLINE", True)
        assert "HF_HUB_OFFLINE=1" in mwork("push", nothing, "--repo", NAME, code=2).output
    monkeypatch.delenv("HF_TOKEN")
    output = mwork("push", nothing, "--repo", NAME, code=2).output
    assert "no token" in output
    assert "no such file" not in output
    assert TOKEN not in output


def test_a_repository_of_others_is_left_alone_unless_forced(hub_server: HubServer, given: tuple[Path, Path]) -> None:
    hub_server.repository(NAME).commit({"README.md": b"mine", "model.bin": b"weights"})
    assert "--force" in mwork("push", given[0], "--repo", NAME, code=2).output
    mwork("push", given[0], "--repo", NAME, "--force")
    there = hub_server.repositories[NAME].files()
    assert there["model.bin"] == b"weights"
    assert there["README.md"] != b"mine"


def test_the_name_of_a_repository_is_looked_at_first(hub_server: HubServer) -> None:
    for name in ("tiny", "user/tiny/neurons", "user/.."):
        assert "expected USER/NAME" in mwork("push", "nothing", "--repo", name, "--dry-run", code=2).output
    assert json.dumps(hub_server.requests) == "[]"
