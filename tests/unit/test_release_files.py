"""What a release is made of agrees with itself: version, citation, workflows, the page of the package index."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
import yaml

from mwork_eval.versions import __version__

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TEMPLATES = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
pytestmark = pytest.mark.skipif(not WORKFLOWS, reason="a copy without .github")


def module(name: str):
    found = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    loaded = importlib.util.module_from_spec(found)
    found.loader.exec_module(loaded)
    return loaded


def read(path: Path) -> dict:
    # YAML 1.1, which this reader knows, takes the key `on` for true.
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(path: Path) -> list[dict]:
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


def test_there_are_the_three_workflows():
    assert [path.stem for path in WORKFLOWS] == ["ci", "docs", "release"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_is_whole(path):
    content = read(path)
    assert content["name"]
    assert content[True]
    assert content["permissions"]  # else a token may do everything
    for job in content["jobs"].values():
        assert job["runs-on"]
        assert job["timeout-minutes"] <= 120
    for step in steps(path):
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|release/v\d+|[0-9a-f]{40})", step["uses"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_a_workflow_runs_is_there(path):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in (line for step in steps(path) for line in step.get("run", "").splitlines()):
        program, *arguments = shlex.split(line)
        if program == "make":
            assert re.search(rf"^{arguments[0]}: .*\$\(VENV\)/\.installed", makefile, re.MULTILINE), line
            for name in (argument.partition("=")[0] for argument in arguments[1:]):
                assert f"$({name})" in makefile, line
        elif program == "python" and arguments[0] != "-m":
            assert (ROOT / arguments[0]).is_file(), line
        else:
            assert program in ("python", "mwork", "git"), line


def test_markers_that_a_workflow_leaves_out_are_those_there_are():
    (line,) = (step["run"] for step in steps(ROOT / ".github/workflows/ci.yml") if "pytest" in step.get("run", ""))
    (names,) = (argument for argument in shlex.split(line) if argument.startswith("not "))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for name in names.removeprefix("not ").split(" and not "):
        assert re.search(rf'^  "{name}: ', project, re.MULTILINE)


def test_only_publishing_may_ask_for_an_identity():
    for path in WORKFLOWS:
        for name, job in read(path)["jobs"].items():
            asks = "id-token" in job.get("permissions", {})
            assert asks == (name == "publish")
    publish = read(ROOT / ".github/workflows/release.yml")["jobs"]["publish"]
    assert publish["environment"]
    assert publish["needs"] == "build"
    assert "password" not in str(publish)


@pytest.mark.parametrize("path", [path for path in TEMPLATES if path.stem != "config"], ids=lambda path: path.stem)
def test_a_form_is_one_that_the_host_takes(path):
    form = read(path)
    assert {"name", "description", "body"} <= set(form)
    ids = [part["id"] for part in form["body"]]
    assert len(set(ids)) == len(ids)
    for part in form["body"]:
        assert part["type"] in ("textarea", "input", "checkboxes")
        assert part["attributes"]["label"]


def test_the_citation_has_the_version_and_what_the_format_demands():
    citation = read(ROOT / "CITATION.cff")
    assert citation["version"] == __version__
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    (paper,) = citation["references"]
    assert paper["identifiers"][0]["value"] in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def released(tmp_path):
    files = {
        "mwork_eval/versions.py": '"""V."""\n\n__version__ = "1.2.3"\n',
        "CITATION.cff": "title: x\nversion: 1.2.3\n",
        "CHANGELOG.md": "# Changelog\n\n## 1.2.3 (2030-01-01)\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_tag_that_all_files_know_passes(released):
    assert module("release_version").faults("v1.2.3", released) == []


@pytest.mark.parametrize("tag", ["v1.2.4", "v1.2", "v1.2.30", "v1x2.3"])
def test_each_file_that_says_something_else_is_named(released, tag):
    found = "\n".join(module("release_version").faults(tag, released))
    for name in ("versions.py", "CITATION.cff", "CHANGELOG.md"):
        assert name in found


def test_an_unreleased_part_of_the_changelog_is_no_release(released):
    (released / "CHANGELOG.md").write_text("## 1.2.3 (unreleased)\n", encoding="utf-8")
    assert len(module("release_version").faults("v1.2.3", released)) == 1


LINKS = "![A [picture]](docs/a.png) and [words `x`](docs/a.md#b), [out](https://x.test/a), [here](#part)"


def test_links_lead_into_the_repository():
    text = module("long_description").standing_alone(LINKS, "https://x.test/o/n", "v1")
    assert "![A [picture]](https://x.test/o/n/raw/v1/docs/a.png)" in text
    assert "[words `x`](https://x.test/o/n/blob/v1/docs/a.md#b)" in text
    assert text.endswith("[out](https://x.test/a), [here](#part)")


def test_without_an_address_words_stay_and_pictures_go():
    text = module("long_description").standing_alone(LINKS, "", "v1")
    assert text == " and words `x`, [out](https://x.test/a), [here](#part)"


def test_no_link_of_the_readme_is_left_inside():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"\]\((?!\w+:|#)", readme)
    for address in ("", "https://x.test/o/n"):
        text = module("long_description").standing_alone(readme, address, "v1")
        assert not re.search(r"\]\((?!\w+:|#)", text)
        assert ("x.test" in text) == bool(address)
