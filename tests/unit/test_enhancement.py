"""Training a neuron set alone: gradients, what stays as it is, snapshots, going on after an interruption."""

from dataclasses import replace

import pytest
import torch
from conftest import CONFIGS, make_model
from helpers.enhancement_models import OPTIONS, documents_of, selected, weights_of
from torch.nn import functional
from transformers import TrainerCallback

from mwork_eval.enhancement import training
from mwork_eval.enhancement.training import TrainingOptions, collate, mean_loss, train
from mwork_eval.errors import InputError
from mwork_eval.models.head import OutputHead
from mwork_eval.models.loss import next_token_losses
from mwork_eval.weight_deltas.delta import WeightDelta


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
    train(chosen, documents, documents, OPTIONS, tmp_path / "work", {8: lambda: None})
    assert mean_loss(chosen, documents, 2) < first
    delta = WeightDelta.of(chosen._frozen[1], chosen.trained, {})
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
        args=training._arguments(tmp_path, OPTIONS, 2),
        train_dataset=documents,
        data_collator=collate,
        callbacks=[Count()],
    )
    with chosen.trained.attached():
        trainer.train()
    trainable = sum(parameter.numel() for parameter in chosen.parameters())
    assert counted["state"] == 2 * trainable
    assert trainable == WeightDelta.of(chosen._frozen[1], chosen.trained, {}).parameters
    assert sum(parameter.numel() for parameter in model.parameters()) > 10 * trainable


def test_snapshots_are_taken_on_the_way_and_fewer_documents_are_the_beginning_of_more(tmp_path):
    found = {}
    for sizes in ((4, 8), (4,)):
        model = make_model("llama")
        chosen = selected(model)

        def keep(size, chosen=chosen, sizes=sizes):
            found[sizes, size] = WeightDelta.of(chosen._frozen[1], chosen.trained, {}).digest

        documents = documents_of(model)[: max(sizes)]
        snapshots = {size: (lambda size=size, keep=keep: keep(size)) for size in sizes}
        train(chosen, documents, documents, OPTIONS, tmp_path / "work", snapshots)
    assert found[(4, 8), 4] == found[(4,), 4]
    assert found[(4, 8), 8] != found[(4,), 4]
    with pytest.raises(InputError, match="3 documents in steps of 2"):
        train(chosen, documents, documents, OPTIONS, tmp_path / "work", {3: lambda: None})


def test_an_interrupted_training_goes_on_and_gives_the_same_values(tmp_path, monkeypatch):
    def run(folder):
        model = make_model("llama")
        chosen = selected(model)
        documents = documents_of(model, 40)
        train(chosen, documents, documents, OPTIONS, folder, {40: lambda: None})
        return WeightDelta.of(chosen._frozen[1], chosen.trained, {}).digest

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
    train(chosen, documents, held_out, options, tmp_path / "w", {8: lambda: losses.append(1)})
    assert losses == [1]
    best = mean_loss(chosen, held_out, 2)
    model = make_model("llama")
    longer = selected(model)
    train(longer, documents, held_out, TrainingOptions(**{**vars(options), "patience": 0}), tmp_path / "w",
          {8: lambda: None})  # fmt: skip
    assert best < mean_loss(longer, held_out, 2)


def values_after(tmp_path, documents, **changes):
    """Train a fresh tiny model and return the trained values as one tensor."""
    model = make_model("llama")
    chosen = selected(model)
    options = replace(OPTIONS, **changes)
    train(chosen, documents, documents, options, tmp_path / "work", {len(documents): lambda: None})
    return torch.cat([value.detach().flatten() for value in chosen.parameters()])


def test_accumulated_and_recomputed_gradients_are_those_of_the_whole_batch(tmp_path):
    # Of equal lengths, so that the mean over two batches is the mean over both.
    documents = [document[:10] for document in documents_of(make_model("llama"))]
    whole = values_after(tmp_path, documents, batch_size=4)
    halves = values_after(tmp_path, documents, batch_size=2, accumulate=2)
    again = values_after(tmp_path, documents, batch_size=4, gradient_checkpointing=True)
    start = torch.cat([value.detach().flatten() for value in selected(make_model("llama")).parameters()])
    moved = (whole - start).norm()
    # Adam turns rounding of gradients near zero into steps of their own.
    assert (halves - whole).norm() < 0.02 * moved
    assert (again - whole).norm() < 0.02 * moved
    assert (values_after(tmp_path, documents, batch_size=2) - whole).norm() > 0.1 * moved


def test_mixed_precision_trains_values_of_full_precision(tmp_path):
    documents = documents_of(make_model("llama"))
    mixed = values_after(tmp_path, documents, mixed_precision="bf16")
    full = values_after(tmp_path, documents)
    start = torch.cat([value.detach().flatten() for value in selected(make_model("llama")).parameters()])
    assert mixed.dtype == torch.float32
    assert not torch.equal(mixed, mixed.bfloat16().float())
    cosine = functional.cosine_similarity(mixed - start, full - start, dim=0)
    assert cosine > 0.9


def test_progress_counts_documents_also_after_an_interruption(tmp_path):
    documents = documents_of(make_model("llama"))
    told = []

    def interrupt(count):
        told.append(count)
        if sum(told) == 6:
            raise KeyboardInterrupt

    def run(advance):
        train(
            selected(make_model("llama")),
            documents,
            documents,
            OPTIONS,
            tmp_path / "w",
            {8: lambda: None},
            advance=advance,
        )

    with pytest.raises(KeyboardInterrupt):
        run(interrupt)
    again = []
    run(again.append)
    assert sum(again) == 8
    assert again[0] >= 4


def test_a_model_of_half_precision_is_trained_in_full(tmp_path):
    model = make_model("llama").bfloat16()
    before, chosen = weights_of(model), selected(model)
    documents = documents_of(model)
    train(chosen, documents, documents, OPTIONS, tmp_path / "work", {8: lambda: None})
    assert {value.dtype for value in chosen.parameters()} == {torch.float32}
    delta = WeightDelta.of(chosen._frozen[1], chosen.trained, {})
    assert {t.dtype for name, t in delta.tensors.items() if not name.endswith("neurons")} == {torch.bfloat16}
    changed = sum(int((tensor != before[name]).sum()) for name, tensor in model.state_dict().items())
    assert 0 < changed <= delta.parameters
