"""The engine of a matrix that is replaced when it fails a proof; and that answers of engines do not mix."""

import pytest
from helpers.neuron_sets import make
from helpers.other_engines import Elsewhere

from mwork_eval.application.model_source import find_model
from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.errors import InputError
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.lm.vllm.fault import EngineFaultError
from mwork_eval.matrix.cell_plan import CellPlan, TaskSource
from mwork_eval.matrix.identity import identity_of
from mwork_eval.matrix.plan import Cell, Mask
from mwork_eval.matrix.presets import find_preset
from mwork_eval.matrix.vllm_engine import VllmEngine
from mwork_eval.results.engine import engine_in_words
from mwork_eval.results.store import CellStore

MASKS = [make(q0=[1, 2]), make(up1=[2])]


class Failing(Elsewhere):
    """An engine whose masks fail from the ``first`` one on, so many times in a row."""

    def __init__(self, first: int, times: int) -> None:
        super().__init__()
        self.masked_before, self.restarts, self.first, self.times = 0, 0, first, times

    def mask(self, what):
        if self.masked_before == self.first and self.times:
            self.times -= 1
            raise EngineFaultError("the engine answers otherwise")
        self.masked_before += 1
        super().mask(what)

    def restart(self):
        self.restarts += 1
        self.off, self.masked = 0, None


def plan_for(model) -> CellPlan:
    """Two families under no mask and two, gone through by family first, so that masks come in turns."""
    setting = find_preset("existence").settings[0]
    masks = [None, *(Mask(setting, "zh", None, neurons) for neurons in MASKS)]
    families = [TaskFamily("bpb", (language,)) for language in ("zh", "en")]
    cells = [Cell(mask, family, family.languages[0]) for family in families for mask in masks]
    source = TaskSource(("bpb_zh", "bpb_en"), "embedded", Sample(2))
    tasks = source.prepare()
    identities = [identity_of(model.identity, cell.intervention, tasks[cell.task]) for cell in cells]
    return CellPlan(cells=cells, identities=identities, source=source, tasks=tasks)


def test_each_mask_is_loaded_once(tmp_path):
    model = Failing(0, 0)
    assert VllmEngine(model, "m").run(plan_for(model), tmp_path) == 6
    assert [off for off in model.done if off] == [2, 1]


def test_an_engine_that_fails_is_replaced_and_what_is_finished_stays(tmp_path):
    model, told, done = Failing(1, 1), [], []
    plan = plan_for(model)
    engine = VllmEngine(model, "m")
    assert engine.run(plan, tmp_path, tell=told.append, advance=lambda _, count: done.append(count)) == 6
    assert model.restarts == 1
    assert told == ["the engine answers otherwise: another engine is started"]
    assert sum(done) == 6
    assert [off for off in model.done if off] == [2, 1]
    assert not plan.missing(CellStore(tmp_path))


def test_engines_that_all_fail_end_with_one_error_and_keep_the_cells(tmp_path):
    model = Failing(1, 9)
    plan = plan_for(model)
    with pytest.raises(InputError, match="answers otherwise; what is finished is kept"):
        VllmEngine(model, "m").run(plan, tmp_path)
    assert model.restarts == 1
    assert len(plan.missing(CellStore(tmp_path))) == 2


def test_a_fault_after_the_last_cell_costs_nothing(tmp_path):
    class FailsAtTheEnd(Failing):
        def unmask(self):
            if self.masked_before == len(MASKS):
                raise EngineFaultError("the engine answers otherwise")
            super().unmask()

    model = FailsAtTheEnd(9, 0)
    plan = plan_for(model)
    assert VllmEngine(model, "m").run(plan, tmp_path) == 6
    assert not plan.missing(CellStore(tmp_path))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"device": "cpu"}, "vLLM places a model itself; found `device`"),
        ({"device_map": "auto"}, "vLLM places a model itself; found `device_map`"),
        ({"model_args": {"data_parallel_size": 2}}, "starts engines anew for every task; found data_parallel_size=2"),
    ],
)
def test_what_vllm_decides_is_refused_before_it_starts(given, message):
    with pytest.raises(InputError, match=message), find_model("gemma3-270m", **given).opened_by_vllm():
        pass


def test_engines_in_words():
    engine = {"name": "vllm", "version": "0.32.0", "dtype": "torch.bfloat16", "tensor_parallel_size": 2}
    assert engine_in_words({}) == "transformers"
    assert engine_in_words(engine) == "vllm 0.32.0, bfloat16, 2 x tensor parallel"
    many = engine | {"quantization": "fp8", "expert_parallel": True, "pipeline_parallel_size": 1}
    assert engine_in_words(many) == "vllm 0.32.0, bfloat16, quantised (fp8), 2 x tensor parallel, expert parallel"
