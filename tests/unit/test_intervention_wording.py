"""Reports say what settings did to neurons; where all deactivate, nothing else."""

import pytest
from helpers.manifests import edited_manifest
from helpers.report_folders import make_folder

from mwork_eval.reports.formats.markdown import as_markdown
from mwork_eval.reports.intervention_wording import done, done_by_all
from mwork_eval.reports.summary import finding
from mwork_eval.results.tables import read_results


@pytest.mark.parametrize(
    ("intervention", "said"),
    [
        ("zero", "deactivated"),
        ("scale:0.5", "scaled by 0.5"),
        ("mean", "set to their mean activation"),
        ("towards:de", "set to their mean activation in German"),
        ("towards:zh:statistic=median", "set to their median activation in Chinese"),
    ],
)
def test_what_was_done_in_words(intervention, said):
    assert done(intervention) == said
    assert done_by_all([intervention, intervention]) == said
    assert done_by_all([intervention, "scale:3"]) == "changed"


def told(folder, intervention):
    """Return the report and the finding of a folder all of whose settings do something."""
    with edited_manifest(make_folder(folder)) as manifest:
        for preset in manifest["presets"]:
            for setting in preset["settings"]:
                setting["intervention"] = intervention
    results = read_results(folder)
    return as_markdown(results), finding(results.tables[0])


def test_a_report_says_what_was_done(tmp_path):
    report, sentence = told(tmp_path, "scale:0.5")
    assert "language-specific neurons of each language scaled by 0.5 in" in sentence
    assert "neurons scaled by 0.5 in every row" in report
    assert "✗ deactivated, or what the row's name says" in report


def test_a_report_of_steering_names_no_neurons_as_changed(tmp_path):
    _, sentence = told(tmp_path, "residual:de")
    assert "with the outputs of layers moved and no neuron changed" in sentence


def test_where_all_deactivate_nothing_else_is_said(tmp_path):
    report, sentence = told(tmp_path, "zero")
    assert "language-specific neurons of each language deactivated in" in sentence
    assert "neurons deactivated in every row" in report
    assert "✗ deactivated, ✓ left alone. LS" in report
