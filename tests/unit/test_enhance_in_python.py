"""`enhance` from Python: a model in memory as it was, deltas in memory, results for a notebook."""

import json

import pytest
import torch
from conftest import make_model, make_tokenizer
from helpers.enhancement_models import neurons_of, weights_of, write_inputs

from mwork_eval.application.enhance import enhance
from mwork_eval.application.enhancement_results import mean_changes
from mwork_eval.application.progress import Silent
from mwork_eval.enhancement.documents import HELD_OUT
from mwork_eval.enhancement.training import TrainingOptions
from mwork_eval.errors import InputError
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.models.loading import load_model

TRAINING = TrainingOptions(learning_rate=0.05, warmup_steps=1, batch_size=2)
TEXTS = [" ".join(f"w{(n * 7 + k * 3) % 50}" for k in range(30)) for n in range(HELD_OUT + 8)]


@pytest.fixture
def model():
    model = make_model("llama")
    model.train()
    model.model.layers[0].mlp.up_proj.weight.requires_grad_(False)  # frozen by its owner
    return model


def set_of(model):
    return neurons_of(Layout.of(model), fingerprint=fingerprint_of(model), language="zh")


def state_of(model):
    return [(module.training, [p.requires_grad for p in module.parameters()]) for module in model.modules()]


@pytest.mark.parametrize("gradient_checkpointing", [False, True])
def test_a_model_in_memory_is_trained_and_left_as_it_was(model, gradient_checkpointing, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before, state, neurons = weights_of(model), state_of(model), set_of(model)
    training = TrainingOptions(**vars(TRAINING) | {"gradient_checkpointing": gradient_checkpointing})
    made = enhance(
        model,
        make_tokenizer(),
        neurons,
        TEXTS,
        documents=(8, 4),
        trained_controls=1,
        training=training,
        progress=Silent(),
    )
    assert [(one.kind, one.documents) for one in made.trained] == [
        ("specific", 4), ("specific", 8), ("random", 4), ("random", 8),
    ]  # fmt: skip
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert state_of(model) == state
    assert not any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
    # The deltas outlive the folder they were trained in, and nothing else is left.
    assert [made.delta(one).digest for one in made.trained] == [one.digest for one in made.trained]
    assert not list(tmp_path.iterdir())
    assert made.files == ()
    with pytest.raises(InputError, match="nothing scored"):
        made.figure()
    assert "4 deltas; scored: nothing" in repr(made)
    assert made._repr_html_().count("<tr>") == 1 + 4


def test_the_call_and_the_command_share_a_folder_and_its_scores(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from mwork_eval.cli.main import main

    pandas = pytest.importorskip("pandas")
    monkeypatch.chdir(write_inputs(tmp_path))
    command = (
        "enhance --model m --neurons zh.safetensors --corpus zh.txt --documents 8 --random-control 1 --device cpu "
        "--evaluate bpb --languages en,zh --limit 2 --data embedded --out o"
    )
    told = CliRunner().invoke(main, command.split())
    assert told.exit_code == 0, told.output
    written = json.loads((tmp_path / "o" / "improvement.json").read_text())
    loaded = load_model("m", device="cpu")
    made = enhance(
        loaded.model, loaded.tokenizer, {"zh": set_of(loaded.model)}, {"zh": "zh.txt"}, documents=8, trained_controls=1,
        tasks=["bpb"], languages=("en", "zh"), limit=2, data="embedded", out="o", progress=(said := Told()),
    )  # fmt: skip
    assert "6 cells, 0 to compute, in o" in said.messages
    assert "2 trainings of up to 8 documents, in o" in said.messages
    assert json.loads((tmp_path / "o" / "improvement.json").read_text()) == written
    frame = made.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert set(frame.kind) == {"specific", "random", "difference"}
    first = frame[(frame.languages == "zh") & (frame.kind == "specific")].iloc[0]
    assert first.change == written["tables"][0]["columns"][0]["effects"][0]["specific"]["mean"]["value"]
    assert "bpb after training 24 neurons on zh" in made._repr_html_()
    assert [table.trained for table in mean_changes([tmp_path / "o"]).tables] == [("zh",)]


class Told(Silent):
    """Keeps what is told."""

    def __init__(self):
        self.messages = []

    def tell(self, message):
        self.messages.append(message)


def test_wrong_input_is_told_before_anything_is_trained(model, tmp_path):
    tokenizer, neurons = make_tokenizer(), set_of(model)
    other = neurons.described(language="es")
    (tmp_path / "file").touch()
    for arguments, message in (
        ({"neurons": neurons}, "found no texts"),
        ({"neurons": neurons, "texts": {"es": TEXTS}}, "a corpus has no neuron set; found es"),
        (
            {"neurons": {"zh": neurons, "es": other}, "texts": TEXTS},
            "texts name no language",
        ),
        ({"neurons": neurons, "texts": TEXTS, "documents": ()}, "unusable `documents`"),
        ({"neurons": neurons, "texts": TEXTS, "documents": (6,)}, "6 documents in steps of 4"),
        ({"neurons": neurons, "texts": TEXTS, "tasks": ["nosuch"]}, "unknown task"),
        ({"neurons": neurons, "texts": TEXTS, "merge": tmp_path}, "is not empty"),
    ):
        with pytest.raises(InputError, match=message):
            enhance(model, tokenizer, **arguments)
