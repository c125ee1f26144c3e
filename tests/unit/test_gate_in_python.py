"""`check`, `write_baseline`, `calibrate` and `leaderboard` from Python: values out, nothing written unless asked."""

import json

import pytest
from helpers.gate_folders import make_results
from helpers.leaderboard_folders import make_results_file

from mwork_eval.application.check import calibrate, check, write_baseline
from mwork_eval.application.leaderboard import leaderboard
from mwork_eval.application.progress import Silent
from mwork_eval.errors import InputError
from mwork_eval.gate.limits import Limits, read_limits

HALF = [1.0, 0.0] * 20
WORSE = [1.0, 0.0, 0.0, 0.0] * 10


@pytest.fixture
def folders(tmp_path):
    old = make_results(tmp_path / "old", {("xquad", "en"): HALF, ("xquad", "zh"): HALF}, model="<b>tiny</b>")
    new = make_results(tmp_path / "new", {("xquad", "en"): HALF, ("xquad", "zh"): WORSE}, model="<b>tiny</b>")
    return new, old


def test_a_check_is_a_value_and_writes_only_when_asked(folders, tmp_path):
    new, old = folders
    before = sorted(tmp_path.rglob("*"))
    found = check(new, old)
    assert sorted(tmp_path.rglob("*")) == before
    assert (found.exit_code, found.passed) == (1, False)
    assert repr(found) == "<CheckResults: 1 regression>"
    page = found._repr_html_()
    assert "xquad_zh: dropped by 25.0 points" in page
    assert page.count("<table>") == 1
    written = found.write(tmp_path / "check")
    assert [path.name for path in written] == ["check.md", "check.json", "junit.xml"]
    assert json.loads(written[1].read_text())["result"] == "regression"
    assert check(str(old), str(old), strict=True).passed


def test_pandas_takes_a_check(folders):
    pytest.importorskip("pandas")
    frame = check(*folders).to_pandas()
    assert frame.set_index("task").change.to_dict() == {"xquad_en": 0.0, "xquad_zh": -25.0}
    assert list(frame.verdict) == ["pass", "regression"]


def test_limits_are_a_value_or_a_file(folders, tmp_path):
    (tmp_path / "limits.yaml").write_text("max_drop: 30\n")
    assert check(*folders, limits=tmp_path / "limits.yaml").passed
    assert check(*folders, limits=Limits(overall={"max_drop": 30.0})).passed
    with pytest.raises(InputError, match="cannot read"):
        check(*folders, limits=tmp_path / "missing.yaml")


def test_a_baseline_stands_for_its_folder_and_noise_becomes_limits(folders, tmp_path):
    new, old = folders
    write_baseline(old, tmp_path / "baseline")
    assert check(new, tmp_path / "baseline").exit_code == 1
    noise = calibrate(folders, out=tmp_path / "limits.yaml")
    assert max(task.largest for task in noise.tasks) == 25.0
    assert read_limits(tmp_path / "limits.yaml").per["xquad_zh"]["max_drop"] >= 25.0


def test_a_leaderboard_is_a_value_and_a_site_when_asked(tmp_path):
    pytest.importorskip("pandas")
    make_results_file(tmp_path / "in" / "one", {"xquad_en": 0.25}, model="<b>tiny</b>")
    make_results_file(tmp_path / "in" / "two", {"xquad_en": 0.5}, model="other")
    found = leaderboard([tmp_path / "in"], progress=Silent())
    assert found.index is None
    assert repr(found) == "<LeaderboardResults: 2 models, 1 benchmark>"
    assert "<td>&lt;b&gt;tiny&lt;/b&gt;</td><td>25.0" in found._repr_html_()
    assert "<b>tiny" not in found._repr_html_()
    assert sorted(found.to_pandas().score) == [25.0, 50.0]
    site = leaderboard([tmp_path / "in"], out=tmp_path / "site", progress=Silent())
    assert site.index == tmp_path / "site" / "index.html"
    assert site.index.is_file()
