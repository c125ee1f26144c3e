"""The folder of a leaderboard's site: what is in it, and what becomes of an earlier one."""

import csv

from click.testing import CliRunner
from helpers.leaderboard_folders import make_results_file
from helpers.report_folders import make_folder

from mwork_eval.cli.main import main
from mwork_eval.leaderboard.board import slug_of


def mwork(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + str(result.exception)
    return result.output


def test_a_site_replaces_an_earlier_one_and_nothing_else(tmp_path):
    make_results_file(tmp_path / "in", {"xquad_en": 0.5}, model="first")
    mwork("leaderboard", tmp_path / "in", "--out", tmp_path / "site")
    make_results_file(tmp_path / "in", {"xquad_en": 0.5}, model="second")
    mwork("leaderboard", tmp_path / "in", "--out", tmp_path / "site")
    assert [path.name for path in (tmp_path / "site" / "models").iterdir()] == [slug_of("second")]
    assert "holds other files" in mwork("leaderboard", tmp_path / "in", "--out", tmp_path / "in", code=2)


def test_sets_that_cannot_be_read_are_told_and_the_others_shown(tmp_path):
    folder = make_folder(tmp_path / "in" / "o")
    (folder / "neurons" / "zh.safetensors").write_bytes(b"damaged")
    said = mwork("leaderboard", tmp_path / "in", "--out", tmp_path / "site")
    assert "left out: o/neurons/zh.safetensors cannot be read" in said
    assert "o/neurons/zh.safetensors cannot be read" in (tmp_path / "site" / "index.html").read_text()
    (page,) = (tmp_path / "site" / "models").glob("*/index.html")
    assert "The sets of zh were not found, or cannot be read." in page.read_text()
    numbers = list(csv.DictReader(page.with_name("neurons.csv").open()))
    assert {row["language"] for row in numbers} == {"es"}


def test_of_an_earlier_site_only_its_own_files_go(tmp_path):
    site = tmp_path / "site"
    make_folder(tmp_path / "in" / "o")
    mwork("leaderboard", tmp_path / "in", "--out", site)
    assert (site / "changes.csv").is_file()
    (site / ".git").mkdir()
    kept = [".nojekyll", "CNAME", ".git/.keep", ".gitignore"]
    for name in kept:
        (site / name).touch()
    left = [".index.html.0123abcd-99-abc_1", "tasks/.index.html.0123abcd-99-abc_1"]
    for name in left:  # by a command that was killed
        (site / name).touch()
    make_results_file(tmp_path / "plain", {"xquad_en": 0.5})
    mwork("leaderboard", tmp_path / "plain", "--out", site)
    assert all((site / name).is_file() for name in kept)
    assert not any((site / name).exists() for name in left)
    assert not (site / "changes.csv").exists()
    assert [path.name for path in (site / "models").iterdir()] == [slug_of("org/plain")]


def test_a_site_that_cannot_be_made_anew_stays_as_it_is(tmp_path):
    masked = {"neurons": "zh", "positions": "all", "total": 9, "digest": "ab" * 32}
    arguments = ["leaderboard", tmp_path / "in", "--out", tmp_path / "site", "--export", "model-index"]
    make_results_file(tmp_path / "in", {"xquad_en": 0.5}, model="first")
    mwork(*arguments)
    before = {path: path.read_bytes() for path in (tmp_path / "site").rglob("*") if path.is_file()}
    make_results_file(tmp_path / "in", {"xquad_en": 0.5}, model="second", masked=masked)
    mwork(*arguments, code=2)
    assert {path: path.read_bytes() for path in (tmp_path / "site").rglob("*") if path.is_file()} == before
    mwork(*arguments[:-2])
    assert not (tmp_path / "site" / "export").exists()
