"""What was read of a model is proven on its weights: right layouts agree, wrong ones are named."""

from dataclasses import replace

import pytest
import torch
from conftest import CONFIGS, VARIANTS, make_model, make_tokenizer
from helpers.commands import mwork

import mwork_eval
from mwork_eval.application import inspect as verb
from mwork_eval.application import mask_check, self_check
from mwork_eval.application.mask_check import check_masks
from mwork_eval.application.sample_text import tokens_to_try
from mwork_eval.application.self_check import check_layout
from mwork_eval.detection import verification
from mwork_eval.detection.layer_replay import computing_in
from mwork_eval.detection.verification import layers_to_verify, verify
from mwork_eval.errors import InputError
from mwork_eval.interventions.weights import zero_weights
from mwork_eval.models import architectures
from mwork_eval.models.architectures import is_covered, known_architectures
from mwork_eval.models.layout import Layout

TOKENS = torch.randint(4, 384, (24,), generator=torch.Generator().manual_seed(1)).tolist()
NAMES_OF_PHI3 = ["self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj"]
FORMS = ["bloom", "falcon-7b", "falcon-rw", "gemma2", "gpt2", "llama", "olmo2", "phi3", "qwen3-moe"]


def state(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(model, before):
    return all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("family", FORMS)
def test_what_is_read_rightly_agrees(family):
    layout = Layout.of(make_model(family))
    before, attention = state(layout.model), layout.model.config._attn_implementation
    found = verify(layout, TOKENS)
    assert found.agrees, found
    found.check(family)
    by_structure = {row.structure: row for row in found.rows}
    assert by_structure.keys() == {structure for sizes in layout.shape.sizes for structure in sizes}
    for structure, row in by_structure.items():
        assert row.agrees
        assert row.neurons >= 6 * row.layers
        assert row.spearman > 0.99
        assert row.largest < (0.2 if structure in "qk" else 1e-4)
    changes = [change for one in found.comparisons for change in one.changes]
    assert sum(change > 1e-3 for change in changes) > len(changes) / 2
    assert same(layout.model, before)
    assert layout.model.config._attn_implementation == attention
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in layout.model.modules())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("family", ["gemma3", "qwen3-moe"])
def test_half_precision_agrees_and_a_wrong_layout_in_it_does_not(family, dtype):
    layout = Layout.of(make_model(family).to(dtype))
    before = state(layout.model)
    assert verify(layout, TOKENS).agrees
    assert not verify(misread(layout, 0, "o", heads_swapped), TOKENS).agrees
    assert same(layout.model, before)
    assert {parameter.dtype for parameter in layout.model.parameters()} == {dtype}


def test_experts_are_in_float32_only_while_their_neurons_are_zeroed(monkeypatch):
    layout = Layout.of(make_model("qwen3-moe").to(torch.bfloat16))
    layer, seen = 0, set()
    experts, norm = layout.blocks[layer, "up"][0].module, layout.layers[layer].input_layernorm
    compare = verification._Layer.compare

    def looking(self, structure, *given):
        yield from compare(self, structure, *given)
        seen.add((structure in "qkvo", next(experts.parameters()).dtype, norm.weight.dtype))

    monkeypatch.setattr(verification._Layer, "compare", looking)
    assert verify(layout, TOKENS, layers=[layer]).agrees
    assert seen == {(True, torch.bfloat16, torch.float32), (False, torch.float32, torch.float32)}


def test_modules_that_wait_are_converted_when_they_are_called():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)).to(torch.bfloat16)
    before, states = [one.data_ptr() for one in model.parameters()], torch.ones(1, 2)
    with computing_in([model], torch.float32, [model[1]]):
        assert (model[0].weight.dtype, model[1].weight.dtype) == (torch.float32, torch.bfloat16)
        with torch.inference_mode():
            assert model(states).dtype == torch.float32
        assert {one.dtype for one in model.parameters()} == {torch.float32}
    assert {one.dtype for one in model.parameters()} == {torch.bfloat16}
    assert [one.data_ptr() for one in model.parameters()] == before
    assert not model[1]._forward_pre_hooks


def heads_swapped(channels, width):
    heads = channels.view(-1, width)
    return heads.flip(0).flatten()


def moved_on(channels, width):
    return channels.roll(1)


def interleaved(channels, width):
    return channels.view(2, -1).T.flatten()


def misread(layout, layer, structure, wrong):
    """Return a layout that takes other rows of a matrix for the neurons of a structure."""
    (block,) = layout.blocks[layer, structure]
    width = layout.attentions[layer][0].heads.width
    changed = replace(block, channels=wrong(block.channels, width))
    assert not torch.equal(changed.channels, block.channels)
    return replace(layout, blocks={**layout.blocks, (layer, structure): (changed,)})


@pytest.mark.parametrize(
    ("family", "layer", "structure", "wrong"),
    [
        ("llama", 0, "q", heads_swapped),
        ("llama", 3, "k", heads_swapped),
        ("llama", 1, "o", moved_on),
        ("gemma3", 1, "o", heads_swapped),
        ("gpt-neox", 0, "q", heads_swapped),
        ("phi3", 3, "k", heads_swapped),
        ("phi3", 1, "up", interleaved),
        ("gpt2", 0, "down", moved_on),
        ("falcon", 1, "k", heads_swapped),
    ],
)
def test_what_is_read_wrongly_is_named(family, layer, structure, wrong):
    layout = misread(Layout.of(make_model(family)), layer, structure, wrong)
    before = state(layout.model)
    found = verify(layout, TOKENS, layers=[0, 1, 3])
    named = {(one.layer, one.structure) for one in found.mismatches}
    if layout.attentions[layer][0].interface:
        assert named == {(layer, structure)}
        wrong = rf"odd is not read as it is: layer {layer}, structure {structure}[:;] .*please report"
    else:  # what is read of q, k and v is what attention is computed from there
        assert (layer, structure) in named
        assert {at for at, _ in named} == {layer}
        wrong = rf"odd is not read as it is: layer {layer}, .*please report"
    with pytest.raises(InputError, match=wrong):
        found.check("odd")
    assert {row.structure for row in found.rows if not row.agrees} == {of_it for _, of_it in named}
    assert same(layout.model, before)


def test_halves_of_a_matrix_of_experts_that_are_read_wrongly_are_named():
    layout = Layout.of(make_model("mixtral"))
    (block,) = layout.blocks[1, "up"]
    fused = layout.layers[1].mlp.experts.gate_up_proj
    inner = fused.shape[1] // 2
    wrong = replace(block, weight=fused[:, inner // 2 : inner // 2 + inner])
    found = verify(replace(layout, blocks={**layout.blocks, (1, "up"): (wrong,)}), TOKENS, layers=[0, 1])
    assert [(one.layer, one.structure) for one in found.mismatches] == [(1, "up")]


def test_a_structure_taken_for_another_one_is_named():
    layout = Layout.of(make_model("llama"))
    blocks = {**layout.blocks, (0, "k"): layout.blocks[0, "v"], (0, "v"): layout.blocks[0, "k"]}
    found = verify(replace(layout, blocks=blocks), TOKENS, layers=[0, 1])
    assert {(one.layer, one.structure) for one in found.mismatches} == {(0, "k")}
    with pytest.raises(
        InputError, match=r"structure k; found zeroing its neurons does not change the attention weights"
    ):
        found.check("odd")


def test_a_model_comes_back_after_an_exception(monkeypatch):
    layout = Layout.of(make_model("gemma2").to(torch.bfloat16))
    before, attention = state(layout.model), layout.model.config._attn_implementation

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(verification._Layer, "_changes", fail)
    with pytest.raises(KeyboardInterrupt):
        verify(layout, TOKENS)
    assert same(layout.model, before)
    assert layout.model.config._attn_implementation == attention
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in layout.model.modules())


def test_layers_of_every_form_are_looked_at():
    assert layers_to_verify(Layout.of(make_model("qwen3-moe"))) == [0, 1, 2, 3]
    assert layers_to_verify(Layout.of(make_model("gemma3"))) == [0, 1, 3]
    assert layers_to_verify(Layout.of(make_model("falcon-7b"))) == [0, 1]


def test_weights_that_are_nowhere_are_not_verified():
    with torch.device("meta"):
        layout = Layout.of(make_model_without_weights("llama"))
    with pytest.raises(InputError, match="cannot be verified; found packed or offloaded weights"):
        verify(layout, TOKENS)


def make_model_without_weights(family):
    import transformers

    return transformers.AutoModelForCausalLM.from_config((CONFIGS | VARIANTS)[family]())


@pytest.mark.parametrize("family", ["llama", "phi3", "qwen3-moe"])
def test_masks_of_both_kinds_are_the_same(family):
    layout = Layout.of(make_model(family))
    found = check_masks(layout, TOKENS, [0, 3])
    assert found.agrees
    assert found.distance < 1e-4
    assert found.neurons == sum(min(4, size) for layer in (0, 3) for size in layout.shape.sizes[layer].values())


def test_masks_that_switch_other_neurons_off_are_not_the_same():
    layout = Layout.of(make_model("llama"))
    (block,) = layout.blocks[0, "o"]
    wrong = replace(block, weight=block.weight.flip(0))  # a copy: writing to it changes nothing
    found = check_masks(replace(layout, blocks={**layout.blocks, (0, "o"): (wrong,)}), TOKENS, [0])
    assert not found.agrees
    with pytest.raises(InputError, match="masks by weights and by activations give other logits"):
        found.check("odd")


@pytest.mark.parametrize("family", ["phi3", "qwen3-moe"])
def test_one_bit_of_a_layer_that_does_not_come_back_is_noticed(family, monkeypatch):
    layout = Layout.of(make_model(family).to(torch.bfloat16))
    weight = layout.blocks[3, "up"][0].weight
    bits = (weight if weight._base is None else weight._base).detach().view(torch.int16).view(-1)

    def leaving_a_bit(*given):
        zero_weights(*given)
        bits[weight.shape[-1] + 1] ^= 1  # of a neuron that is not masked

    monkeypatch.setattr(mask_check, "zero_weights", leaving_a_bit)
    monkeypatch.setattr(mask_check, "_logits", lambda *_: torch.zeros(1))  # they would tell, too
    assert check_masks(layout, TOKENS, [0]).restored
    found = check_masks(layout, TOKENS, [0, 3])
    assert not found.restored
    with pytest.raises(InputError, match="odd: weights do not come back as they were after a mask; please report"):
        found.check("odd")


def test_fused_parameters_are_looked_at_once(monkeypatch):
    layout = Layout.of(make_model("phi3"))
    looked = []
    monkeypatch.setattr(mask_check, "_digest", lambda parameter: looked.append(parameter) or b"")
    check_masks(layout, TOKENS, [0])
    names = [name for one in looked[: len(looked) // 2] for name, own in layout.model.named_parameters() if own is one]
    assert names == [f"model.layers.0.{name}.weight" for name in NAMES_OF_PHI3]


def test_the_text_is_the_models_or_random():
    layout = Layout.of(make_model("llama"))
    tokens = tokens_to_try(layout, make_tokenizer(), 20)
    assert len(tokens) == 20
    assert "".join(make_tokenizer().decode(tokens[:10])).isascii()
    assert len(tokens_to_try(layout, None)) == 64
    assert max(tokens_to_try(layout, None)) < 384


def test_the_architectures_of_the_tests_are_covered():
    for family in CONFIGS:
        assert is_covered(Layout.of(make_model(family)).model_type), family
    assert not is_covered("no-such-type")
    assert all(isinstance(one.special, str) for one in known_architectures().values())


@pytest.fixture
def nothing_is_covered(monkeypatch):
    monkeypatch.setattr(architectures, "known_architectures", dict)
    monkeypatch.setattr(self_check, "_CHECKED", type(self_check._CHECKED)())


def test_an_architecture_that_no_test_covers_is_verified_once_before_it_is_scored(nothing_is_covered):
    told = []
    model = make_model("llama")
    layout = Layout.of(model)
    check_layout(layout, "odd", make_tokenizer(), told.append)
    check_layout(Layout.of(model), "odd", make_tokenizer(), told.append)
    assert len(told) == 1
    assert told[0].startswith("odd: no test covers llama, so 84 neurons of 3 layers were zeroed")
    wrong = misread(Layout.of(make_model("llama")), 0, "q", heads_swapped)
    for _ in range(2):
        with pytest.raises(InputError, match="odd is not read as it is: layer 0, structure q"):
            check_layout(wrong, "odd", None, told.append)


def test_detection_verifies_what_no_test_covers(nothing_is_covered, monkeypatch):
    checked = []
    monkeypatch.setattr(self_check, "verify", lambda *given, **how: checked.append(given) or verify(*given, **how))
    model, texts = make_model("llama"), {"en": ["one two three four five six seven eight nine ten"] * 2}
    for _ in range(2):
        mwork_eval.detect(model, make_tokenizer(), texts, min_tokens=1, max_docs=1, progress=False)
    assert len(checked) == 1
    monkeypatch.setattr(self_check, "is_covered", lambda _: True)
    mwork_eval.detect(make_model("llama"), make_tokenizer(), texts, min_tokens=1, max_docs=1, progress=False)
    assert len(checked) == 1


def test_inspect_verifies_a_model_in_memory(tiny_llama):
    model = make_model("gemma3").train()
    before = state(model)
    found = mwork_eval.inspect(model, make_tokenizer(), verify=True, progress=False)
    assert found.agrees
    assert "gemma3, 4 layers" in repr(found)
    assert repr(found).endswith("; read as it is>")
    assert model.training
    assert same(model, before)
    assert mwork_eval.inspect(model).agrees is None
    assert mwork_eval.inspect(str(tiny_llama)).shape == Layout.of(make_model("llama")).shape
    with pytest.raises(InputError, match="a model in memory stays as it is; found dtype"):
        mwork_eval.inspect(model, dtype="float16")
    with pytest.raises(InputError, match="no model in memory; found int"):
        mwork_eval.inspect(3)


def test_the_command_prints_a_table(tiny_llama):
    printed = mwork("inspect", tiny_llama, "--verify", "--device", "cpu", "--dtype", "float32")
    assert "verified in layers 0-1, 3" in printed
    rows = {line.split()[1]: line for line in printed.splitlines() if line.endswith("yes     │")}
    assert list(rows) == ["q", "k", "v", "o", "gate", "up", "down"]
    assert "logits by weights and by activations" in printed
    assert "--dtype" in mwork("inspect", tiny_llama, "--dtype", "float32", code=2)


def test_the_command_fails_on_what_is_read_wrongly(tiny_llama, monkeypatch):
    def wrongly(layout, *given, **how):
        return verify(misread(layout, 1, "o", moved_on), *given, **how)

    monkeypatch.setattr(verb, "verify_layout", wrongly)
    printed = mwork("inspect", tiny_llama, "--verify", "--device", "cpu", code=2)
    errors = [line for line in printed.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert "is not read as it is: layer 1, structure o" in errors[0]
    assert "please report the model" in errors[0]
