"""What deltas change in scores: numbers by hand, cells on a tiny model, reports, the command."""

import json
import math
from dataclasses import replace
from io import StringIO

import pytest
import torch
from click.testing import CliRunner
from conftest import make_model, make_tokenizer
from helpers.enhancement_models import neurons_of, plan_of, weights_of, write_inputs
from helpers.enhancement_scores import FIRST, SECOND, SPECIFIC, delta, scores_of
from helpers.task_scores import accuracy, bits
from rich.console import Console
from scipy.stats import t

from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.cli.main import main
from mwork_eval.detection.corpus.sources import Corpus
from mwork_eval.enhancement.changes import change_tables
from mwork_eval.enhancement.documents import document_digest
from mwork_eval.enhancement.run import train_deltas
from mwork_eval.enhancement.scores import compute_scores, count_left_out, plan_scores, stored_scores
from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import evaluate_task, prepare_tasks
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.lm.model import MworkHF
from mwork_eval.matrix.identity import ModelFacts
from mwork_eval.models.layout import Layout
from mwork_eval.models.loading import LoadedModel
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.results.store import CellStore
from mwork_eval.terminal.enhancement import print_enhancement
from mwork_eval.views.enhancement import enhancement_as_json, enhancement_as_markdown, finding
from mwork_eval.views.enhancement_plot import plot_enhancement
from mwork_eval.weight_deltas.delta import load_delta, save_delta

FAMILY = TaskFamily("xquad", ("zh", "en", "es", "de"), ("fr",))


def by_hand():
    return scores_of(
        FAMILY,
        {
            None: [accuracy(0, 0, 1, 1), accuracy(1, 1), accuracy(1, 0), accuracy(0, 0)],
            SPECIFIC: [accuracy(1, 1, 1, 1), accuracy(1, 0), accuracy(1, 1), accuracy(0, 0)],
            FIRST: [accuracy(1, 0, 1, 1), accuracy(1, 1), accuracy(1, 0), accuracy(0, 0)],
            SECOND: [accuracy(0, 0, 1, 0), accuracy(1, 1), accuracy(0, 0), accuracy(0, 0)],
        },
    )


def test_changes_by_hand():
    (table,) = change_tables([SPECIFIC, FIRST, SECOND], [FAMILY], by_hand())
    assert (table.trained, table.task, table.unit, table.neurons) == (("zh",), "xquad", "points", 5)
    assert [column.languages for column in table.columns] == [("zh",), ("en",), ("es",), ("de",), ("es", "de"), ("zh",)]
    assert [column.base for column in table.columns] == [50, 100, 50, 0, 25, 50]
    assert [column.documents for column in table.columns] == [4, 2, 2, 2, 4, 6]
    assert table.sizes == (8,)
    assert table.others == table.columns[-2]
    assert [column.against for column in table.columns] == [None] * 5 + ["en"]
    assert table.missing == ("fr",)
    own, english, *_, others, against = (column.effects[0] for column in table.columns)
    assert own.specific.mean.value == pytest.approx(50)
    assert (own.specific.mean.low, own.specific.mean.reason) == (None, "2 of 4 clusters of documents moved")
    assert own.random.by_seed == pytest.approx((25, -25))
    assert own.random.mean.value == pytest.approx(0)
    assert own.difference.value == pytest.approx(50)
    # The two draws gave 25 and -25; what the documents add (1/2, 1, 0 and 1/2, two imagined ones that moved) is just
    # what the draws' documents did.
    assert own.p == pytest.approx(2 * t.sf(50 / math.sqrt(1250 * 3 / 2), 1))
    assert own.difference.high == pytest.approx(50 + t.ppf(0.975, 1) * math.sqrt(1250 * 3 / 2))
    assert (english.p, english.difference.reason) == (None, "too few to tell: 2 clusters of documents")
    assert english.specific.mean.value == pytest.approx(-50)
    assert others.specific.mean.value == pytest.approx(25)
    assert others.random.by_seed == pytest.approx((0, -25))
    assert own.p_holm >= own.p
    # Chinese gained 50 points and English lost 50; the random seeds gave 25 and -25, and left English alone.
    assert against.specific.mean.value == pytest.approx(100)
    assert against.random.by_seed == pytest.approx((25, -25))
    assert against.difference.value == pytest.approx(100)


def test_fewer_bits_are_a_gain_and_equal_trainings_differ_by_nothing():
    family = TaskFamily("bpb", ("zh", "en"))
    before = [bits((10.0, 5.0), (30.0, 10.0)), bits((1.0, 1.0), (2.0, 1.0))]
    after = [bits((8.0, 5.0), (28.0, 10.0)), bits((1.0, 1.0), (2.0, 1.0))]
    scores = scores_of(family, {None: before, SPECIFIC: after, FIRST: after})
    (table,) = change_tables([SPECIFIC, FIRST], [family], scores)
    own, english, against = (column.effects[0] for column in table.columns)
    assert own.specific.mean.value == pytest.approx(4 / 15)
    assert (own.difference.value, own.difference.low, own.p) == (0, None, None)
    assert own.reason == "one random draw does not tell how much draws differ; take at least 2, better 20"
    assert english.specific.mean.value == 0
    assert table.others is None
    assert against.specific.mean.value == pytest.approx(4 / 15)
    assert "zh +0.267 [too few to tell]" in finding(table)
    assert "not told from chance" in finding(table)
    assert "en +0.000 [too few to tell], with random neurons +0.000" in finding(table)


def test_what_is_not_scored_is_left_out():
    scores = by_hand()
    assert change_tables([SPECIFIC], [TaskFamily("mgsm", ("zh", "en"))], scores) == []
    fewer = {key: score for key, score in scores.items() if key[0] != SECOND or key[1] != "xquad_de"}
    (table,) = change_tables([SPECIFIC, FIRST, SECOND], [FAMILY], fewer)
    assert len(table.columns[0].effects[0].random.by_seed) == 1
    (table,) = change_tables([SPECIFIC], [FAMILY], scores)
    assert table.columns[0].effects[0].random is None
    assert table.columns[0].effects[0].difference is None
    # Languages that a benchmark lacks have no table of their own.
    assert change_tables([delta("specific", 0, languages=("th",))], [FAMILY], scores) == []
    shorter = {**scores, (SPECIFIC, "xquad_zh"): accuracy(1)}
    with pytest.raises(InputError, match="1 documents after and 4 before"):
        change_tables([SPECIFIC], [FAMILY], shorter)


def test_reports_say_the_same_numbers():
    tables = change_tables([SPECIFIC, FIRST, SECOND], [FAMILY], by_hand())
    console = Console(file=StringIO(), width=60)
    print_enhancement(tables, console)
    text = console.file.getvalue()
    markdown = enhancement_as_markdown(tables)
    for said in (text, markdown):
        assert "xquad after training 5 neurons on zh" in said
        assert "+50.0 [" in said
        assert "mean of es, de" in said
        assert "xquad has no fr" in said
    assert "; seeds +25.0, -25.0 |" in markdown
    assert "with random neurons +0.0 (seeds -25.0 to +25.0)" in finding(tables[0])
    content = json.loads(enhancement_as_json(tables, {"model": "m"}))
    assert (content["format"], content["version"], content["model"]) == ("mwork-improvement", 1, "m")
    effect = content["tables"][0]["columns"][0]["effects"][0]
    assert effect["random"]["by_seed"] == [25, -25]
    figure = plot_enhancement(tables)
    (axes,), (legend,) = figure.axes, figure.legends
    lines = {line.get_label(): list(line.get_ydata()) for line in axes.get_lines()}
    assert lines["the language, its neurons trained"] == [0, pytest.approx(50)]
    assert lines["the language, random neurons trained"] == [0, pytest.approx(0)]
    assert lines["English, the language's neurons trained"] == [0, pytest.approx(-50)]
    figure.draw_without_rendering()
    assert legend.get_window_extent().width < figure.bbox.width, "a legend that is cut off"


@pytest.fixture
def trained(tmp_path):
    """A tiny model, its enhancement folder and what is in it."""
    model = make_model("llama")
    loaded = LoadedModel("tiny", model, make_tokenizer())
    plan = plan_of(model, Layout.of(model), sizes=(8,), controls=1)
    return loaded, tmp_path, train_deltas(loaded, plan, tmp_path)


def test_every_delta_is_scored_once_as_mwork_hf_scores_it(trained):
    loaded, folder, record = trained
    base = weights_of(loaded.model)
    model = MworkHF(loaded.model, tokenizer=loaded.tokenizer)
    family = TaskFamily("bpb", ("zh", "en"))
    plan = plan_scores(ModelFacts.of(model, "tiny"), record, [family], data="embedded", limit=2)
    assert [cell.label for cell in plan.cells][:3] == [
        "base · bpb_zh",
        "base · bpb_en",
        "zh/specific-seed0, 8 documents · bpb_zh",
    ]
    started = []

    def interrupt(label, done):
        started.append((label, done))
        if len(started) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute_scores(model, plan, folder, advance=interrupt)
    assert model.delta is None
    assert all(torch.equal(tensor, base[name]) for name, tensor in loaded.model.state_dict().items())
    again = []
    compute_scores(model, plan, folder, advance=lambda label, done: again.append(label) if done else None)
    assert len(again) == 6 - 2
    assert all(torch.equal(tensor, base[name]) for name, tensor in loaded.model.state_dict().items())
    scores = stored_scores(plan, CellStore(folder))
    assert len(scores) == 6
    task = prepare_tasks(["bpb_zh"], data="embedded", sample=Sample(limit=2))["bpb_zh"]
    for of in (None, *record.deltas):
        model.put_delta(of and load_delta(folder / of.file))
        assert evaluate_task(model, task)[0].documents == scores[of, "bpb_zh"].documents
    model.put_delta(None)
    assert len({score.score for score in scores.values()}) == 6


def test_documents_that_training_saw_are_not_scored(trained):
    loaded, _, record = trained
    model = MworkHF(loaded.model, tokenizer=loaded.tokenizer)
    facts, family = ModelFacts.of(model, "tiny"), TaskFamily("bpb", ("zh", "en"))
    every = [doc["text"] for doc in prepare_tasks(["bpb_zh"], data="embedded")["bpb_zh"].task.eval_docs]
    seen = [document_digest(text) for text in (every[0], f" {every[2]}\n")]
    plan = plan_scores(facts, replace(record, seen={"zh": seen}), [family], data="embedded", limit=2)
    scored = [instance.doc["text"] for instance in plan.tasks["bpb_zh"].task.instances]
    assert scored == [every[4], every[8]]  # evenly: 0, 8, 4, 12, 2, …
    # The translation of a document that training saw proves as little.
    assert plan.tasks["bpb_en"].documents == plan.tasks["bpb_zh"].documents == [4, 8]
    assert count_left_out(plan) == {"bpb_zh": 2}
    everything = replace(record, seen={"zh": [document_digest(text) for text in every]})
    with pytest.raises(InputError, match=r"no document of bpb_zh is left; found .* all of which are left out"):
        plan_scores(facts, everything, [family], data="embedded", limit=2)


def test_a_delta_that_was_replaced_is_not_scored(trained):
    loaded, folder, record = trained
    first, second = (folder / of.file for of in record.deltas)
    save_delta(load_delta(first), second)
    model = MworkHF(loaded.model, tokenizer=loaded.tokenizer)
    family = TaskFamily("bpb", ("zh", "en"))
    plan = plan_scores(ModelFacts.of(model, "tiny"), record, [family], data="embedded", limit=1)
    with pytest.raises(InputError, match="is not the delta that was trained"):
        compute_scores(model, plan, folder)


def test_the_command_trains_and_scores(tmp_path):
    write_inputs(tmp_path)
    command = [
        "enhance", "--model", tmp_path / "m", "--neurons", tmp_path / "zh.safetensors",
        "--corpus", tmp_path / "zh.txt", "--documents", 8, "--random-control", 1, "--device", "cpu",
        "--languages", "en,zh,fr", "--limit", 2, "--data", "embedded", "--out", tmp_path / "o",
    ]  # fmt: skip
    result = CliRunner().invoke(main, list(map(str, [*command, "--evaluate", "bpb", "--plot"])))
    assert result.exit_code == 0, result.output
    assert "bpb after training" in result.output
    assert "9 cells, 9 to compute" in result.output
    out = tmp_path / "o"
    assert {path.name for path in out.glob("improvement.*")} == {
        f"improvement.{k}" for k in ("md", "json", "svg", "png")
    }
    result = CliRunner().invoke(main, list(map(str, [*command, "--evaluate", "bpb"])))
    assert "9 cells, 0 to compute" in result.output
    result = CliRunner().invoke(main, ["report", str(out)])
    assert "mean of bpb after training" in result.output
    # Bad input fails before a model loads.
    for wrong, said in (
        (["--plot"], "--plot draws what changed; found no --evaluate"),
        (["--evaluate", "bpb", "--data", tmp_path / "nowhere"], "nowhere"),
        (["--evaluate", "bpb", "--languages", "xx"], "xx"),
        (["--evaluate", "nosuch"], "unknown task; found nosuch"),
        (["--evaluate", "xquad", "--data", ""], "cannot get XQuAD in Chinese from the Hugging Face hub"),
        (["--documents", "6,7"], "found 6 documents in steps of 4"),
    ):
        result = CliRunner().invoke(main, list(map(str, [*command, *wrong, "--model", tmp_path / "no model"])))
        assert result.exit_code == 2
        assert said in result.output


def test_a_corpus_without_language_has_that_of_a_single_set(tmp_path):
    model = make_model("llama")
    for code in ("zh", "es"):
        neurons = neurons_of(Layout.of(model), language=code)
        save_neuron_set(neurons, tmp_path / f"{code}.safetensors")
    (tmp_path / "text.txt").write_text("some text\n")
    command = ["enhance", "--neurons", tmp_path, "--corpus", tmp_path / "text.txt", "--model", tmp_path / "no model"]
    result = CliRunner().invoke(main, list(map(str, command)))
    assert result.exit_code == 2
    assert "cannot read a corpus" in result.output
    assert Corpus.parse(f"zh={tmp_path / 'text.txt'}").language == "zh"
