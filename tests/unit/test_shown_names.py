"""Names and folders on a leaderboard: nothing of the machine that results are from, and no two models become one."""

import json

import pytest
from click.testing import CliRunner
from helpers.gate_folders import answers, make_lm_eval
from helpers.leaderboard_folders import make_results_file
from helpers.registered_scores import make_gsm8k_file
from helpers.report_folders import make_folder

from mwork_eval.cli.main import main
from mwork_eval.leaderboard.board import build_board
from mwork_eval.results.lm_eval_content import MaskRecord
from mwork_eval.results.summaries.folders import find_results, read_all
from mwork_eval.results.summaries.lm_eval_file import describe_mask
from mwork_eval.results.summaries.shown_names import shown_folder, shown_name, shown_roots, without_folders


def models_of(*folders):
    results, _ = read_all(find_results(folders))
    return [model.name for model in build_board(results, given=folders).models]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("google/gemma-3-270m", "google/gemma-3-270m"),
        ("gpt2", "gpt2"),
        ("/home/someone/models/tiny", "tiny"),
        ("/home/someone/models/tiny/", "tiny"),
        ("./out/tiny", "tiny"),
        ("../tiny", "tiny"),
        ("~/models/tiny", "tiny"),
        (r"C:\Users\someone\tiny", "tiny"),
        ("C:/Users/someone/tiny", "tiny"),
        (r"models\tiny", "tiny"),
        ("file:///home/someone/tiny", "tiny"),
        ("s3://someones-bucket/models/tiny/", "tiny"),
        ("hub:org/sets@main/zh", "hub:org/sets@main/zh"),
        ("=HYPERLINK(1)", "=HYPERLINK(1)"),
        ("x" * 5000, "x" * 5000),
        ("a\0b", "a\0b"),
    ],
)
def test_a_path_is_shown_as_its_last_part_and_a_name_as_it_is(name, shown):
    assert shown_name(name) == shown


def test_a_folder_that_is_there_is_a_path(tmp_path, monkeypatch):
    (tmp_path / "org" / "tiny").mkdir(parents=True)
    assert shown_name("org/tiny") == "org/tiny"
    monkeypatch.chdir(tmp_path)
    assert shown_name("org/tiny") == "tiny"


def test_folders_and_messages_begin_where_was_looked(tmp_path):
    given = [tmp_path / "runs", tmp_path / "runs" / "inner"]
    for one in given:
        one.mkdir()
    roots = shown_roots(given)
    assert shown_folder(tmp_path / "runs" / "a" / "b", roots).as_posix() == "runs/a/b"
    assert shown_folder(tmp_path / "runs" / "inner" / "b", roots).as_posix() == "inner/b"
    assert shown_folder(tmp_path / "elsewhere" / "b", roots).as_posix() == "b"
    assert without_folders(f"{tmp_path}/runs/a is damaged", given) == "runs/a is damaged"


def test_folders_of_one_last_part_are_numbered(tmp_path):
    for one in "abb":
        make_results_file(tmp_path / one / "runs" / "x", {"xquad_en": 0.5}, model="tiny")
    given = [tmp_path / "a" / "runs", tmp_path / "b" / "runs", tmp_path / "b" / ".." / "b" / "runs"]
    results, _ = read_all(find_results(given[:2]))
    scores = build_board(results, given=given).models[0].scores
    assert sorted(score.folder.as_posix() for score, _ in scores) == ["runs (2)/x", "runs/x"]
    assert set(shown_roots(given).values()) == {"runs", "runs (2)"}
    assert without_folders(f"{given[1]}/x is damaged", given) == "runs (2)/x is damaged"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("__home__someone__models__tiny", "tiny"),
        ("~__models__tiny", "tiny"),
        ("..__tiny", "tiny"),
        ("C__Users__someone__tiny", "tiny"),
        ("__home__someone__tiny__masked-zh-c34d1fd5", "tiny__masked-zh-c34d1fd5"),
        ("google__gemma-3-270m", "google__gemma-3-270m"),
        ("c__tiny", "c__tiny"),
        ("tiny__masked-zh-c34d1fd5", "tiny__masked-zh-c34d1fd5"),
        ("a_b", "a_b"),
        ("__", "__"),
    ],
)
def test_a_folder_that_lm_eval_named_after_a_path_shows_its_last_part(tmp_path, name, shown):
    (tmp_path / "in").mkdir()
    assert shown_folder(tmp_path / "in" / name / "b", shown_roots([tmp_path / "in"])).as_posix() == f"in/{shown}/b"
    message = f"{tmp_path}/in/{name}/results_1.json is damaged; found __x"
    assert without_folders(message, [tmp_path / "in"]) == f"in/{shown}/results_1.json is damaged; found __x"


def test_a_name_of_which_nothing_can_be_seen_is_none(tmp_path):
    for number, name in enumerate(("  ", "\u200b\t", "a b")):
        make_results_file(tmp_path / str(number), {"xquad_en": 0.5}, model=name)
    assert models_of(tmp_path) == ["a b", "unnamed model"]


def test_what_was_deactivated_names_no_folder():
    masked = {"neurons": "/home/someone/sets/zh.safetensors", "total": 15, "digest": "0123456789"}
    assert describe_mask(MaskRecord(**masked)) == "15 neurons of zh [01234567]"
    scaled = masked | {"intervention": "scale:0.5"}
    assert describe_mask(MaskRecord(**scaled)) == "scale:0.5 of 15 neurons of zh [01234567]"


def test_two_paths_of_one_last_part_stay_two_models(tmp_path):
    make_results_file(tmp_path / "a", {"xquad_en": 0.5}, model="/one/tiny")
    make_results_file(tmp_path / "b", {"xquad_en": 0.25}, model="/two/tiny")
    make_results_file(tmp_path / "c", {"xquad_en": 0.125}, model="org/tiny")
    assert models_of(tmp_path) == ["org/tiny", "tiny", "tiny (2)"]


def test_weights_keep_paths_of_one_last_part_apart(tmp_path):
    for name, fingerprint in (("one", "f"), ("two", "g")):
        folder = make_folder(tmp_path / name, model=f"/{name}/tiny")
        manifest = folder / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"fingerprint": "f"', f'"fingerprint": "{fingerprint}"'))
    # Of the first path, so of its weights; and of a third, of which nothing is known.
    make_results_file(tmp_path / "plain", {"xquad_en": 0.5}, model="/one/tiny", hashes={"xquad_en": "xquad en 24"})
    make_results_file(tmp_path / "third", {"xquad_en": 0.5}, model="/three/tiny")
    results, _ = read_all(find_results([tmp_path]))
    board = build_board(results, given=[tmp_path])
    assert [model.name for model in board.models] == ["tiny", "tiny (2)"]
    weights = {str(score.folder).split("/")[-1]: score.contender.fingerprint for score, _ in board.models[0].scores}
    assert weights == {"one": "f", "two": "g", "plain": "f"}


def test_no_file_of_a_site_names_a_folder_of_this_machine(tmp_path):
    inside = tmp_path / "in"
    make_folder(inside / "o", model=str(tmp_path / "models" / "tiny"))
    make_lm_eval(inside / "p", {"xquad_zh": answers(24, 9)}, model="plain")
    masked = {"neurons": f"{tmp_path}/sets/zh.safetensors", "total": 9, "digest": "ab" * 32}
    make_results_file(inside / "m", {"xquad_zh": 0.5}, model=f"{tmp_path}/models/tiny", masked=masked)
    make_gsm8k_file(inside / "g", 0.5)
    make_results_file(inside / "__home__someone__tiny", {"xquad_zh": 0.25}, model="/home/someone/tiny")
    damaged = inside / "d" / "__home__someone__other"
    damaged.mkdir(parents=True)
    (damaged / "results_1.json").write_text(json.dumps({"results": 3}))
    site = tmp_path / "site"
    arguments = ["leaderboard", inside, "--out", site, "--export", "model-index", "--export", "eval-results"]
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    index = (site / "index.html").read_text()
    assert "in/d/other/results_1.json is damaged" in index
    for path in site.rglob("*"):
        if path.is_file():
            assert str(tmp_path).encode() not in path.read_bytes(), path
            assert b"someone" not in path.read_bytes(), path
            assert b"models/tiny" not in path.read_bytes().replace(b"models/tiny-", b"")
