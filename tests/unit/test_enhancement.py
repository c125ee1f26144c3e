"""Training a neuron set alone: gradients, what stays as it is, deltas, merging, going on after an interruption."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from conftest import CONFIGS, make_model, make_tokenizer
from torch.nn import functional
from transformers import AutoModelForCausalLM, TrainerCallback

from mwork_eval.cli.main import main
from mwork_eval.enhancement import training
from mwork_eval.enhancement.delta import Delta, applied, apply_delta, check_base, load_delta, restore, save_delta
from mwork_eval.enhancement.documents import HELD_OUT, TrainingText, interleaved, shuffled
from mwork_eval.enhancement.merge import merge, verify
from mwork_eval.enhancement.parts import TrainedParts, parts_of
from mwork_eval.enhancement.record import Record
from mwork_eval.enhancement.run import Enhancement, enhance
from mwork_eval.enhancement.training import SelectedModel, TrainingOptions, collate, mean_loss, train
from mwork_eval.errors import InputError
from mwork_eval.harness.model import MworkHF
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.head import OutputHead
from mwork_eval.models.layout import Layout
from mwork_eval.models.loading import LoadedModel
from mwork_eval.models.loss import next_token_losses
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.stages import Stages


def neurons_of(layout, **about):
    places = [(layer, s) for layer in range(1, layout.shape.layers) for s in ("q", "k", "v", "up")]
    return NeuronSet(layout.shape, {place: np.array([0, 2], np.int32) for place in places}, about)


def documents_of(model, count=8, length=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    words = model.config.get_text_config().vocab_size
    return [torch.randint(3, words, (length - n % 3,), generator=generator).tolist() for n in range(count)]


def selected(model):
    layout = Layout.of(model)
    return SelectedModel(model, layout, TrainedParts(parts_of(layout, neurons_of(layout))))


def weights_of(model):
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


OPTIONS = TrainingOptions(learning_rate=0.05, warmup_steps=1, batch_size=2)


@pytest.mark.parametrize("family", CONFIGS)
def test_gradients_are_those_of_the_whole_matrices(family):
    model = make_model(family)
    chosen = selected(model)
    batch = collate(documents_of(model, 4))
    with chosen.trained.attached():
        loss = chosen(**batch)["loss"]
        loss.backward()
    assert all(parameter.grad is None for parameter in model.parameters())
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    logits = model(input_ids=batch["input_ids"]).logits[:, :-1].float()
    expected = functional.cross_entropy(logits.flatten(0, 1), batch["labels"][:, 1:].flatten())
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)
    expected.backward()
    largest = max(value.grad.abs().max() for value in chosen.trained.values.values())
    for part in chosen.trained.parts:
        for name, value in chosen.trained.of(part).items():
            view = part.block.weight if name == "weight" else part.block.bias
            holder = next(
                p for p in model.parameters() if p.untyped_storage().data_ptr() == view.untyped_storage().data_ptr()
            )
            whole = holder.grad.as_strided(view.shape, view.stride(), view.storage_offset() - holder.storage_offset())
            assert torch.allclose(value.grad, whole[part.at], atol=1e-5 * float(largest)), (part.name, name)


def test_a_loss_without_logits_is_the_cross_entropy():
    head = OutputHead(torch.nn.Linear(16, 5000, bias=False))
    states = torch.randn(9, 16, requires_grad=True)
    targets = torch.randint(0, 5000, (9,))
    found = next_token_losses(head, states, targets)
    weights = torch.rand(9)
    (found * weights).sum().backward()
    assert head.module.weight.grad is None
    twin = states.detach().double().requires_grad_(True)
    expected = functional.cross_entropy(twin @ head.module.weight.double().T, targets, reduction="none")
    (expected * weights.double()).sum().backward()
    assert torch.allclose(found.double(), expected, atol=1e-5)
    assert torch.allclose(states.grad.double(), twin.grad, atol=1e-5)


@pytest.mark.parametrize("family", ["llama", "gemma3", "phi3", "qwen2", "gpt2", "mixtral"])
def test_training_changes_the_set_and_nothing_else(family, tmp_path):
    model = make_model(family)
    before, chosen = weights_of(model), selected(model)
    documents = documents_of(model)
    first = mean_loss(chosen, documents, 2)
    train(chosen, documents, documents, OPTIONS, tmp_path / "work", {8: lambda: None}, show=False)
    assert mean_loss(chosen, documents, 2) < first
    delta = Delta.of(chosen._frozen[1], chosen.trained, {})
    after = weights_of(model)
    allowed = {name: torch.zeros(tensor.shape, dtype=torch.bool) for name, tensor in before.items()}
    storages = {tensor.data_ptr(): name for name, tensor in model.state_dict().items()}
    for part in chosen.trained.parts:
        for view in (part.block.weight, part.block.bias):
            if view is not None:
                name = next(
                    n for n, t in model.state_dict().items()
                    if t.untyped_storage().data_ptr() == view.untyped_storage().data_ptr()
                )  # fmt: skip
                mask = allowed[name].as_strided(view.shape, view.stride(), view.storage_offset())
                mask[part.at] = True
    for name in storages.values():
        assert torch.equal(after[name][~allowed[name]], before[name][~allowed[name]]), name
    changed = sum(int((after[name] != before[name]).sum()) for name in storages.values())
    assert 0 < changed <= delta.parameters
    assert not (tmp_path / "work").exists()
    assert all("forward" not in module.__dict__ for module in model.modules())


def test_gradients_and_optimiser_state_are_of_the_selection_alone(tmp_path):
    model = make_model("llama")
    chosen, counted = selected(model), {}

    class Count(TrainerCallback):
        def on_step_end(self, args, state, control, optimizer=None, **_):
            counted["state"] = sum(
                tensor.numel()
                for state in optimizer.state.values()
                for name, tensor in state.items()
                if name in ("exp_avg", "exp_avg_sq")
            )

    documents = documents_of(model)
    trainer = training._InOrder(
        model=chosen,
        args=training._arguments(tmp_path, OPTIONS, 2, show=False),
        train_dataset=documents,
        data_collator=collate,
        callbacks=[Count()],
    )
    with chosen.trained.attached():
        trainer.train()
    trainable = sum(parameter.numel() for parameter in chosen.parameters())
    assert counted["state"] == 2 * trainable
    assert trainable == Delta.of(chosen._frozen[1], chosen.trained, {}).parameters
    assert sum(parameter.numel() for parameter in model.parameters()) > 10 * trainable


def test_snapshots_are_taken_on_the_way_and_fewer_documents_are_the_beginning_of_more(tmp_path):
    found = {}
    for sizes in ((4, 8), (4,)):
        model = make_model("llama")
        chosen = selected(model)

        def keep(size, chosen=chosen, sizes=sizes):
            found[sizes, size] = Delta.of(chosen._frozen[1], chosen.trained, {}).digest

        documents = documents_of(model)[: max(sizes)]
        snapshots = {size: (lambda size=size, keep=keep: keep(size)) for size in sizes}
        train(chosen, documents, documents, OPTIONS, tmp_path / "work", snapshots, show=False)
    assert found[(4, 8), 4] == found[(4,), 4]
    assert found[(4, 8), 8] != found[(4,), 4]
    with pytest.raises(InputError, match="3 documents in steps of 2"):
        train(chosen, documents, documents, OPTIONS, tmp_path / "work", {3: lambda: None}, show=False)


def test_an_interrupted_training_goes_on_and_gives_the_same_values(tmp_path, monkeypatch):
    def run(folder):
        model = make_model("llama")
        chosen = selected(model)
        documents = documents_of(model, 40)
        train(chosen, documents, documents, OPTIONS, folder, {40: lambda: None}, show=False)
        return Delta.of(chosen._frozen[1], chosen.trained, {}).digest

    whole = run(tmp_path / "whole")

    class Killed(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if state.global_step == 13:
                raise KeyboardInterrupt

    init = training._InOrder.__init__
    with monkeypatch.context() as patch:
        patch.setattr(
            training._InOrder,
            "__init__",
            lambda self, *args, callbacks, **kwargs: init(self, *args, callbacks=[*callbacks, Killed()], **kwargs),
        )
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "work")
    assert (tmp_path / "work" / "checkpoint-12").is_dir()
    assert run(tmp_path / "work") == whole


def test_early_stopping_keeps_the_best_values(tmp_path):
    model = make_model("llama")
    chosen = selected(model)
    documents, held_out = documents_of(model, 8), documents_of(model, 8, seed=9)
    options = TrainingOptions(learning_rate=0.5, warmup_steps=0, batch_size=2, epochs=20, patience=2)
    losses = []
    train(chosen, documents, held_out, options, tmp_path / "w", {8: lambda: losses.append(1)}, show=False)
    assert losses == [1]
    best = mean_loss(chosen, held_out, 2)
    model = make_model("llama")
    longer = selected(model)
    train(longer, documents, held_out, TrainingOptions(**{**vars(options), "patience": 0}), tmp_path / "w",
          {8: lambda: None}, show=False)  # fmt: skip
    assert best < mean_loss(longer, held_out, 2)


@pytest.fixture
def trained(tmp_path):
    model = make_model("llama")
    chosen = selected(model)
    base = weights_of(model)
    fingerprint = fingerprint_of(model)
    before = [(part, part.read()) for part in chosen.trained.parts]
    documents = documents_of(model)
    train(chosen, documents, documents, OPTIONS, tmp_path / "work", {8: lambda: None}, show=False)
    delta = Delta.of(chosen._frozen[1], chosen.trained, {"fingerprint": fingerprint, "neurons": "n"})
    restore(before)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, base[name])
    return model, delta


def test_a_delta_survives_the_disk_bit_by_bit(trained, tmp_path):
    _, delta = trained
    path = tmp_path / "d.safetensors"
    save_delta(delta, path)
    first = path.read_bytes()
    again = load_delta(path)
    assert again.digest == delta.digest
    assert again.about == delta.about
    assert all(torch.equal(again.tensors[name], tensor) for name, tensor in delta.tensors.items())
    save_delta(again, path)
    assert path.read_bytes() == first
    path.write_bytes(first[:-8] + b"\0" * 8)
    with pytest.raises(InputError, match="is damaged; found digest"):
        load_delta(path)


def test_a_delta_belongs_to_its_base(trained):
    model, delta = trained
    with pytest.raises(InputError, match="made for other weights than other has"):
        check_base(delta, "f" * 32, "other")
    check_base(delta, "f" * 32, "other", force=True)
    with pytest.raises(InputError, match="the delta is of another model"):
        apply_delta(Layout.of(make_model("gemma3")), delta)
    before = weights_of(model)
    with applied(Layout.of(model), delta):
        assert any(not torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("family", ["llama", "mixtral"])
def test_a_merged_checkpoint_is_base_and_delta_in_plain_transformers(family, tmp_path):
    model = make_model(family)
    chosen = selected(model)
    before = [(part, part.read()) for part in chosen.trained.parts]
    fingerprint = fingerprint_of(model)
    documents = documents_of(model)
    train(chosen, documents, documents, OPTIONS, tmp_path / "work", {8: lambda: None}, show=False)
    delta = Delta.of(chosen._frozen[1], chosen.trained, {"fingerprint": fingerprint})
    ids = torch.tensor([documents[0]])
    with torch.no_grad():
        expected = model(ids).logits
    restore(before)
    loaded = LoadedModel("tiny", model, make_tokenizer())
    changed = merge(loaded, delta, tmp_path / "merged")
    assert 0 < changed <= delta.parameters
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32).eval()
    with torch.no_grad():
        assert torch.equal(plain(ids).logits, expected)
    with pytest.raises(InputError, match="is not empty"):
        merge(loaded, delta, tmp_path / "merged")
    # What users of the published code met: a checkpoint that is the base.
    model.save_pretrained(tmp_path / "unchanged")
    with pytest.raises(InputError, match="is not the base with the delta"):
        verify(model, chosen._frozen[1], delta, tmp_path / "unchanged")
    nothing = Delta.of(chosen._frozen[1], TrainedParts(chosen.trained.parts), {"fingerprint": fingerprint})
    with pytest.raises(InputError, match="does not differ from the base"):
        merge(loaded, nothing, tmp_path / "nothing")


def test_mwork_hf_takes_a_delta_beneath_a_mask(trained, tmp_path):
    model, delta = trained
    path = tmp_path / "d.safetensors"
    save_delta(delta, path)
    layout = Layout.of(model)
    with applied(layout, delta):
        expected = weights_of(model)
    base = weights_of(model)
    plain = MworkHF(model, tokenizer=make_tokenizer(), batch_size=1).identity
    wrapped = MworkHF(model, tokenizer=make_tokenizer(), batch_size=1, delta=str(path))
    assert all(torch.equal(tensor, expected[name]) for name, tensor in model.state_dict().items())
    assert wrapped.identity != plain
    assert wrapped.fingerprint == delta.about["fingerprint"]
    assert wrapped.get_model_info()["mwork"]["delta"]["digest"] == delta.digest
    wrapped.mask(neurons_of(layout, fingerprint=wrapped.fingerprint))
    wrapped.unmask()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in model.state_dict().items())
    wrapped.put_delta(None)
    assert all(torch.equal(tensor, base[name]) for name, tensor in model.state_dict().items())
    assert wrapped.identity == plain


def text_of(model, count=8):
    documents = documents_of(model, count + 4)
    return TrainingText(documents[4:], documents[:4], [f"d{n}" for n in range(count)], "c.txt")


def plan_of(model, layout, **changes):
    sets = {code: neurons_of(layout, fingerprint=fingerprint_of(model), language=code) for code in ("zh",)}
    stages = Stages.of(layout.shape.layers, 1, 1)
    values = {"sets": sets, "texts": {"zh": text_of(model)}, "sizes": (4, 8), "seeds": (0,), "controls": 2}
    return Enhancement(**values | {"together": False, "stages": stages, "training": OPTIONS} | changes)


def test_a_folder_is_filled_once_and_random_controls_have_as_many_neurons(tmp_path):
    model = make_model("llama")
    layout = Layout.of(model)
    before, said = weights_of(model), []
    loaded = LoadedModel("tiny", model, make_tokenizer())
    plan = plan_of(model, layout)
    record = enhance(loaded, plan, tmp_path, tell=said.append, show=False)
    assert [(d.kind, d.seed, d.documents) for d in record.deltas] == [
        ("specific", 0, 4), ("specific", 0, 8), ("random", 1, 4), ("random", 1, 8), ("random", 2, 4), ("random", 2, 8),
    ]  # fmt: skip
    assert len(said) == 3
    assert len({delta.digest for delta in record.deltas}) == 6
    assert len({delta.neurons for delta in record.deltas}) == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    specific = plan.neurons_of(plan.runs[0])
    for run in plan.runs[1:]:
        control = plan.neurons_of(run)
        assert control.by_position(plan.stages) == specific.by_position(plan.stages)
        assert len(control & specific) == 0
    assert Record.load(tmp_path) == record
    assert load_delta(tmp_path / record.deltas[0].file).about["options"]["learning_rate"] == 0.05
    again = enhance(loaded, plan, tmp_path, tell=said.append, show=False)
    assert again.deltas == record.deltas
    assert len(said) == 3
    more = enhance(loaded, plan_of(model, layout, controls=3), tmp_path, tell=said.append, show=False)
    assert len(more.deltas) == 8
    assert said[3:] == ["4/4 zh/random-seed3: 4, 8 documents"]
    with pytest.raises(InputError, match=r"trained otherwise; found options .*learning_rate"):
        enhance(loaded, plan_of(model, layout, training=TrainingOptions()), tmp_path, show=False)


def test_languages_together_take_turns():
    texts = [TrainingText([[n], [n + 10]], [[n]], [f"{n}a", f"{n}b"], f"{n}.txt") for n in (1, 2)]
    both = interleaved(texts)
    assert both.training == [[1], [2], [11], [12]]
    assert both.digests == ["1a", "1b", "2a", "2b"]
    assert shuffled(both.training, 3) == shuffled(both.training, 3) != shuffled(both.training, 4)


def test_the_command_trains_and_merges(tmp_path):
    model = make_model("llama")
    model.save_pretrained(tmp_path / "m")
    make_tokenizer().save_pretrained(tmp_path / "m")
    layout = Layout.of(model)
    save_neuron_set(neurons_of(layout, fingerprint=fingerprint_of(model), language="zh"), tmp_path / "zh.safetensors")
    lines = [" ".join(f"w{(n * 7 + k * 3) % 50}" for k in range(30)) for n in range(HELD_OUT + 8)]
    (tmp_path / "zh.txt").write_text("\n".join(lines) + "\n")
    command = [
        "enhance", "--model", tmp_path / "m", "--neurons", tmp_path, "--corpus", f"zh={tmp_path / 'zh.txt'}",
        "--skip", 0, "--documents", "4,8", "--random-control", 1, "--device", "cpu", "--out", tmp_path / "o",
    ]  # fmt: skip
    result = CliRunner().invoke(main, list(map(str, [*command, "--merge", tmp_path / "merged"])))
    assert result.exit_code == 0, result.output
    assert "trained entries differ from the base" in result.output
    assert len(json.loads((tmp_path / "o" / "enhancement.json").read_text())["deltas"]) == 4
    assert (tmp_path / "merged" / "model.safetensors").is_file()
    result = CliRunner().invoke(main, list(map(str, [*command, "--documents", "100"])))
    assert result.exit_code == 2
    assert "has too few documents" in result.output
    result = CliRunner().invoke(main, [*map(str, command), "--corpus", f"es={tmp_path / 'zh.txt'}"])
    assert result.exit_code == 2
    assert "a corpus has no neuron set; found es" in result.output
