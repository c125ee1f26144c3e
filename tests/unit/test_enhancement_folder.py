"""A folder of deltas: what is trained once, random controls, languages together, the command."""

import json
from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner
from conftest import make_model, make_tokenizer
from helpers.enhancement_models import plan_of, text_of, weights_of, write_inputs

from mwork_eval.cli.main import main
from mwork_eval.enhancement.documents import TrainingText, interleaved, shuffled
from mwork_eval.enhancement.record import Record
from mwork_eval.enhancement.run import train_deltas
from mwork_eval.enhancement.training import TrainingOptions
from mwork_eval.errors import InputError
from mwork_eval.models.layout import Layout
from mwork_eval.models.loading import LoadedModel
from mwork_eval.weight_deltas.delta import load_delta


def test_a_folder_is_filled_once_and_random_controls_have_as_many_neurons(tmp_path):
    model = make_model("llama")
    layout = Layout.of(model)
    before, said = weights_of(model), []
    loaded = LoadedModel("tiny", model, make_tokenizer())
    plan = plan_of(model, layout)
    record = train_deltas(loaded, plan, tmp_path, tell=said.append)
    assert [(d.kind, d.seed, d.documents) for d in record.deltas] == [
        ("specific", 0, 4), ("specific", 0, 8), ("random", 1, 4), ("random", 1, 8), ("random", 2, 4), ("random", 2, 8),
    ]  # fmt: skip
    assert len(said) == 3
    assert len({delta.digest for delta in record.deltas}) == 6
    assert len({delta.neurons for delta in record.deltas}) == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    specific = plan.neurons_of(plan.runs[0])
    for run in plan.runs[1:]:
        control = plan.neurons_of(run)
        assert {p: len(a) for p, a in control.indices.items()} == {p: len(a) for p, a in specific.indices.items()}
        assert len(control & specific) == 0
    assert Record.load(tmp_path) == record
    assert load_delta(tmp_path / record.deltas[0].file).about["options"]["learning_rate"] == 0.05
    again = train_deltas(loaded, plan, tmp_path, tell=said.append)
    assert again.deltas == record.deltas
    assert len(said) == 3
    more = train_deltas(loaded, plan_of(model, layout, controls=3), tmp_path, tell=said.append)
    assert len(more.deltas) == 8
    assert said[3:] == ["4/4 zh/random-seed3: 4, 8 documents"]
    with pytest.raises(InputError, match=r"otherwise; found learning_rate 0\.05; expected learning_rate 5e-05"):
        train_deltas(loaded, plan_of(model, layout, training=TrainingOptions()), tmp_path)
    other = replace(text_of(model), digests=["other"] * 12)
    with pytest.raises(InputError, match="otherwise; found documents of zh with digest"):
        train_deltas(loaded, plan_of(model, layout, texts={"zh": other}), tmp_path)


def test_languages_together_take_turns():
    texts = [TrainingText([[n], [n + 10]], [[n]], [f"{n}a", f"{n}b"], f"{n}.txt") for n in (1, 2)]
    both = interleaved(texts)
    assert both.training == [[1], [2], [11], [12]]
    assert both.digests == ["1a", "1b", "2a", "2b"]
    assert shuffled(both.training, 3) == shuffled(both.training, 3) != shuffled(both.training, 4)


def test_the_command_trains_and_merges(tmp_path):
    write_inputs(tmp_path)
    command = [
        "enhance", "--model", tmp_path / "m", "--neurons", tmp_path, "--corpus", f"zh={tmp_path / 'zh.txt'}",
        "--documents", "4,8", "--random-control", 1, "--device", "cpu", "--out", tmp_path / "o",
    ]  # fmt: skip
    result = CliRunner().invoke(main, list(map(str, [*command, "--merge", tmp_path / "merged"])))
    assert result.exit_code == 0, result.output
    assert "trained entries differ from the base" in result.output
    assert len(json.loads((tmp_path / "o" / "enhancement.json").read_text())["deltas"]) == 4
    assert (tmp_path / "merged" / "model.safetensors").is_file()
    result = CliRunner().invoke(main, list(map(str, [*command, "--documents", "100"])))
    assert result.exit_code == 2
    assert "has too few documents" in result.output
    result = CliRunner().invoke(main, [*map(str, command), "--corpus", f"es={tmp_path / 'zh.txt'}"])
    assert result.exit_code == 2
    assert "a corpus has no neuron set; found es" in result.output
