"""What is published of files that name folders of the writer's, or hold a token."""

import json
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from helpers.leaderboard_folders import make_results_file
from helpers.published import ABOUT, write_matrix, write_sets
from helpers.report_folders import HOSTILE, make_folder

from mwork_eval.application.report import write_reports
from mwork_eval.errors import InputError
from mwork_eval.neurons.files import load_neuron_set
from mwork_eval.publishing.contents import read_contents
from mwork_eval.publishing.privacy import check_nothing_private, find_paths, last_of, paths_in, without_paths
from mwork_eval.publishing.recognition import recognise
from mwork_eval.results.store import MANIFEST, CellStore, load_manifest
from mwork_eval.results.summaries.lm_eval_file import read_results_file
from mwork_eval.results.tables import read_results


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("/srv/models/tiny", ["/srv/models/tiny"]),
        ("pretrained=/srv/models/tiny,dtype=float32", ["/srv/models/tiny"]),
        ("ja=/srv/ja.txt", ["/srv/ja.txt"]),
        ("~/models/tiny", ["~/models/tiny"]),
        ("C:\\models\\tiny", ["C:\\models\\tiny"]),
        ("__srv__models__tiny", ["__srv__models__tiny"]),
        ("/home/me/My Models (new)/tiny", ["/home/me/My Models (new)/tiny"]),
        ("data=/home/me/données/x.txt", ["/home/me/données/x.txt"]),
        ("neurons=/home/Max Muster/sets/zh,dtype=float32", ["/home/Max Muster/sets/zh"]),
        ("/home/o'brien/lr=0.1/tiny", ["/home/o'brien/lr=0.1/tiny"]),
        ("\\\\server\\share\\tiny", ["\\\\server\\share\\tiny"]),
        ("pretrained=//server/share/tiny", ["//server/share/tiny"]),
        ("file:///srv/models/tiny", ["file:///srv/models/tiny"]),
        ("../../acme/tiny", ["../../acme/tiny"]),
        ("/opt/acme/tiny", ["/opt/acme/tiny"]),
        ("__srv__A & B (%)__tiny", ["__srv__A & B (%)__tiny"]),
        ("C__Users__me__tiny", ["C__Users__me__tiny"]),
        ("__a" * 40 + "/", []),
        ("s3://bucket/of/all", []),
        ("org/tiny", []),
        ("runs/zh", []),
        ("https://huggingface.co/org/tiny", []),
        ("hub:org/tiny@main/zh", []),
        ("/usr/lib/x86_64-linux-gnu/libc.so", []),
        ("What is 3 / 4 of it?", []),
        ("Answer: and/or", []),
        ("__init__", []),
    ],
)
def test_paths_are_told_from_names(text: str, paths: list[str]) -> None:
    assert paths_in(text) == paths


def test_a_path_is_published_as_its_last_part() -> None:
    assert [last_of(path) for path in ("/a/b", "C:\\a\\b", "__a__b", "~/x/b")] == ["b"] * 4
    assert last_of("__a__b__masked-zh-01") == "b__masked-zh-01"


ODD = "secret_place & 'Müxxer' 50% [x] ~ #1"
"""Each sign of it is written otherwise by some format."""


def test_no_report_of_results_names_where_they_lay(tmp_path: Path) -> None:
    """Whatever format wrote a path, with whatever signs in it; not in the names of files either."""
    home = tmp_path / ODD
    folder = make_folder(home / "o", model=str(home / "tiny"), text="/secret/of a text")
    write_reports(folder, formats=("md", "html", "tex", "csv", "json", "lm-eval"), figures=True)
    (folder / "report.json").unlink()  # it would tell all others where they lay
    elsewhere = home.rename(tmp_path / "elsewhere") / "o"
    contents = read_contents(recognise(elsewhere), advance=lambda name, amount: None)
    paths = find_paths(contents.files.values())
    kinds = set()
    for name, file in contents.files.items():
        content = without_paths(file, paths) or file.read_bytes()
        kinds.add(file.suffix)
        assert "Müxxer" not in name
        assert "place" not in name
        for told in (b"secret_", "Müxxer".encode(), b"xxer", b"/tmp"):
            assert told not in content, name
    assert kinds == {".md", ".html", ".tex", ".csv", ".json", ".jsonl", ".safetensors", ".svg", ".png"}


def test_a_set_keeps_its_neurons_and_loses_its_paths(tmp_path: Path) -> None:
    corpus = {**ABOUT["corpus"], "name": "/secret/place/zh.txt"}
    folder = write_sets(tmp_path / "sets", model="/secret/place/tiny", corpus=corpus)
    files = sorted(folder.glob("*.safetensors"))
    paths = find_paths(files)
    assert paths == ["/secret/place/zh.txt", "/secret/place/tiny"]
    for file in files:
        content = without_paths(file, paths)
        assert content is not None
        assert b"secret" not in content
        (tmp_path / file.name).write_bytes(content)
        before, after = load_neuron_set(file), load_neuron_set(tmp_path / file.name)
        assert before == after
        assert (after.about["model"], after.about["corpus"]["name"]) == ("tiny", "zh.txt")
        assert {**after.about, "model": 0, "corpus": 0} == {**before.about, "model": 0, "corpus": 0}


def test_results_without_paths_are_read_as_before(tmp_path: Path) -> None:
    folder = write_matrix(tmp_path / "o", text=HOSTILE)
    manifest = load_manifest(folder)
    manifest.model_copy(update={"model": "/secret/place/tiny", "data": "/secret/place"}).save(folder / MANIFEST)
    files = sorted(path for path in folder.rglob("*.json*"))
    paths = find_paths(files)
    assert paths == ["/secret/place/tiny", "/secret/place"]
    before = read_results(folder)
    for file in files:
        if (content := without_paths(file, paths)) is not None:
            file.write_bytes(content)
    after = read_results(folder)
    assert (after.manifest.model, after.manifest.data) == ("tiny", "place")
    assert b"secret" not in (folder / MANIFEST).read_bytes()
    assert after.tables == before.tables
    for identity in after.scores:
        assert list(CellStore(folder).samples(identity))


def test_the_head_of_a_cell_gets_a_new_digest_and_its_samples_stay(tmp_path: Path) -> None:
    folder = write_matrix(tmp_path / "o")
    store = CellStore(folder)
    cell, score = store.read("0"), store.load("0")
    assert cell is not None
    assert score is not None
    samples = [dict(sample) for sample in store.samples("0")]
    samples[0]["arguments"] = [["Where is /secret/place/of/all?", {}]]
    about = {"task_hash": "x", "task": {"config": {"metadata": {"config_source": "/secret/tasks/a.yaml"}}}}
    store.save("0", score, about, samples)
    (path,) = [file for file in (folder / "cells").iterdir() if file.stem == "0"]
    assert find_paths([path]) == ["/secret/tasks/a.yaml"], "samples are texts, in which nothing is replaced"
    content = without_paths(path, ["/secret/tasks/a.yaml", "/secret/place/of/all"])
    assert content is not None
    assert content.partition(b"\n")[2] == path.read_bytes().partition(b"\n")[2]
    path.write_bytes(content)
    assert store.load("0") == score
    assert list(store.samples("0")) == samples


def test_results_of_lm_eval_lose_the_paths_of_their_model(tmp_path: Path) -> None:
    file = make_results_file(tmp_path, {"xquad_zh": 0.5}, model="/secret/place/tiny", data="/secret/data")
    content = json.loads(file.read_text())
    content["config"]["model_args"] = "pretrained=/secret/place/tiny,dtype=auto"
    content["model_name_sanitized"] = "__secret__place__tiny"
    file.write_text(json.dumps(content))
    changed = without_paths(file, find_paths([file]))
    assert changed is not None
    assert b"secret" not in changed
    file.write_bytes(changed)
    assert json.loads(changed)["config"]["model_args"] == "pretrained=tiny,dtype=auto"
    (score,) = read_results_file(file).scores
    assert (score.contender.model, score.value) == ("tiny", 50.0)


def test_a_file_without_paths_is_published_as_it_is(tmp_path: Path) -> None:
    folder = write_matrix(tmp_path / "o")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert find_paths(files) == []
    assert [without_paths(file, ["/secret/place"]) for file in files] == [None] * len(files)


def test_a_token_is_refused_and_not_shown(tmp_path: Path) -> None:
    token = "hf_" + "aB3" * 12
    file = tmp_path / "samples_x.jsonl"
    file.write_text(json.dumps({"doc": f"my token is {token}"}))
    with pytest.raises(InputError, match=r"results/a\.jsonl holds an access token") as refused:
        check_nothing_private({"results/a.jsonl": file}, with_home=True)
    assert token not in str(refused.value)
    sets = write_sets(tmp_path / "sets", note=token)
    with pytest.raises(InputError, match="holds an access token"):
        check_nothing_private({"neurons/zh.safetensors": sets / "zh.safetensors"}, with_home=True)
    check_nothing_private({"README.md": b"hf_hub and hf_short"}, with_home=True)


def test_the_own_folder_in_a_text_is_refused_unless_it_may_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    file = tmp_path / "samples_x.jsonl"
    file.write_text(json.dumps({"doc": "read /home/somebody/notes.txt"}))
    with pytest.raises(InputError, match=r"names your own folder.*`with_paths=True`"):
        check_nothing_private({"results/a.jsonl": file}, with_home=False)
    check_nothing_private({"results/a.jsonl": file}, with_home=True)
    check_nothing_private({"results/a.jsonl": b"/home/somebodyelse/notes"}, with_home=False)


@pytest.mark.parametrize(
    ("home", "text"),
    [
        ("/home/some_body", "__home__some_body__tiny"),
        ("/home/some_body", "/home/some\\_body/tiny"),
        ("/home/some_body", "/home/some_body/Ünterlagen"),
        ("/home/a&b", "<bdi>/home/a&amp;b/tiny</bdi>"),
        ("C:\\Users\\me", "C:\\\\Users\\\\me\\\\tiny"),
    ],
)
def test_the_own_folder_is_found_however_it_is_written(home: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: PureWindowsPath(home) if "\\" in home else PurePosixPath(home))
    with pytest.raises(InputError, match="names your own folder"):
        check_nothing_private({"results/a.tex": text.encode()}, with_home=False)


def test_the_own_token_is_refused_whatever_it_looks_like(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "of-another-hub-12345")
    with pytest.raises(InputError, match="holds an access token") as refused:
        check_nothing_private({"results/a.json": b'{"token": "of-another-hub-12345"}'}, with_home=True)
    assert "12345" not in str(refused.value)
