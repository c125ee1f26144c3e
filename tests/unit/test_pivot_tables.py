"""Tables that compare with another language than English: the same arithmetic, under the pivot's names everywhere."""

import csv
import io
import json
import re
from dataclasses import asdict
from importlib.resources import files

import jsonschema
import pytest
from helpers.commands import mwork
from helpers.pivot_folders import swapped, with_pivot
from helpers.report_folders import make_folder
from helpers.square_folders import make_square_folder
from helpers.task_scores import accuracy

from mwork_eval.application.matrix_results import MatrixResults
from mwork_eval.errors import InputError
from mwork_eval.languages.pivot import Pivot
from mwork_eval.reports import wording
from mwork_eval.reports.dose_wording import columns as dose_columns
from mwork_eval.reports.formats.csv import as_csv
from mwork_eval.reports.formats.json import as_json
from mwork_eval.reports.formats.latex import as_latex
from mwork_eval.reports.formats.markdown import as_markdown
from mwork_eval.reports.html.page import as_html
from mwork_eval.reports.legend import legend, legends
from mwork_eval.reports.summary import finding
from mwork_eval.results.deltas import DeltaCalculator
from mwork_eval.results.doses import read_doses
from mwork_eval.results.set_draws import read_set_draws
from mwork_eval.results.squares import read_squares
from mwork_eval.results.tables import read_results

_ENGLISH = re.compile(r"∆Eng|n-Eng|\bEng\b|delta_eng|non_eng|English")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A folder with English, and the same with Chinese in its place."""
    source = make_folder(tmp_path_factory.mktemp("english") / "o")
    return read_results(source), read_results(with_pivot(source, tmp_path_factory.mktemp("pivot") / "o"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The same with squares, dose curves and drawn sets."""
    source = make_square_folder(tmp_path_factory.mktemp("english") / "o", draws=3)
    return read_results(source), read_results(with_pivot(source, tmp_path_factory.mktemp("pivot") / "o"))


def test_names_by_hand():
    english, chinese, written = Pivot(), Pivot("zh"), Pivot("zh-Hant")
    assert (english.score, english.others, english.delta, english.delta_others) == ("Eng", "n-Eng", "∆Eng", "∆n-Eng")
    assert (chinese.score, chinese.others, chinese.delta, chinese.delta_others) == ("zh", "n-zh", "∆zh", "∆n-zh")
    assert (english.name, english.role, chinese.name, chinese.role) == ("English", "english", "Chinese", "pivot")
    same = ["eng", "non_eng", "delta_eng", "delta_non_eng"]
    assert list(english.keys.items()) == list(zip(same, same, strict=True))
    assert list(chinese.keys.values()) == ["zh", "non_zh", "delta_zh", "delta_non_zh"]
    assert written.keys["delta_non_eng"] == "delta_non_zh-Hant"
    assert written.delta == "∆zh-Hant"


def test_the_pivots_change_is_compared_with_the_others():
    baseline = {"en": accuracy(1, 1, 1, 0), "zh": accuracy(1, 1, 0, 0), "es": accuracy(1, 1, 1, 1)}
    found = DeltaCalculator(baseline, "zh").delta(
        {
            "en": [(accuracy(0, 0, 1, 0), accuracy(1, 0, 0, 0))],  # en 75 -> 25, zh 50 -> 25
            "es": [(accuracy(1, 1, 1, 0), accuracy(1, 1, 1, 0))],  # es 100 -> 75, zh 50 -> 75
        }
    )
    assert found.delta_eng.value == pytest.approx((-25 + 25) / 2)  # ∆zh
    assert found.delta_non_eng.value == pytest.approx((-50 - 25) / 2)  # ∆n-zh
    assert found.delta.value == pytest.approx(37.5)
    assert (found.eng, found.non_eng) == (50, 50)
    assert found.by_language["en"].english.difference == pytest.approx(-25)
    assert list(found.documents) == ["zh", "en", "es"]


def test_a_pivot_gives_what_english_gives_with_their_roles_swapped(both):
    english, chinese = both
    assert chinese.manifest.pivot == chinese.tables[0].pivot == "zh"
    (table,), (other,) = english.tables, chinese.tables
    assert other.languages == ("en", "es")
    assert list(other.baseline) == ["zh", "en", "es"]
    assert swapped(json.loads(json.dumps(asdict(other) | {"pivot": "en"}))) == json.loads(json.dumps(asdict(table))) | {
        "pivot": "zh"
    }


def test_squares_doses_and_draws_have_the_pivot_too(whole):
    for read in (read_squares, read_doses, read_set_draws):
        (english,), (chinese,) = (list(read(results)) for results in whole)
        same = [json.loads(json.dumps(asdict(one) | {"pivot": ""})) for one in (english, chinese)]
        assert swapped(same[1]) == same[0]
    (dose,) = read_doses(whole[1])
    heads = ("mask", "neurons", "own", "Chinese", "∆", "own, random", "Chinese, random", "∆, random")
    assert dose_columns(dose) == heads
    (draws,) = read_set_draws(whole[1])
    assert draws.pivot == "zh"


def test_every_format_says_the_pivot(both, whole):
    for results in (both[1], whole[1]):
        for text in (as_markdown(results), as_html(results), as_latex(results).replace(r"$\Delta$", "∆")):
            assert "∆zh" in text
            assert "∆n-zh" in text
            assert "Chinese" in text
            # English is one of the languages whose neurons are deactivated.
            assert _ENGLISH.findall(re.sub(r"English(?=,? (and )?Spanish)", "", text)) == []
    heads = ("setting", "under", "s-attn", "s-ffn", "gen", "zh", "n-zh", "∆zh", "∆n-zh", "∆", "95% of ∆", "p or draws")
    assert wording.brief_columns(Pivot("zh")) == heads
    assert "zh masked | zh change | zh % change" in as_markdown(both[1])
    assert "mean over languages of (score under its own mask - baseline); ∆zh: the same for Chinese" in legend(
        Pivot("zh")
    )


def test_sentences_say_the_pivots_name(both):
    english, chinese = (finding(results.tables[0]) for results in both)
    assert chinese.count("Chinese") == 2
    assert "Chinese stayed the same" in chinese
    assert "and English and Spanish got worse by" in chinese
    assert "Chinese fared better than they did: ∆ = +" in chinese
    assert "English stayed the same" in english


def test_a_report_of_both_has_both_legends_and_one_of_either(both):
    together = as_markdown(*both)
    assert together.count("∆Eng: the same for English") == together.count("∆zh: the same for Chinese") == 1
    assert legends(both) == f"{legend(Pivot())} {legend(Pivot('zh'))}"
    assert legends([both[0], both[0]]) == legend(Pivot())


def test_json_has_the_pivots_keys_and_follows_its_schema(both, whole):
    schema = json.loads(files("mwork_eval.reports").joinpath("report.schema.json").read_text(encoding="utf-8"))
    for english, chinese in (both, whole):
        one, other = (json.loads(as_json(results)) for results in (english, chinese))
        assert (one["pivot"], other["pivot"]) == ("en", "zh")
        for content in (one, other):
            jsonschema.validate(content, schema)
        before, after = (content["tables"][0]["rows"][1]["delta"] for content in (one, other))
        assert set(before) ^ set(after) == {
            *("eng", "non_eng", "delta_eng", "delta_non_eng"),
            *("zh", "non_zh", "delta_zh", "delta_non_zh"),
        }
        assert after["delta_zh"] == before["delta_eng"]
        assert after["non_zh"] == before["non_eng"]
        assert after["by_language"]["en"]["pivot"] == before["by_language"]["zh"]["english"]
        assert "pivot" not in one["tables"][0]
    point = json.loads(as_json(whole[1]))["doses"][0]["points"][0]
    assert set(point) == {"language", "count", "own", "pivot", "delta", "control"}
    assert set(point["control"]) == {"own", "pivot", "delta", "draws"}
    wrong = json.loads(as_json(both[1]))
    wrong["tables"][0]["rows"][1]["delta"]["delta_zh!"] = wrong["tables"][0]["rows"][1]["delta"].pop("delta_zh")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema)


def test_csv_has_the_pivots_quantities(both, whole):
    def numbers(results):
        return [(row["quantity"], row["setting"], row["value"]) for row in csv.DictReader(io.StringIO(as_csv(results)))]

    for english, chinese in (both, whole):
        before, after = numbers(english), numbers(chinese)
        names = {"eng": "zh", "non_eng": "non_zh", "delta_eng": "delta_zh", "delta_non_eng": "delta_non_zh"}
        names |= {"dose_english": "dose_pivot", "dose_english_range": "dose_pivot_range"}
        assert [(names.get(quantity, quantity), *rest) for quantity, *rest in before] == after
    changes = [row for row in csv.DictReader(io.StringIO(as_csv(both[1]))) if row["quantity"] == "change"]
    assert {row["language"] for row in changes if row["mask_language"] == "en"} == {"en", "zh"}


def test_a_table_in_a_notebook_and_on_the_terminal(both):
    shown = MatrixResults(both[1].folder, has_tables=True)
    for text in (repr(shown.table()), shown.table()._repr_html_(), shown._repr_html_()):
        assert "∆zh" in text
        assert _ENGLISH.findall(text) == []
    text = mwork("report", both[1].folder, "--formats", "terminal")
    assert "∆n-zh" in text
    assert _ENGLISH.findall(text) == []


def test_figures_name_the_pivot(both, whole, tmp_path):
    pytest.importorskip("matplotlib")
    changes = MatrixResults(both[1].folder, has_tables=True).figure("changes")
    assert "Chinese under the same mask" in [text.get_text() for text in changes.legends[0].get_texts()]
    dose = MatrixResults(whole[1].folder, has_tables=True).figure("dose")
    labels = [text.get_text() for text in dose.legends[0].get_texts()]
    assert labels[:2] == ["the mask's language", "Chinese under the same mask"]
    assert "∆ = Chinese - the mask's language" in labels


def test_a_folder_without_scores_of_its_pivot_is_refused(tmp_path):
    folder = make_folder(tmp_path / "o")
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(manifest | {"pivot": "de"}), encoding="utf-8")
    with pytest.raises(InputError, match="no ∆ without German; found unmasked cells of en zh es; expected de among"):
        read_results(folder)
