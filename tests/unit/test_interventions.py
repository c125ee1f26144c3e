"""Interventions: zeroing is known as it always was, and no other kind takes the answers stored of it."""

import json
import pickle
from types import SimpleNamespace

import pytest
import torch
from conftest import make_model, make_tokenizer
from helpers.enhancement_models import neurons_of
from helpers.neuron_sets import make
from helpers.slow_interventions import carrier, logits_of

from mwork_eval.errors import InputError
from mwork_eval.evaluation.prepared_task import PreparedTask
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.interventions.kinds import KINDS, ZERO, Kind
from mwork_eval.lm.model import MworkHF
from mwork_eval.matrix import compute, identity
from mwork_eval.matrix.ray_worker import CellWorker
from mwork_eval.models.layout import Layout
from mwork_eval.models.slice_editor import SliceEditor

ZH = make(q0=[1, 2], up1=[2, 5, 6], q3=[4], up3=[0, 1, 2, 3], v7=[1], up7=[3, 4])
TASK = PreparedTask("xquad_zh", SimpleNamespace(instances=[]), None, None, "d1", 0)


class Cache(dict):
    """The part of lm-eval's cache that says whose answers it holds."""

    filename = "cache"

    def commit(self):
        pass


def take_cache(lm, cache) -> str:
    lm.set_cache_hook(SimpleNamespace(dbdict=cache))
    return cache["mwork-eval identity"]


@pytest.fixture
def lm():
    lm = MworkHF(make_model("llama"), tokenizer=make_tokenizer(), batch_size=1)
    lm.__dict__["_base_identity"] = "i"
    return lm


@pytest.fixture
def scale(monkeypatch):
    """Another kind, as a researcher would add it: the weights of a neuron times a number."""

    def apply(layout, neurons, factor):
        with SliceEditor() as undo:
            for place, indices in neurons.indices.items():
                weight, at = layout.blocks[place][0].weight, (torch.tensor(indices).long(),)
                undo.write(weight, at, weight.detach()[at] * factor)
            return undo.pop_all()

    monkeypatch.setitem(KINDS, "scale", Kind(apply, lambda layout: "scaled weights"))


def test_zeroing_is_known_as_before_there_were_kinds(lm, monkeypatch):
    monkeypatch.setattr(identity, "software_versions", lambda: {"torch": "2"})
    monkeypatch.setattr(identity, "judge_version", lambda: "1")
    assert Intervention(ZH).digest == "8be5815a0e43f6dc5a9d6c3bb12df5497998fdb0eb5185a87db440d46e012857"
    assert identity.identity_of("m", Intervention(ZH), TASK) == "e061c8917b0d7e2b-1857a4eafe06f455f7fe61429796db60"
    assert identity.identity_of("m", None, TASK) == "7cca3fc4c1d6657b-3df11ce4c22b738df416cd387046aad6"
    lm.mask(neurons_of(lm.layout, language="zh"), {"neurons": "x/zh", "positions": "all"})
    assert json.dumps(lm.masked) == (
        '{"neurons": "x/zh", "positions": "all", "by": "weights", '
        '"digest": "1328bd812fc3c0e254b70c9904d384e8ac07e7e16a2231a3505689f9ffe160ba", "total": 24, "of": 320, '
        '"by_structure": {"k": 6, "q": 6, "up": 6, "v": 6}, "about": {"language": "zh"}}'
    )
    assert take_cache(lm, Cache()) == "133b1c3901305d6fe8d0dcadf25be42f60ed39eb046ab3e26f8a4f0fdcb01110"


def test_another_kind_never_takes_the_answers_of_zeroing(lm, scale):
    neurons = neurons_of(lm.layout)
    kinds = [Intervention(neurons), Intervention(neurons, "scale", 0.5), Intervention(neurons, "scale", 2)]
    assert len({kind.digest for kind in kinds}) == 3
    groups = [identity.identity_of("m", kind, TASK).partition("-")[0] for kind in kinds]
    assert len({*groups, identity.identity_of("m", None, TASK).partition("-")[0]}) == 4
    described, caches = [], []
    for kind in kinds:
        lm.mask(kind)
        described.append(lm.masked)
        caches.append(Cache())
        take_cache(lm, caches[-1])
    assert len({cache["mwork-eval identity"] for cache in caches}) == 3
    with pytest.raises(InputError, match="answers of another model or mask"):
        take_cache(lm, caches[0])
    assert [one["digest"] for one in described] == [kind.digest for kind in kinds]
    assert [one.get("kind") for one in described] == [None, "scale", "scale"]
    assert [(one["by"], one.get("value")) for one in described[1:]] == [("scaled weights", 0.5), ("scaled weights", 2)]


def test_a_cell_is_computed_under_its_own_intervention(lm, scale, monkeypatch):
    weight, neurons, seen = lm.layout.blocks[1, "q"][0].weight, neurons_of(lm.layout), []
    before = weight.detach().clone()
    monkeypatch.setattr(compute, "evaluate_task", lambda model, task, known: seen.append(weight[0].tolist()))
    kinds = [Intervention(neurons, "scale", 2), Intervention(neurons), Intervention(neurons, "scale", 1), None]
    for kind in kinds:
        compute.compute_cell(lm, kind, TASK)
    assert seen == [(before[0] * factor).tolist() for factor in (2, 0, 1, 1)]
    assert torch.equal(weight, before)
    assert lm.masked is None


def test_an_intervention_survives_the_way_to_a_worker(lm, scale, monkeypatch):
    neurons, asked = neurons_of(lm.layout, language="zh"), []
    worker = CellWorker(lambda: lm, "m")
    worker._tasks = {"t": TASK}
    monkeypatch.setattr("mwork_eval.matrix.ray_worker.compute_cell", lambda *arguments: asked.append(arguments[1]))
    sent = [Intervention(neurons), Intervention(neurons, "scale", 0.5), None]
    for intervention in sent:
        worker.compute(pickle.loads(pickle.dumps(intervention)), "t", {})
    assert asked == sent
    assert asked[0].neurons.about == {"language": "zh"}


def test_what_is_no_intervention_is_refused(scale):
    with pytest.raises(InputError, match="unknown kind of intervention; found halve; expected one of zero mean scale"):
        Intervention(ZH, "halve")
    with pytest.raises(InputError, match=r"value of the intervention zero; found 0\.5; expected none"):
        Intervention(ZH, ZERO, 0.5)
    with pytest.raises(InputError, match="value of the intervention scale; expected a value"):
        Intervention(ZH, "scale")
    for value in (torch.zeros(3), float("nan")):
        with pytest.raises(InputError, match="has no digest"):
            Intervention(ZH, "scale", value)


def test_equal_neurons_in_another_order_are_one_intervention():
    other = make(up7=[4, 3], v7=[1], up3=[3, 2, 1, 0]) | ZH
    assert Intervention(other) == Intervention(ZH)
    assert len({Intervention(other), Intervention(ZH)}) == 1


VALUES = {"towards": {"language": "de"}, "residual": {"language": "de", "from": "zh"}}


def test_every_kind_undoes_what_it_did():
    model = make_model("llama")
    layout = Layout.of(model)
    neurons = carrier(layout.shape, model.config.hidden_size)
    untouched = logits_of(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for name, kind in KINDS.items():
        with Intervention(neurons, name, VALUES.get(name, 0.5) if kind.takes_value else None).apply(layout):
            assert not torch.equal(logits_of(model), untouched)
        assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
        assert torch.equal(logits_of(model), untouched)
