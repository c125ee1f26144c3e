"""What a matrix will cost, against counting the slow way."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import make_model, make_tokenizer
from rich.console import Console
from torch import nn

from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.evaluation.prepared_task import PreparedTask
from mwork_eval.matrix import estimate
from mwork_eval.matrix.estimate import estimate_matrix, measure_task
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.plan import Cell
from mwork_eval.models.inspection import Inspection
from mwork_eval.models.layout import Layout
from mwork_eval.results.manifest import Manifest
from mwork_eval.results.store import save_manifest
from mwork_eval.terminal.estimates import print_matrix_cost

REQUESTS = [
    ("loglikelihood", ("The question of the day is whether", " yes")),
    ("loglikelihood", ("The question of the day is whether", " no, never")),
    ("loglikelihood_rolling", ("A whole text of some words",)),
    ("generate_until", ("Say something", {"until": ["\n"], "max_gen_toks": 32})),
    ("generate_until", ("Say more", {"until": ["\n"]})),
]


@pytest.fixture
def task() -> PreparedTask:
    instances = [SimpleNamespace(request_type=kind, args=args) for kind, args in REQUESTS]
    return PreparedTask("t_en", SimpleNamespace(instances=instances), None, None, "d", len(instances))


def test_tokens_are_those_of_the_requests(task):
    tokenizer = make_tokenizer()

    def count(text):
        return len(tokenizer.encode(text))

    size = measure_task(task, tokenizer)
    texts = [
        "The question of the day is whether yes",
        "The question of the day is whether no, never",
        "A whole text of some words",
        "Say something",
        "Say more",
    ]
    assert size.requests == 5
    assert size.prompt_tokens == sum(count(text) for text in texts)
    assert size.scored_tokens == sum(
        [
            count(texts[0]) - count("The question of the day is whether"),
            count(texts[1]) - count("The question of the day is whether"),
            count(texts[2]),
        ]
    )
    assert size.generated_tokens == 32 + 256
    shared = len(
        tuple(
            itertools.takewhile(lambda pair: pair[0] == pair[1], zip(*map(tokenizer.encode, texts[:2]), strict=False))
        )
    )
    assert shared >= 8
    assert size.computed_tokens == size.prompt_tokens - shared


@pytest.mark.parametrize("family", ["llama", "gemma3", "phi3", "gpt2"])
def test_weights_of_a_token_are_those_of_the_layers(family):
    model = make_model(family)
    layout = Layout.of(model)
    kinds = (
        (nn.Linear, type(next(m for m in model.modules() if "Conv1D" in type(m).__name__)))
        if family == "gpt2"
        else nn.Linear
    )
    linear = [m for layer in layout.layers for m in layer.modules() if isinstance(m, kinds)]
    assert layout.weights_per_token == sum(module.weight.numel() for module in linear)


def test_a_token_meets_the_experts_it_is_sent_to():
    model = make_model("mixtral")
    layer = model.get_decoder().layers[0]
    attention = sum(m.weight.numel() for m in layer.self_attn.modules() if isinstance(m, nn.Linear))
    experts = sum(parameter.numel() for parameter in layer.mlp.experts.parameters())
    assert model.config.num_experts_per_tok == 2
    per_layer = attention + 2 * experts // model.config.num_local_experts
    assert Layout.of(model).weights_per_token == per_layer * model.config.num_hidden_layers


@pytest.mark.parametrize(
    ("was", "given", "dtype", "known"),
    [
        ({}, {}, None, True),
        ({}, {}, "float32", True),
        ({}, {}, "bfloat16", False),
        ({}, {"max_length": 8}, None, False),
        ({"max_length": 8}, {}, None, False),
        ({"max_length": 8}, {"max_length": 8, "max_batch_size": 4}, None, True),
        ({"peft": "a"}, {"peft": "b"}, None, False),
    ],
)
def test_a_folder_is_taken_for_this_models_only_if_its_answers_would_be_the_same(
    was, given, dtype, known, tmp_path, monkeypatch
):
    planned = []
    plan = SimpleNamespace(missing=lambda store: [])
    monkeypatch.setattr(estimate, "plan_matrix", lambda facts, *_: planned.append(facts.identity) or plan)
    manifest = Manifest.read(Path(__file__).parents[1] / "data" / "manifest_v1.json")
    save_manifest(tmp_path, manifest.model_copy(update={"model_args": was}))
    inspection = Inspection(manifest.model, Layout.of(make_model("llama")), 1000, "float32", None)
    options = MatrixOptions((), (), ("en", "zh"), model_args=given)
    estimate.plan_without_weights(inspection, {}, options, tmp_path, dtype)
    assert planned == [manifest.model_identity if known else ""]


def test_a_matrix_costs_what_its_missing_cells_cost(task):
    layout = Layout.of(make_model("llama"))
    inspection = Inspection("tiny", layout, 1000, "float32", None)
    cell = Cell(None, TaskFamily("t", ("en",)), "en")
    plan = SimpleNamespace(distinct={"a": cell, "b": cell, "c": cell}, tasks={"t_en": task})
    cost = estimate_matrix(inspection, make_tokenizer(), plan, [("a", cell), ("b", cell)])
    size = measure_task(task, make_tokenizer())
    layers, head = layout.weights_per_token, layout.model.get_output_embeddings().weight.numel()
    per_cell = 2 * layers * (size.computed_tokens + size.generated_tokens)
    per_cell += 2 * head * (size.scored_tokens + size.generated_tokens)
    assert (cost.cells, cost.finished) == (3, 1)
    assert cost.operations == 2 * per_cell
    assert cost.tasks == {"t_en": (2, size)}
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    print_matrix_cost(cost, speed=4.0 * per_cell / 60, weights=2**31, batch=2**28, console=console)
    said = console.export_text()
    assert "3 cells, 1 finished, 2 to compute" in said
    # half of the speed does one cell in half a minute
    assert "10 requests" in said
    assert "about 1.0 minutes" in said
    assert "2.2 GiB: 2.0 of weights and 0.2 of a batch" in said
