"""The sweep over stage boundaries on a tiny model, and the tables of sets that were tuned."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.neuron_sets import EDGES, TUNED_ON

from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import evaluate_task
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.lm.model import MworkHF
from mwork_eval.matrix.cell_plan import TaskSource
from mwork_eval.matrix.identity import ModelFacts
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.planning import plan_matrix
from mwork_eval.matrix.runner import run_matrix
from mwork_eval.matrix.settings import Preset, Setting
from mwork_eval.matrix.sweep import plan_sweep, prepare_tuning, sweep_scores
from mwork_eval.matrix.tuning import plan_grid
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.stages import Stages
from mwork_eval.neurons.tuned_stages import with_stages
from mwork_eval.results.store import CellStore


@pytest.fixture(scope="module")
def model(tiny_llama) -> MworkHF:
    return MworkHF(str(tiny_llama), device="cpu", batch_size=4)


@pytest.fixture(scope="module")
def sweep(model):
    """A grid on the tiny model's 4 layers in which every other point repeats a mask, and its plan."""
    shape = model.layout.shape
    places = {(0, "q"): 2, (0, "up"): 4, (3, "k"): 1, (3, "up"): 8}
    found = NeuronSet(shape, {place: np.arange(1, count + 1) for place, count in places.items()})
    # layer 1 has no neuron, so one or two understanding layers are the same
    grid = plan_grid(found, EDGES, (1, 2), (0, 1))
    source = TaskSource(("bpb_en", "bpb_zh"), "embedded", Sample(2))
    family = TaskFamily("bpb", ("en", "zh"))
    return grid, plan_sweep(ModelFacts.of(model, "tiny"), grid, family, EDGES, source, prepare_tuning(source))


def test_equal_masks_and_the_baseline_are_scored_once(sweep):
    grid, plan = sweep
    assert grid[0].neurons == grid[2].neurons
    assert grid[1].neurons == grid[3].neurons
    assert len(plan.cells) == 2 + 4 * 2
    assert [cell.label for cell in plan.distinct.values()] == [
        "baseline · bpb_en",
        "baseline · bpb_zh",
        "1 + 0 layers · bpb_en",
        "1 + 0 layers · bpb_zh",
        "1 + 1 layers · bpb_en",
        "1 + 1 layers · bpb_zh",
    ]


def test_a_sweep_scores_what_a_model_with_that_mask_scores_and_goes_on_after_an_interruption(
    model, sweep, tiny_llama, tmp_path
):
    grid, plan = sweep
    store = CellStore(tmp_path)

    def interrupt(label: str, done: int) -> None:
        if (label, done) == ("1 + 0 layers · bpb_zh", 0):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_matrix(model, plan, tmp_path, advance=interrupt)
    with pytest.raises(InputError, match="a score of the sweep is gone"):
        sweep_scores(plan, store)
    assert run_matrix(model, plan, tmp_path) == 3
    baseline, masked = sweep_scores(plan, store)
    assert model.masked is None
    assert masked[1, 0] == masked[2, 0]

    fresh = MworkHF(str(tiny_llama), device="cpu", batch_size=4)
    for language in ("en", "zh"):
        assert evaluate_task(fresh, plan.tasks[f"bpb_{language}"])[0].documents == baseline[language].documents
    for point in grid[:2]:
        fresh.mask(point.neurons)
        for language in ("en", "zh"):
            expected = evaluate_task(fresh, plan.tasks[f"bpb_{language}"])[0]
            assert expected.documents == masked[point.boundaries][language].documents
    assert len({masked[1, 0]["zh"].score, masked[1, 1]["zh"].score, baseline["zh"].score}) == 3


def test_a_matrix_of_tuned_sets_takes_their_stages_and_leaves_their_documents_out(model):
    facts, layers = ModelFacts.of(model, "tiny"), model.layout.shape.layers
    everywhere = NeuronSet(
        facts.shape,
        {(layer, structure): np.arange(3) for layer in range(layers) for structure in ("q", "up")},
        {"fingerprint": facts.fingerprint},
    )
    tuned = with_stages(everywhere, Stages(layers, 2, 1), {**TUNED_ON, "task": "bpb", "documents": 3})
    table = Preset("own", None, "", "bpb", (Setting(random=False, positions=EDGES),))
    options = MatrixOptions((table,), ("bpb", "xcsqa"), ("en", "zh"), limit=2, data="embedded")

    def planned(neurons: NeuronSet, **given: int):
        plan = plan_matrix(facts, {"zh": neurons}, replace(options, **given))
        documents = {}
        for name, task in plan.tasks.items():
            every = list(task.task.eval_docs)
            documents[name] = sorted({every.index(instance.doc) for instance in task.task.instances})
        return plan.stages, documents

    # The first two of the even order 0, 8, 4, … that are not among the three first of the file.
    first, after, of_choices = [0, 8], [4, 8], [0, 16]
    assert planned(tuned) == (
        Stages(layers, 2, 1),
        {"bpb_en": after, "bpb_zh": after, "xcsqa_en": of_choices, "xcsqa_zh": of_choices},
    )
    assert planned(tuned, understanding_layers=1, generation_layers=0)[0] == Stages(layers, 1, 0)
    assert planned(everywhere) == (
        Stages.of(layers),
        {"bpb_en": first, "bpb_zh": first, "xcsqa_en": of_choices, "xcsqa_zh": of_choices},
    )


@pytest.mark.parametrize("limit", [5000, None])
def test_tuning_on_every_document_leaves_none_for_the_tables(limit):
    with pytest.raises(InputError, match=rf"tuning on {limit or 'all'} documents of bpb_en leaves none for the tables"):
        prepare_tuning(TaskSource(("bpb_en", "bpb_zh"), "embedded", Sample(limit)))
