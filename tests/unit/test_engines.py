"""The seam of engines: a row of the table is all that a new one takes, and what it lacks is told before it starts."""

from contextlib import contextmanager

import numpy as np
import pytest
from conftest import make_model, make_tokenizer

from mwork_eval.application.ablate import ablate
from mwork_eval.application.engines import ENGINES, EngineRow, check_engine
from mwork_eval.application.progress import Silent
from mwork_eval.errors import InputError
from mwork_eval.matrix.serial_engine import SerialEngine
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import NeuronSet


def test_a_new_engine_is_a_row(monkeypatch):
    asked = []

    class Counting(SerialEngine):
        def run(self, plan, folder, **how):
            asked.append((len(plan.distinct), how["shard"]))
            return super().run(plan, folder, **how)

    @contextmanager
    def start(model, workers, tell):
        with model.opened() as lm:
            yield Counting(lm, f"{model.name} by {workers}")

    monkeypatch.setitem(ENGINES, "counting", EngineRow(start, extra="click", has_workers=True, takes_memory=True))
    model = make_model("llama")
    layout = Layout.of(model)
    neurons = NeuronSet(layout.shape, {(0, "up"): np.arange(3)}, {"fingerprint": fingerprint_of(model)})
    found = ablate(
        model, make_tokenizer(), {"zh": neurons}, tasks="bpb", limit=1, seeds=[1], data="embedded", engine="counting",
        workers=3, progress=Silent(),
    )  # fmt: skip
    assert asked == [(6, (0, 1))]
    assert found.results.manifest.model == "LlamaForCausalLM by 3"
    assert found.has_tables


@pytest.mark.parametrize(
    ("name", "workers", "message"),
    [
        ("cluster", None, "unknown engine; found 'cluster'; expected one of serial ray vllm"),
        ("serial", 2, "`workers` is for `engine=ray`; found `engine=serial`"),
        ("ray", None, r"`engine=ray` needs the extra ray; pip install 'mwork-eval\[ray\]'"),
        ("vllm", None, r"`engine=vllm` needs the extra vllm; pip install 'mwork-eval\[vllm\]'"),
        ("vllm", 2, "`workers` is for `engine=ray`; found `engine=vllm`"),
    ],
)
def test_what_cannot_start_is_told_before_a_model_loads(monkeypatch, name, workers, message):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=message):
        check_engine(name, workers)
