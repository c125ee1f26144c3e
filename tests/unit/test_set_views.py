"""Profiles, overlaps and figures of neuron sets."""

import importlib.util
import json

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.commands import invoke, mwork
from helpers.detections import ScoreAccumulator
from helpers.neuron_sets import SHAPE, STAGES, make
from helpers.report_folders import make_folder

from mwork_eval.analysis.activity import count_active
from mwork_eval.cli.main import main
from mwork_eval.detection.corpus.sources import Corpus
from mwork_eval.detection.detectors.plnd import select
from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.detection.selection import Selection
from mwork_eval.errors import InputError
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.models.loading import load_model
from mwork_eval.neurons.comparison import members, overlaps_by
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import find_named_sets
from mwork_eval.neurons.stages import POSITIONS
from mwork_eval.reports.plots import check_plot_file, plot_heat, save_figure
from mwork_eval.results.set_counts import count_sets

# gate, up and down of a layer are one neuron.
ZH = make(q0=[1, 2], up1=[2, 5], gate1=[5, 6], v3=[1], down7=[4])
ES = make(q0=[2], up1=[6], v3=[1, 2], k5=[0])
SETS = {"zh": ZH, "es": ES}


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


@pytest.fixture
def detected(tmp_path):
    """Scores of three languages: in each, neuron 0 of every place and one of its own are the best."""
    for language, own in (("zh", 1), ("en", 2), ("es", 2)):
        scored = ScoreAccumulator(SHAPE)
        for _ in range(2):
            scores = {}
            for layer, sizes in enumerate(SHAPE.sizes):
                for structure, size in sizes.items():
                    scores[layer, structure] = np.zeros(size, np.float32)
                    scores[layer, structure][[0, own]] = [2, 1]
            scored.add(scores)
        about = {"language": language, "fingerprint": "same", "method": "exact", "model": "m"}
        about |= {"corpus": {"name": "c"}, "tokens": 9}
        scored.table(about).save(tmp_path / "scores" / f"{language}.safetensors")
    return tmp_path


def test_an_overlap_with_english_is_of_whole_languages(detected):
    found = json.loads(mwork("overlap", detected, "--with-english", "--top-k", 2, "--json"))["parts"]["all"]
    assert list(found) == ["en", "es", "zh"]
    places = 4 * SHAPE.layers  # q, k, v and up
    assert found["zh"]["en"] == {"first": 2 * places, "both": places, "share": 0.5, "jaccard": 1 / 3}
    assert found["en"]["es"]["jaccard"] == 1
    text = mwork("overlap", detected, "--with-english", "--top-k", 2, "--by", "structure")
    assert "all: % of the row in the column" in text
    assert "50 (33)" in text


def test_an_overlap_with_english_says_what_it_lacks(detected, folder):
    def refused(*arguments):
        return CliRunner().invoke(main, ["overlap", *map(str, arguments)]).output

    assert "a rule and a pivot select from scores; found no --with-pivot" in refused(folder, "--top-k", 2)
    assert "reads one folder" in refused(detected, detected / "x", "--with-english")
    (detected / "scores" / "en.safetensors").unlink()
    assert "no scores of English; found es zh" in refused(detected, "--with-english", "--top-k", 2)
    assert "has no scores" in refused(detected / "nowhere", "--with-english")


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


def test_a_neuron_is_active_where_its_score_is_among_the_highest():
    scores = {
        (layer, structure): np.arange(size, dtype=np.float32)
        for layer, sizes in enumerate(SHAPE.sizes)
        for structure, size in sizes.items()
    }
    size = SHAPE.sizes[0]["q"]
    neurons = NeuronSet(
        SHAPE, {(0, "q"): np.array([0, size - 2, size - 1], np.int32), (3, "up"): np.array([0], np.int32)}
    )
    half = count_active(neurons, scores, 2 / size)
    assert half[0].tolist() == [2, 0]
    assert half.sum() == 2
    assert count_active(neurons, scores, 1 / size).sum() == 1
    assert count_active(neurons, scores, 1.0).sum() == len(neurons)


def test_a_profile_by_query_counts_what_a_detection_of_that_query_alone_selects(tiny_llama, tmp_path):
    text = tmp_path / "zh.txt"
    text.write_text("\n".join(" ".join(f"w{(3 * n + k * k) % 50}" for k in range(40)) for n in range(3)) + "\n")
    loaded = load_model(str(tiny_llama), device="cpu")
    layout = Layout.of(loaded.model)
    rule = Selection(fraction=0.2, specific="none")
    queries = [loaded.tokenizer(line).input_ids for line in Corpus("zh", str(text)).documents()]
    by_query = []
    for tokens in queries:
        (scores,) = Scorer(layout).score([tokens])
        collected = ScoreAccumulator(layout.shape)
        collected.add(scores)
        by_query.append(select(collected.table({"fingerprint": fingerprint_of(loaded.model)}), rule))
    save_neuron_set(by_query[0], tmp_path / "sets" / "zh.safetensors")
    command = ("profile", tmp_path / "sets", "--corpus", f"zh={text}", "--model", tiny_llama, "--device", "cpu")
    (found,) = json.loads(invoke(*command, "--json", "--limit", 3).stdout)["activity"]
    assert (found["neurons"], found["language"], found["size"]) == ("zh", "zh", len(by_query[0]))
    totals = [sum(query["attn"]) + sum(query["ffn"]) for query in found["queries"]]
    assert totals == [len(by_query[0] & other) for other in by_query]
    assert totals[0] == len(by_query[0]) > totals[1]
    pytest.importorskip("matplotlib")
    table = mwork(*command, "--limit", 2, "--plot", tmp_path / "a.svg")
    assert "zh on zh: " in table
    assert "active neurons per query" in (tmp_path / "a.svg").read_text()
    other = by_query[0].described(fingerprint="f" * 32)
    save_neuron_set(other, tmp_path / "other" / "zh.safetensors")
    assert "f" * 32 in mwork("profile", tmp_path / "other", *command[2:], code=2)
