"""A matrix runs on any model of lm-eval that can be masked, without weights in this process as well."""

import pytest
from helpers.neuron_sets import SHAPE, make
from helpers.other_engines import Elsewhere

from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.lm.maskable import MaskableLM
from mwork_eval.matrix.cell_plan import CellPlan, TaskSource
from mwork_eval.matrix.identity import ModelFacts, identity_of
from mwork_eval.matrix.plan import Cell, Mask
from mwork_eval.matrix.presets import find_preset
from mwork_eval.matrix.runner import run_matrix
from mwork_eval.results.store import CellStore


def test_a_matrix_runs_on_a_model_that_is_no_mwork_hf(tmp_path):
    model: MaskableLM = Elsewhere()
    family = TaskFamily("bpb", ("zh", "en"))
    masks = [None, Mask(find_preset("existence").settings[0], "zh", None, make(q0=[1, 2], up1=[2]))]
    cells = [Cell(mask, family, language) for mask in masks for language in family.languages]
    source = TaskSource(("bpb_zh", "bpb_en"), "embedded", Sample(2))
    tasks, facts = source.prepare(), ModelFacts.of(model, "elsewhere")
    assert facts == ModelFacts("elsewhere", "i", "f", "torch.float32", SHAPE, {"name": "an engine", "version": "1"})
    identities = [identity_of(facts.identity, cell.intervention, tasks[cell.task]) for cell in cells]
    plan = CellPlan(cells=cells, identities=identities, source=source, tasks=tasks)
    assert run_matrix(model, plan, tmp_path) == 4
    assert model.checked[0] == ["bpb_zh", "bpb_en"]
    store = CellStore(tmp_path)
    baseline, _, masked, _ = (store.load(identity) for identity in identities)
    assert masked.metrics[masked.metric] == pytest.approx(4 * baseline.metrics[baseline.metric])
    assert model.done == [0, 0, 3, 0]  # the mask stays from one cell to the next
