"""Every kind of intervention is what a hook written the slow way does, and comes undone bit by bit."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from helpers.architectures import build
from helpers.slow_interventions import MEMBERS, carrier, changed_slowly, layers_of, logits_of

from mwork_eval.errors import InputError
from mwork_eval.interventions.activations import change_activations
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.interventions.zero import zero_neurons
from mwork_eval.models.layout import Layout
from mwork_eval.models.slice_editor import SliceEditor


@cache
def made(member):
    model = build(member)
    layout = Layout.of(model)
    return model, layout, carrier(layout.shape, model.config.hidden_size)


def state(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same_state(model, before):
    return all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def constants(neurons, label):
    values = neurons.activations[label]
    return lambda layer, structure, index, old: torch.full_like(old, float(values[layer, structure][index]))


def near(found, expected):
    return torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * float(expected.std()))


CHANGES = {
    "zero": lambda neurons: lambda layer, structure, index, old: 0 * old,
    "scale:0.5": lambda neurons: lambda layer, structure, index, old: 0.5 * old,
    "scale:-3": lambda neurons: lambda layer, structure, index, old: -3 * old,
    "mean": lambda neurons: constants(neurons, "mean.zh"),
    "towards:de": lambda neurons: constants(neurons, "mean.de"),
    "towards:de:statistic=median": lambda neurons: constants(neurons, "median.de"),
}


@pytest.mark.parametrize("text", CHANGES)
@pytest.mark.parametrize("member", MEMBERS)
def test_a_kind_is_what_slow_hooks_do(member, text):
    model, layout, neurons = made(member)
    before, untouched = state(model), logits_of(model)
    with changed_slowly(member, model, neurons, CHANGES[text](neurons)):
        expected = logits_of(model)
    assert not near(untouched, expected)
    with Intervention.of(neurons, text).apply(layout):
        assert near(logits_of(model), expected)
    assert same_state(model, before)
    assert torch.equal(logits_of(model), untouched)


@pytest.mark.parametrize("member", ["llama", "gpt2", "gpt_oss"])
def test_scaled_activations_are_scaled_weights(member):
    model, layout, neurons = made(member)
    with SliceEditor() as undo:
        change_activations(layout, neurons.indices, lambda states: states * 0.25, undo)
        expected = logits_of(model)
    with Intervention.of(neurons, "scale:0.25").apply(layout):
        assert near(logits_of(model), expected)


@pytest.mark.parametrize("member", MEMBERS)
def test_scale_of_nothing_is_zero_and_of_one_the_model(member):
    model, layout, neurons = made(member)
    before, untouched = state(model), logits_of(model)
    with zero_neurons(layout, neurons):
        zero, zeroed = state(model), logits_of(model)
    with Intervention.of(neurons, "scale:0").apply(layout):
        assert same_state(model, zero)
        assert torch.equal(logits_of(model), zeroed)
    with Intervention.of(neurons, "scale:1").apply(layout):
        assert same_state(model, before)
        assert torch.equal(logits_of(model), untouched)


@pytest.mark.parametrize("member", ["llama", "gpt2", "mixtral", "gemma3_text"])
@pytest.mark.parametrize(
    ("text", "others", "layers", "strength"),
    [
        ("residual:de", ("en", "es", "zh"), (0, 1), 1),
        ("residual:de:from=zh", ("zh",), (0, 1), 1),
        ("residual:de:from=zh:layers=1:strength=-2.5", ("zh",), (1,), -2.5),
    ],
)
def test_residual_adds_differences_of_means(member, text, others, layers, strength):
    model, layout, neurons = made(member)
    untouched, handles = logits_of(model), []
    for layer in layers if len(layers) == 1 else range(layout.shape.layers):
        means = {name: neurons.activations[f"mean.{name}"][layer, "residual"] for name in ("de", *others)}
        away = [sum(float(means[name][d]) for name in others) / len(others) for d in range(len(means["de"]))]
        vector = torch.tensor([strength * (float(means["de"][d]) - away[d]) for d in range(len(away))])

        def add(_, __, output, vector=vector):
            return (output[0] + vector, *output[1:]) if isinstance(output, tuple) else output + vector

        handles.append(layers_of(model)[layer].register_forward_hook(add))
    expected = logits_of(model)
    for handle in handles:
        handle.remove()
    assert not near(untouched, expected)
    before = state(model)
    with Intervention.of(neurons, text).apply(layout):
        assert near(logits_of(model), expected)
        assert same_state(model, before)
    assert torch.equal(logits_of(model), untouched)


def test_residual_does_not_depend_on_the_neurons_that_carry_it():
    _, _, neurons = made("llama")
    other = Intervention.of(carrier(neurons.shape, 32, seed=0).strongest(2), "residual:de")
    own = Intervention.of(neurons, "residual:de")
    assert own == other
    assert own.describe() == {**other.describe(), "about": own.describe()["about"]}
    assert (own.describe()["total"], own.describe()["by_structure"]) == (0, {})
    empty = neurons - neurons
    assert not Intervention.of(empty, "residual:de").is_nothing
    assert Intervention.of(empty, "towards:de").is_nothing


def test_digests_differ_wherever_answers_may():
    _, _, neurons = made("llama")
    texts = [
        "zero", "scale:0.5", "scale:2", "mean", "towards:de", "towards:en", "towards:de:statistic=median",
        "residual:de", "residual:de:from=zh", "residual:de:layers=0-1", "residual:de:layers=1",
        "residual:de:strength=2",
    ]  # fmt: skip
    made_of = [Intervention.of(neurons, text) for text in texts]
    others = carrier(neurons.shape, 32, seed=5)
    changed = {**neurons.activations, "mean.de": others.activations["mean.de"]}
    moved = type(neurons)(neurons.shape, neurons.indices, neurons.about, activations=changed)
    made_of += [Intervention.of(moved, text) for text in ("towards:de", "residual:de", "residual:en")]
    made_of += [Intervention.of(others, text) for text in ("zero", "scale:0.5")]
    assert len({one.digest for one in made_of}) == len(made_of)
    assert len(set(made_of)) == len(made_of)
    assert Intervention.of(moved, "mean") == Intervention.of(neurons, "mean")


def test_texts_have_one_form_and_are_read_again():
    _, _, neurons = made("llama")
    forms = {
        "zero": "zero",
        "mean": "mean",
        "scale:.50": "scale:0.5",
        "scale:2.0": "scale:2",
        "towards:German": "towards:de",
        "towards:de:statistic=mean": "towards:de",
        "towards:de:statistic=median": "towards:de:statistic=median",
        "residual:de:strength=1": "residual:de",
        "residual:de:strength=2:layers=0-1:from=zh": "residual:de:from=zh:layers=0-1:strength=2",
        "residual:de:layers=1": "residual:de:layers=1-1",
    }
    for text, form in forms.items():
        found = Intervention.of(neurons, text)
        assert found.text == form
        assert Intervention.of(neurons, form) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("halve", "unknown kind of intervention; found halve; expected one of zero mean scale towards residual"),
        ("zero:1", "unusable intervention zero; found zero:1; expected zero"),
        ("mean:de", "unusable intervention mean"),
        ("scale", "unusable intervention scale; found scale; expected scale:FACTOR"),
        ("scale:", "unusable intervention scale"),
        ("scale:much", "is no number; found 'much'"),
        ("scale:inf", "is no number"),
        ("towards", "expected towards:LANGUAGE"),
        ("towards:xx1", "unknown language"),
        (
            "towards:fr",
            r"lacks activations that the .* needs; found .*mean.de.*; expected mean.fr; detect again",
        ),
        ("towards:es:statistic=median", "expected median.es"),
        ("towards:de:statistic=mode", "unknown statistic of towards; found 'mode'; expected mean or median"),
        ("towards:de:layers=1", "unknown option of towards; found 'layers=1'"),
        ("towards:statistic=median", "no language in towards"),
        ("residual:de:from=de", "from a language to itself"),
        ("residual:de:from=fr", "expected mean.fr"),
        ("residual:de:layers=2-1", "unusable layers of residual"),
        ("residual:de:layers=a", "unusable layers of residual; found 'a'"),
        ("residual:de:layers=1-2", "the model has no such layers; found layers=1-2; expected 0 to 1"),
        ("residual:de:strength=", "unknown option of residual"),
        ("residual:de:strength=a", "the strength of residual is no number"),
        ("residual:de:strength=1:strength=2", "stands twice; found strength"),
        (0.5, "no intervention; found 0.5"),
    ],
)
def test_texts_that_are_wrong_give_one_line(text, message):
    _, _, neurons = made("llama")
    with pytest.raises(InputError, match=message) as raised:
        Intervention.of(neurons, text)
    assert "\n" not in str(raised.value)


def test_sets_that_lack_values_are_refused():
    _, _, neurons = made("llama")
    plain = replace(neurons, activations={})
    for text in ("mean", "towards:de", "residual:de"):
        with pytest.raises(InputError, match=r"a set without activations; .*record=activations"):
            Intervention.of(plain, text)
    with pytest.raises(InputError, match="does not say whose it is"):
        Intervention.of(type(neurons)(neurons.shape, neurons.indices), "mean")
    some = {"mean.de": {(0, "q"): np.zeros(32, np.float32)}}
    part = type(neurons)(neurons.shape, neurons.indices, activations=some)
    with pytest.raises(InputError, match=r"without layers\.0\.k"):
        Intervention.of(part, "towards:de")
    with pytest.raises(InputError, match="no other language's means"):
        Intervention.of(part, "residual:de")


def test_a_replaced_neuron_wins_over_a_zeroed_one_in_any_order():
    model, layout, neurons = made("llama")
    # Not o: a zero column ignores whatever comes in.
    neurons = replace(neurons, indices={place: own for place, own in neurons.indices.items() if place[1] != "o"})
    untouched = logits_of(model)
    with Intervention.of(neurons, "towards:de").apply(layout):
        expected = logits_of(model)
    for order in (("zero", "towards:de"), ("towards:de", "zero")):
        outer = Intervention.of(neurons, order[0]).apply(layout)
        with Intervention.of(neurons, order[1]).apply(layout):
            assert near(logits_of(model), expected)
        outer.close()
        assert torch.equal(logits_of(model), untouched)
    with Intervention.of(neurons, "towards:en").apply(layout), Intervention.of(neurons, "towards:de").apply(layout):
        assert near(logits_of(model), expected)
