"""Stage boundaries that a neuron set keeps, and those given by hand."""

import pytest
from helpers.neuron_sets import ES, TUNED_ON, ZH

from mwork_eval.errors import InputError
from mwork_eval.neurons.files import load_neuron_set, save_neuron_set
from mwork_eval.neurons.stages import Stages
from mwork_eval.neurons.tuned_stages import TunedOn, stages_for, tuning_documents, with_stages


def test_a_set_keeps_its_tuned_stages_on_disk(tmp_path):
    save_neuron_set(with_stages(ZH.described(language="zh"), Stages(8, 3, 2), TUNED_ON), tmp_path / "zh.safetensors")
    found = load_neuron_set(tmp_path / "zh.safetensors")
    assert found == ZH
    assert found.about == {"language": "zh", "stages": {"understanding": 3, "generation": 2, "tuned_on": TUNED_ON}}
    assert stages_for([found], 8) == Stages(8, 3, 2)
    assert tuning_documents([found.about]) == {"xquad": TunedOn(16, first=16)}


def test_given_boundaries_win_over_stored_ones_and_stored_ones_over_the_default():
    tuned = [with_stages(neurons, Stages(8, 3, 2), TUNED_ON) for neurons in (ZH, ES)]
    assert stages_for(tuned, 8, understanding=1) == Stages(8, 1, 2)
    assert stages_for(tuned, 8, generation=4) == Stages(8, 3, 4)
    assert stages_for(tuned, 8, 0, 0) == Stages(8, 0, 0)
    assert stages_for([ZH, ES], 8) == stages_for([], 8) == Stages.of(8)
    assert tuning_documents([ZH.about, ES.about]) == {}


def test_sets_that_store_different_boundaries_need_given_ones():
    zh = with_stages(ZH.described(language="zh"), Stages(8, 3, 2), TUNED_ON)
    for other, named in ((with_stages(ES, Stages(8, 2, 2), TUNED_ON), "2 understanding"), (ES, "a set none")):
        with pytest.raises(InputError, match=f"different stage boundaries; found zh 3 understanding.*{named}"):
            stages_for([zh, other], 8, understanding=1)
        assert stages_for([zh, other], 8, 1, 1) == Stages(8, 1, 1)
    more = with_stages(ES, Stages(8, 3, 2), {**TUNED_ON, "documents": 20})
    named = with_stages(ES, Stages(8, 3, 2), {**TUNED_ON, "documents": 2, "items": ["q7", "q9"]})
    found = tuning_documents([zh.about, more.about, named.about, ES.about])
    assert found == {"xquad": TunedOn(20, frozenset({"q7", "q9"}), first=20)}
    of_tasks = with_stages(ES, Stages(8, 3, 2), {**TUNED_ON, "tasks": ["xquad_en", "xquad_es"]})
    found = tuning_documents([zh.about, of_tasks.about])
    assert found == {"xquad": TunedOn(16, first=16, tasks=frozenset({"xquad_en", "xquad_es"}))}
