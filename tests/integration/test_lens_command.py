"""`mwork lens` as a command: files, masks, and wrong input."""

import json
from pathlib import Path

import numpy as np
import pytest
import transformers
from helpers.commands import invoke
from helpers.report_folders import make_folder

from mwork_eval.analysis.lens_file import lens_file, read_lens, write_lens
from mwork_eval.application.report import write_reports
from mwork_eval.errors import InputError
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.reports.html.lens import lens_parts
from mwork_eval.resources import embedded_folder


@pytest.fixture(scope="module")
def neurons(tiny_llama, tmp_path_factory) -> Path:
    """A folder with the set zh of the tiny Llama, all in its first layer."""
    folder = tmp_path_factory.mktemp("neurons")
    layout = Layout.of(transformers.AutoModelForCausalLM.from_pretrained(tiny_llama))
    about = {"model": "tiny-llama", "fingerprint": fingerprint_of(layout.model), "language": "zh"}
    save_neuron_set(NeuronSet(layout.shape, {(0, "up"): np.arange(20)}, about), folder / "zh.safetensors")
    return folder


def lens(model: Path, *extra: object, code: int = 0):
    return invoke("lens", "--model", model, "--device", "cpu", *extra, code=code)


@pytest.fixture(scope="module")
def looked(tiny_llama, neurons, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("lens")
    found = lens(
        tiny_llama, "--languages", "zh", "--data", "embedded", "--limit", "2", "--max-tokens", "40", "--neurons",
        neurons, "--random-control", "1", "--out", out,
    )  # fmt: skip
    assert "zh, under deactivated" in found.output
    return out


def test_a_row_per_layer_mask_and_class_with_its_counts(looked):
    about, *rows = map(json.loads, lens_file(looked, "tokens").read_text(encoding="utf-8").splitlines())
    assert (about["k"], about["weight"], about["positions"]) == (5, "count", "under")
    assert len(rows) == 4 * 4 * 3  # layers, classes, and: whole, under, random
    assert {row["masked"] for row in rows} == {None, "under", "random under, seed 1"}
    for layer in range(4):
        own = [row for row in rows if row["layer"] == layer and row["masked"] is None]
        assert sum(row["tokens"] for row in own) == own[0]["queries"] * 40 * 5
        assert sum(row["share"] for row in own) == pytest.approx(1)


def test_the_file_reads_back_and_the_report_shows_it(looked, tmp_path):
    report = read_lens(lens_file(looked, "tokens"))
    again = write_lens(report, tmp_path)
    assert again.read_bytes() == lens_file(looked, "tokens").read_bytes()
    (part,) = lens_parts(looked)
    assert list(part["panels"]) == ["zh", "zh, under deactivated", "zh, random under, seed 1 deactivated"]
    assert lens_parts(tmp_path / "none") == []


def test_a_text_file_is_read_and_a_plot_drawn(tiny_llama, tmp_path):
    pytest.importorskip("matplotlib", reason="needs the extra [plot]")
    text = tmp_path / "zh.txt"
    text.write_text("今天天气很好\n我们去学校\n", encoding="utf-8")
    lens(tiny_llama, "--text", f"zh={text}", "--out", tmp_path / "out", "--plot")
    assert (tmp_path / "out" / "lens-tokens.svg").stat().st_size > 1000
    assert (tmp_path / "out" / "lens-tokens.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--languages", "en"], "English is what the others are compared with"),
        (["--languages", "xx"], "unknown language"),
        (["--text", "zh=missing.txt"], "no file missing.txt"),
        (["--plot"], "--plot with --out"),
        (["--tasks", "nonsense", "--languages", "zh"], "unknown task"),
        (["--languages", "zh", "--data", "embedded", "--neurons", "gemma3-270m"], "does not fit"),
        (["--languages", "zh", "--neurons", "nowhere"], "no folder of neuron sets"),
    ],
)
def test_bad_input_is_one_line_and_code_two(tiny_llama, arguments, message):
    output = lens(tiny_llama, *arguments, code=2).output
    assert message in output
    assert "Traceback" not in output


def test_the_page_of_a_results_folder_shows_its_lens_and_none_without(looked, tmp_path):
    folder = make_folder(tmp_path / "results")
    write_reports(folder, formats=("html",))
    assert "What language the layers think in" not in (folder / "report.html").read_text(encoding="utf-8")
    write_lens(read_lens(lens_file(looked, "tokens")), folder)
    write_reports(folder, formats=("html",))
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("What language the layers think in") == 1
    assert page.count("share of each language by layer in percent") == 3


def test_words_are_looked_at_in_the_languages_a_vocabulary_can_tell_from_english(tiny_llama, tmp_path):
    assert "no word of th" in lens(tiny_llama, "--method", "words", "--languages", "th", code=2).output
    lens(tiny_llama, "--method", "words", "--languages", "de", "--limit", "20", "--out", tmp_path)
    report = read_lens(lens_file(tmp_path, "words"))
    assert report.about["prompt"] == "translation"
    for layer in report.curves[0].shares:
        assert sum(share.value for share in layer) == pytest.approx(1)


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "lens-tokens.jsonl").write_text('{"method": "tokens"}\n{"language": "zh"}\n', encoding="utf-8")
    with pytest.raises(InputError, match="is damaged"):
        lens_parts(tmp_path)


def test_a_language_without_data_is_left_out_and_named(tiny_llama, tmp_path):
    (tmp_path / "xquad.zh.json").write_bytes((embedded_folder() / "xquad" / "xquad.zh.json").read_bytes())
    found = lens(tiny_llama, "--languages", "zh,ru", "--data", tmp_path, "--limit", "1", "--max-tokens", "8")
    assert "ru is left out: no file of XQuAD in Russian" in found.output
    assert "zh: share of each language by layer" in found.output
    assert "no file of XQuAD" in lens(tiny_llama, "--languages", "ru", "--data", tmp_path, code=2).output
    assert "no language has data" in lens(tiny_llama, "--languages", "ru,de", "--data", tmp_path, code=2).output
