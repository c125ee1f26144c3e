"""The report's files: CSV, LaTeX, JSON against its schema, and what the HTML page is made of."""

import csv
import io
import json
import math
import re
from html.parser import HTMLParser
from importlib.resources import files

import jsonschema
import pytest
from click.testing import CliRunner
from report_folders import HOSTILE, SHAPE, make_folder, make_set, sample
from test_reports import LS_ALL, R_ALL, save_matrix, two_documents

from mwork_eval.ablation.store import CellStore, load_manifest, save_manifest
from mwork_eval.cli.main import main
from mwork_eval.errors import InputError
from mwork_eval.harness.task_score import TaskScore
from mwork_eval.neurons import recorded_sets
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.reports import latex
from mwork_eval.reports.answers import read_answers
from mwork_eval.reports.as_csv import COLUMNS, as_csv
from mwork_eval.reports.as_json import as_json
from mwork_eval.reports.formats import parse_formats
from mwork_eval.reports.html.environment import embedded_json
from mwork_eval.reports.html.figures import change_bars
from mwork_eval.reports.html.page import as_html
from mwork_eval.reports.html.svg import Axis
from mwork_eval.reports.language_intervals import language_changes
from mwork_eval.reports.latex import as_latex
from mwork_eval.reports.results import read_results
from mwork_eval.reports.sample_text import answered, shorten
from mwork_eval.reports.set_counts import count_recorded
from mwork_eval.reports.summary import finding


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("results") / "o")


@pytest.fixture(scope="module")
def results(folder):
    return read_results(folder)


def mwork(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + str(result.exception)
    return result.output


# Formats and files


def test_only_the_formats_asked_for_are_written(folder, tmp_path):
    output = mwork("report", folder, "--formats", "tex,csv", "--out", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.tex", "report.csv"}
    assert "∆n-Eng" not in output
    assert "∆n-Eng" in mwork("report", folder, "--formats", "terminal", "--out", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_the_default_is_terminal_markdown_json_and_html_in_the_folder(tmp_path):
    folder = make_folder(tmp_path / "o", documents=3)
    assert "∆n-Eng" in mwork("report", folder)
    assert {path.name for path in folder.glob("report.*")} == {"report.md", "report.json", "report.html"}


def test_several_folders_become_one_report_and_need_a_place(folder, tmp_path):
    other = make_folder(tmp_path / "o", model="other", documents=3)
    assert "several results folders need --out" in mwork("report", folder, other, code=2)
    mwork("report", folder, other, "--formats", "md,html,tex,csv,json", "--out", tmp_path / "both")
    both = tmp_path / "both"
    assert "Model tiny" in (both / "report.md").read_text()
    assert "Model other" in (both / "report.md").read_text()
    assert (both / "report.tex").read_text().count(r"\begin{table}") == 2
    assert len(set(re.findall(r"\\label\{(.+?)\}", (both / "report.tex").read_text()))) == 2
    assert set(json.loads((both / "report.json").read_text())["reports"]) == {str(folder), str(other)}
    assert {row["folder"] for row in csv.DictReader((both / "report.csv").open())} == {str(folder), str(other)}
    page = (both / "report.html").read_text()
    assert page.count("<h1") == 2
    identifiers = re.findall(r' id="(.+?)"', page)
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize("text", ["pdf", "md,pdf", ",", ""])
def test_an_unknown_format_is_refused(text):
    with pytest.raises(InputError, match="expected some of terminal,md,html,tex,csv,json"):
        parse_formats(text)


# JSON


@pytest.fixture(scope="module")
def schema():
    schema = json.loads((files("mwork_eval.reports") / "report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_json_follows_its_schema(schema, results, tmp_path):
    unfinished = read_results(save_matrix(tmp_path, [R_ALL, LS_ALL], two_documents(None)))
    for report in (as_json(results), as_json(unfinished), as_json(results, unfinished)):
        schema.validate(json.loads(report))


@pytest.mark.parametrize(
    "change",
    [
        lambda report: report.pop("tables"),
        lambda report: report.update(new=1),
        lambda report: report["tables"][0].update(unit="percent"),
        lambda report: report["tables"][0]["rows"][0]["delta"]["delta"].update(value="1"),
        lambda report: report["tables"][0]["rows"][1]["comparison"].update(p=1.5),
        lambda report: report["cells"][0].update(documents=0),
    ],
)
def test_the_schema_refuses_what_is_not_a_report(schema, results, change):
    report = json.loads(as_json(results))
    change(report)
    assert not schema.is_valid(report)


# CSV


def test_csv_has_every_number_of_the_json_once(results):
    rows = list(csv.DictReader(io.StringIO(as_csv(results))))
    keys = [tuple(row[c] for c in COLUMNS if c not in ("value", "low", "high", "unit")) for row in rows]
    assert len(keys) == len(set(keys))

    def value(quantity, **where):
        where = {"setting": "", "mask_language": "", "language": "", "seed": ""} | where
        (row,) = [r for r in rows if r["quantity"] == quantity and all(r[k] == v for k, v in where.items())]
        return [float(row[column]) if row[column] else None for column in ("value", "low", "high")]

    report = json.loads(as_json(results))
    (table,) = report["tables"]
    count = 1 + len(table["counts"]) + len(table["documents"])
    assert value("detectable")[0] == table["detectable"]
    assert value("neurons", mask_language="zh")[0] == table["counts"]["zh"]
    assert value("documents", language="en")[0] == table["documents"]["en"]
    for row in table["rows"]:
        delta, setting = row["delta"], row["name"]
        count += 5 + len(delta["by_seed"]) + 2 * len(delta["by_language"])
        for name in ("delta_eng", "delta_non_eng", "delta"):
            assert value(name, setting=setting) == [delta[name][key] for key in ("value", "low", "high")]
        assert value("eng", setting=setting)[0] == delta["eng"]
        assert value("non_eng", setting=setting)[0] == delta["non_eng"]
        for seed, by_seed in zip(report["seeds"], delta["by_seed"], strict=False):
            assert value("delta", setting=setting, seed=str(seed))[0] == by_seed
        for language, score in delta["by_language"].items():
            for of, change in ((language, score["own"]), ("en", score["english"])):
                found = value("change", setting=setting, mask_language=language, language=of)
                assert found[0] == pytest.approx(change["difference"])
        comparison = row["comparison"] or {"reason": "random"}
        if comparison["reason"] is None:
            count += 3
            assert value("p", setting=setting)[0] == comparison["p"]
            assert value("p_holm", setting=setting)[0] == comparison["p_holm"]
            assert value("difference_from_control", setting=setting)[0] == comparison["difference"]
    for cell in report["cells"]:
        where = {key: "" if cell[key] is None else str(cell[key]) for key in ("setting", "mask_language", "seed")}
        assert value("score", language=cell["language"], **where)[0] == cell["score"]
    assert len(rows) == count + len(report["cells"])


def test_csv_leaves_out_what_is_not_computed(tmp_path):
    found = read_results(save_matrix(tmp_path, [R_ALL, LS_ALL], two_documents(None)))
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert all(row["value"] for row in rows)
    assert sum(row["quantity"] == "score" for row in rows) == 5
    assert not any(row["quantity"] == "p" for row in rows)


# LaTeX


def test_a_latex_table_has_as_many_cells_in_every_row_and_closes_what_it_opens(tmp_path):
    text = as_latex(read_results(make_folder(tmp_path, model=HOSTILE + "\\input{x} 50% $a_b^c$ #1 ~", documents=3)))
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    rows = [line for line in body.splitlines() if line.endswith(r" \\")]
    assert len(rows) == 4
    columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", body)[1]
    assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {len(columns)}
    depth = 0
    for sign in re.findall(r"\\[{}]|[{}]", body):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0
    assert r"\textbackslash{}input\{x\} 50\% \$a\_b\textasciicircum{}c\$ \#1 \textasciitilde{}" in body
    assert r"\textless{}script\textgreater{}" in body
    assert "\u202e" not in text
    assert r"\label{tab:mine-xquad}" in body


def test_a_latex_row_may_begin_with_a_bracket():
    assert latex.escape("[1]\n2") == "{[}1{]} 2"


# Plain words


def test_a_finding_names_what_was_done_what_happened_and_how_sure_that_is(results):
    (table,) = results.tables
    text = finding(table)
    row = next(row for row in table.rows if row.name == "LS under")
    assert text.startswith(
        "xquad (mine): with the 5 language-specific neurons of each language deactivated in the first"
    )
    assert "(LS under, the row with the highest ∆ of 2), English stayed the same [+0.0, +0.0], and Chinese" in text
    assert f"got worse by {-row.delta.delta_non_eng.value:.1f} points [" in text
    assert f"English fared better than they did: ∆ = {row.delta.delta.value:+.1f} points" in text
    assert row.comparison.p_holm < 0.05
    assert "∆ is significantly higher than with as many random neurons (R under; p " in text


def test_a_finding_says_when_the_documents_cannot_tell(tmp_path):
    scores = two_documents(TaskScore("acc,none", True, ((1.0, 1.0), (1.0, 1.0)), {}))
    few = finding(read_results(save_matrix(tmp_path / "few", [R_ALL, LS_ALL], scores)).tables[0])
    assert "The documents cannot tell this from as many random neurons (R all; p = 1.000, Holm-corrected)" in few
    assert "2 documents per language can tell a ∆ of about" in few
    untested = read_results(save_matrix(tmp_path / "one", [R_ALL, LS_ALL], two_documents(None))).tables[0]
    assert "cannot be told: cells are missing." in finding(untested)


# Intervals per language


def test_the_interval_of_a_single_mask_language_is_that_of_the_table(tmp_path):
    found = read_results(save_matrix(tmp_path, [R_ALL, LS_ALL], two_documents(two_documents(None)[None, None, "en"])))
    (table,) = found.tables
    changes = language_changes(found, table)
    for row in table.rows:
        (change,) = changes[row.name]
        assert change.language == "zh"
        assert change.own == row.delta.delta_non_eng
        assert change.english == row.delta.delta_eng


def test_bars_are_as_long_as_their_numbers(results):
    (table,) = results.tables
    changes = language_changes(results, table)
    drawn = change_bars(changes, table.unit)
    scales = []
    for setting, of_setting in changes.items():
        widths = [float(width) for width in re.findall(r'<rect [^>]*width="([\d.]+)"', drawn[setting])]
        values = [abs(e.value) for change in of_setting for e in (change.own, change.english)]
        assert [w > 0 for w in widths] == [v > 0 for v in values]
        scales += [w / v for w, v in zip(widths, values, strict=True) if v > 5]
    assert scales == pytest.approx([scales[0]] * len(scales), rel=0.02)


@pytest.mark.parametrize("values", [[], [0.0], [3.7], [-12.5, 0.3], [-0.0213, 0.004], [99.9, -99.9]])
def test_an_axis_ends_at_round_numbers_around_all_values_and_zero(values):
    axis = Axis.over(values, 0, 100)
    assert axis.low <= min([0, *values])
    assert axis.high >= max([0, *values])
    assert 2 <= len(axis.ticks) <= 8
    assert 0 in axis.ticks
    assert (axis(axis.low), axis(axis.high)) == (0, 100)


# Neuron sets


def test_neurons_are_counted_one_by_one(results):
    counts = count_recorded(results)
    assert counts.languages == ("zh", "es")
    assert counts.missing == ()
    sets = {language: make_set(language, seed) for seed, language in enumerate(counts.languages)}
    members = {
        language: {(place, index) for place, array in neurons.indices.items() for index in array.tolist()}
        for language, neurons in sets.items()
    }
    for language, neurons in members.items():
        for layer in range(SHAPE.layers):
            of_layer = [structure for (at, structure), _ in neurons if at == layer]
            assert counts.counts[language][layer] == {name: of_layer.count(name) for name in ("q", "v", "up")}
            assert counts.by_component(language, "ffn")[layer] == of_layer.count("up")
            assert counts.by_component(language, "attn")[layer] == len(of_layer) - of_layer.count("up")
    shared = sum(neuron in members["es"] for neuron in members["zh"])
    assert shared
    together = len(members["zh"]) + len(members["es"]) - shared
    assert counts.overlap["zh"]["es"] == counts.overlap["es"]["zh"] == shared / together
    assert counts.overlap["zh"]["zh"] == 1


def test_sets_that_are_elsewhere_are_named_and_shipped_ones_are_found(tmp_path, monkeypatch):
    folder = make_folder(tmp_path / "o", documents=3, sets=False)
    save_neuron_set(make_set("zh", 0), tmp_path / "shipped" / "tiny" / "zh.safetensors")
    save_neuron_set(make_set("es", 7), folder / "neurons" / "es.safetensors")  # another set of that language
    monkeypatch.setattr(recorded_sets, "neuron_sets_folder", lambda: tmp_path / "shipped")
    counts = count_recorded(read_results(folder))
    assert (counts.languages, counts.missing) == (("zh",), ("es",))
    assert "The neuron sets of es are neither" in as_html(read_results(folder))


# Answers


def test_answers_stand_beside_the_unmasked_ones(folder, results):
    answers = read_answers(results)
    manifest = load_manifest(folder)
    baseline = {c["language"]: c["identity"] for c in manifest["cells"] if c["setting"] is None}
    assert len(answers.rows) == answers.total == 16 * 24
    scores = results.scores
    for row in answers.rows:
        document, cell = answers.documents[row.document], answers.cells[row.cell]
        assert document.language == cell["language"]
        before = scores[baseline[cell["language"]]].documents[document.number][0]
        after = scores[cell["identity"]].documents[document.number][0]
        assert (document.sample.score, row.sample.score) == (before, after)
        assert document.sample.prompt == f"Question {document.number}? "
        assert document.sample.gold == f"gold {document.number} | "
        assert row.sample.answer.startswith("gold" if after else "no idea")
        assert (row.sample.whole_answer != document.sample.whole_answer) == (before != after)


@pytest.mark.parametrize("most", [1, 5, 16, 100])
def test_the_number_of_answers_is_bounded_and_spread_over_the_cells(results, most):
    answers = read_answers(results, most)
    assert 0 < len(answers.rows) <= most
    assert answers.total == 16 * 24
    assert len({row.cell for row in answers.rows}) == len(answers.cells) <= min(most, 16)
    if most >= 16:
        numbers = {answers.documents[row.document].number for row in answers.rows}
        assert numbers == set(range(most // 16))


def test_samples_are_matched_by_document_whatever_their_order_and_filter(tmp_path):
    folder = make_folder(tmp_path, documents=3)
    store = CellStore(folder)
    for cell in load_manifest(folder)["cells"]:
        score, masked = store.load(cell["identity"]), cell["setting"] is not None
        samples = [sample(n, bool(score.documents[n][0]), "") for n in ((2, 0, 1) if masked else (1, 2, 0))]
        others = [{**one, "filter": "strict", "resps": [["wrong filter"]]} for one in samples]
        store.save(cell["identity"], score, {}, others + samples)
    answers = read_answers(read_results(folder))
    assert len(answers.rows) == 16 * 3
    for row in answers.rows:
        document = answers.documents[row.document]
        assert document.sample.answer == (f"gold {document.number} " if document.sample.score else "no idea ")
        assert row.sample.answer == (f"gold {document.number} " if row.sample.score else "no idea ")


def test_a_cell_that_presets_share_appears_once(tmp_path):
    folder = make_folder(tmp_path, documents=3)
    manifest = load_manifest(folder)
    manifest["presets"].append(manifest["presets"][0] | {"name": "again"})
    manifest["cells"] += [cell | {"preset": "again"} for cell in manifest["cells"]]
    save_manifest(folder, manifest)
    answers = read_answers(read_results(folder))
    assert len(answers.rows) == answers.total == 16 * 3
    assert {cell["preset"] for cell in answers.cells} == {"mine"}


def test_a_torn_file_of_samples_is_an_error(tmp_path):
    folder = make_folder(tmp_path, documents=3)
    path = CellStore(folder).path("5")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"5\.jsonl is damaged"):
        read_answers(read_results(folder))


def test_every_kind_of_request_has_an_answer_in_words():
    choice = {
        "arguments": [["Why?", " because"], ["Why?", " so"]],
        "resps": [[[-3.0, False]], [[-2.0, True]]],
        "target": 0,
        "acc": 0.0,
    }
    found = answered(choice, "acc")
    assert (found.prompt, found.gold, found.answer, found.score) == ("Why?", "because", "so", 0)
    contexts = choice | {"arguments": [["The cup", "fell"], ["The ball", "fell"]], "target": "1"}
    assert answered(contexts, "acc").answer == "The ball"
    single = {"arguments": [["The", " end"]], "resps": [[[-1.5, True]]], "target": " end", "acc": 1.0}
    assert answered(single, "acc").answer == "end (the likeliest, -1.50 nats)"
    assert answered(single, "acc").gold == "end"
    nats = -10 * math.log(2)
    text = {"arguments": [["A text."]], "resps": [[nats]], "target": "A text.", "bits_per_byte": [nats, 5]}
    found = answered(text, "bits_per_byte")
    assert (found.prompt, found.gold, found.answer) == ("A text.", "", "2.000 bits per byte")
    assert found.score == pytest.approx(2)


def test_a_long_text_loses_its_middle_and_says_so():
    assert shorten("a" * 10, 10) == "a" * 10
    assert shorten("a" * 600 + "b" * 1400, 1000) == "a" * 500 + " […1,000 characters left out…] " + "b" * 500
    assert shorten("\ud800", 10) == "?"


# The page


class Page(HTMLParser):
    """Scripts, links and attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.scripts, self.attributes, self.open = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.attributes += [(tag, *pair) for pair in attributes]
        self.open = tag
        if tag == "script":
            self.scripts.append([dict(attributes), ""])

    def handle_endtag(self, tag):
        self.open = None

    def handle_data(self, text):
        if self.open == "script":
            self.scripts[-1][1] += text


def test_a_page_loads_nothing_and_runs_only_its_own_script(tmp_path):
    text = as_html(read_results(make_folder(tmp_path, model=HOSTILE, task=HOSTILE, text=HOSTILE, documents=3)))
    page = Page(text)
    kinds = [attributes.get("type") for attributes, _ in page.scripts]
    assert kinds == ["application/json", None]
    sources = [(files("mwork_eval.reports.html") / name).read_text() for name in ("page.js", "answers.js")]
    assert page.scripts[1][1] == "\n".join(sources)
    assert json.loads(page.scripts[0][1])["documents"][0][3] == f"Question 0? {HOSTILE}"
    assert not [a for a in page.attributes if a[1] == "src" or a[1].startswith("on") or a[0] in ("img", "link")]
    assert all(value.startswith("#") for _, name, value in page.attributes if name == "href")
    assert "http" not in text.replace("http-equiv", "")


def test_a_page_has_its_tables_figures_and_manifest(results):
    text = as_html(results)
    assert all(part in text for part in ("∆n-Eng", "layer 3 up:", "xquad has no fr", "&#34;fingerprint&#34;"))
    assert "384 of 384 stored answers" in " ".join(text.split())
    drawings = re.findall(r'<svg role="img" aria-label="(.+?)"', text)
    assert len(drawings) == len(results.tables[0].rows) + 2 + 2 + 1


def test_a_page_of_an_unfinished_matrix_says_so(tmp_path):
    found = read_results(save_matrix(tmp_path, [R_ALL, LS_ALL], two_documents(None)))
    text = as_html(found)
    assert "1 cells are not computed yet" in text
    assert "No answer under a mask is stored with its text." in text
    assert "tiny &lt;b&gt;" in text


def test_embedded_json_ends_no_element_and_reads_back():
    value = {"a": ["</script><!--<script>", "\u2028", "é"]}
    text = embedded_json(value)
    assert "<" not in text
    assert json.loads(text) == value
