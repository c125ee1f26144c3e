"""What a report shows of a matrix: findings in words, bars, where the neurons are."""

import re

import pytest
from helpers.matrix_folders import LS_ALL, R_ALL, save_matrix, two_documents
from helpers.report_folders import SHAPE, make_folder, make_set

from mwork_eval.languages.pivot import Pivot
from mwork_eval.neurons import recorded_sets
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.reports.html.figures import change_bars
from mwork_eval.reports.html.page import as_html
from mwork_eval.reports.html.svg import Axis
from mwork_eval.reports.summary import finding
from mwork_eval.results.language_intervals import language_changes
from mwork_eval.results.set_counts import count_recorded
from mwork_eval.results.tables import read_results
from mwork_eval.results.task_score import TaskScore

pytest_plugins = ["helpers.report_fixtures"]


def test_a_finding_names_what_was_done_what_happened_and_how_sure_that_is(results):
    (table,) = results.tables
    text = finding(table)
    row = next(row for row in table.rows if row.name == "LS under")
    assert text.startswith(
        "xquad (mine): with the 5 language-specific neurons of each language deactivated in the first"
    )
    assert "(LS under, the row with the highest ∆ of 2), English stayed the same [too few to tell], and Chinese" in text
    assert f"got worse by {-row.delta.delta_non_eng.value:.1f} points [" in text
    assert f"English fared better than they did: ∆ = {row.delta.delta.value:+.1f} points" in text
    assert row.comparison.p_holm < 0.05
    assert "∆ is significantly higher than with as many random neurons (R under; p " in text


def test_a_finding_says_when_the_documents_cannot_tell(tmp_path):
    scores = two_documents(TaskScore("acc,none", True, ((1.0, 1.0), (1.0, 1.0)), {}))
    few = finding(read_results(save_matrix(tmp_path / "few", [R_ALL, LS_ALL], scores)).tables[0])
    assert "cannot be told: one random draw does not tell how much draws differ; take at least 2, better 20." in few
    assert "There is no interval either: 2 clusters of documents, fewer than 4." in few
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
    drawn = change_bars(changes, table.unit, Pivot(table.pivot))
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
