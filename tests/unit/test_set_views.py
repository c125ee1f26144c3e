"""Profiles, overlaps and figures of neuron sets."""

import importlib.util
import json

import pytest
from click.testing import CliRunner
from report_folders import make_folder
from test_neuron_set import SHAPE, STAGES, make

from mwork_eval.cli.main import main
from mwork_eval.errors import InputError
from mwork_eval.neurons.comparison import members, overlaps_by
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.references import find_named_sets
from mwork_eval.neurons.stages import POSITIONS
from mwork_eval.reports.plots import check_plot_file, plot_heat, save_figure
from mwork_eval.reports.set_counts import count_sets

# gate, up and down of a layer are one neuron.
ZH = make(q0=[1, 2], up1=[2, 5], gate1=[5, 6], v3=[1], down7=[4])
ES = make(q0=[2], up1=[6], v3=[1, 2], k5=[0])
SETS = {"zh": ZH, "es": ES}


def mwork(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + str(result.exception)
    return result.stdout


@pytest.fixture
def folder(tmp_path):
    for language, neurons in SETS.items():
        save_neuron_set(neurons, tmp_path / f"{language}.safetensors")
    return tmp_path


def test_a_profile_counts_each_switch_once(folder):
    found = json.loads(mwork("profile", folder, "--json"))["sets"]
    assert found["zh"]["attn"] == [2, 0, 0, 1, 0, 0, 0, 0]
    assert found["zh"]["ffn"] == [0, 3, 0, 0, 0, 0, 0, 1]
    assert found["es"]["by_structure"]["k"] == [0, 0, 0, 0, 0, 1, 0, 0]
    for language, neurons in SETS.items():
        assert sum(found[language]["attn"]) + sum(found[language]["ffn"]) == len(members(neurons)) == len(neurons)
    table = mwork("profile", folder, "--understanding-layers", 2, "--generation-layers", 1)
    assert "1 under" in table
    assert "7 gen" in table


def test_an_overlap_is_a_share_of_the_row(folder):
    found = json.loads(mwork("overlap", folder, "--json"))["parts"]["all"]
    both = len(members(ZH) & members(ES))
    assert found["zh"]["es"] == {
        "first": 7,
        "both": both,
        "share": both / 7,
        "jaccard": both / (7 + 5 - both),
    }
    assert found["es"]["zh"]["share"] == both / 5
    assert found["zh"]["zh"]["share"] == 1.0
    assert both == 3


@pytest.mark.parametrize("by", ["position", "structure"])
def test_the_parts_of_an_overlap_add_up(by):
    matrices = overlaps_by(SETS, by, STAGES)
    whole = matrices.pop("all")
    assert list(matrices) == (list(POSITIONS) if by == "position" else ["q", "k", "v", "up"])
    for first in SETS:
        for second in SETS:
            assert sum(part[first][second].both for part in matrices.values()) == whole[first][second].both
    empty = matrices["gen" if by == "position" else "k"]
    assert empty["es" if by == "position" else "zh"]["zh"].share is None


def test_sets_are_named_by_file_or_as_written(folder):
    single = str(folder / "zh-es")
    assert list(find_named_sets([str(folder), single])) == ["es", "zh", single]
    with pytest.raises(InputError, match="two sets of one name; found es zh"):
        find_named_sets([str(folder), str(folder)])
    with pytest.raises(InputError, match="no neuron set 'fr'"):
        find_named_sets([str(folder / "fr")])


def test_sets_of_different_models_are_not_compared(folder):
    assert "of different models" in CliRunner().invoke(main, ["overlap", str(folder), "gemma3-270m/fr"]).output


def test_shares_are_of_the_neurons_of_a_layer_and_structure():
    counts = count_sets(SETS)
    assert counts.structures == ("q", "k", "v", "up")
    shares = dict(zip(counts.structures, counts.shares("zh"), strict=True))
    assert shares["q"][0] == 100 * 2 / SHAPE.sizes[0]["q"]
    assert shares["up"][1] == 100 * 3 / SHAPE.sizes[1]["up"]


def test_plots_are_files_and_equal_ones_are_equal_bytes(folder, tmp_path):
    pytest.importorskip("matplotlib")
    for command in (("profile", folder, "--plot"), ("overlap", folder, "--by", "position", "--plot")):
        mwork(*command, tmp_path / "a.png")
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    mwork("sets", "plot", folder, "--out", tmp_path / "b.svg")
    save_figure(plot_heat(count_sets(find_named_sets([str(folder)]))), tmp_path / "c.svg")
    text = (tmp_path / "b.svg").read_text()
    assert text == (tmp_path / "c.svg").read_text()
    assert ">zh<" in text


def test_a_report_has_its_figures_as_files(tmp_path):
    pytest.importorskip("matplotlib")
    made = make_folder(tmp_path / "o")
    mwork("report", made, "--formats", "json", "--figures")
    names = ("changes-mine-xquad", "layers", "neurons", "overlap")
    expected = {f"{name}.{kind}" for name in names for kind in ("svg", "png")}
    assert {path.name for path in (made / "figures").iterdir()} == expected
    assert "LS under" in (made / "figures" / "changes-mine-xquad.svg").read_text()


def test_a_missing_extra_or_a_wrong_ending_is_told_before_any_work(folder, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"unknown kind of file for --plot; found a\.gif"):
        check_plot_file(tmp_path.joinpath("a.gif").relative_to(tmp_path), "--plot")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("mwork_eval.reports.plots.find_spec", lambda name: None)
    for command in (
        ("profile", folder, "--plot", tmp_path / "a.svg"),
        ("sets", "plot", folder, "--out", tmp_path / "a.svg"),
        ("report", folder, "--figures"),
    ):
        output = CliRunner().invoke(main, [str(part) for part in command])
        assert output.exit_code == 2
        assert 'pip install "mwork-eval[plot]"' in output.output
