"""Train the neurons of a set by transformers' Trainer, with snapshots after certain numbers of documents."""

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import SequentialSampler
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from mwork_eval.errors import InputError
from mwork_eval.files.json_values import parse
from mwork_eval.models.find_head import find_head
from mwork_eval.models.layout import Layout
from mwork_eval.models.loss import next_token_losses
from mwork_eval.processes import is_first_process, process_count, wait_for_processes
from mwork_eval.weight_deltas.parts import TrainedParts

Tensor = torch.Tensor
Documents = Sequence[Sequence[int]]

IGNORED = -100


@dataclass(frozen=True)
class TrainingOptions:
    """How to train; all of it goes into the delta.

    Attributes:
        learning_rate: Of AdamW, constant after the warm-up.
        warmup_steps: Steps in which it rises from zero.
        weight_decay: Of AdamW.
        batch_size: Documents per step and process.
        accumulate: Batches per step.
        epochs: Times the documents are gone through.
        max_grad_norm: Gradients are scaled down to this norm.
        max_tokens: Tokens kept of a document.
        seed: Seed of the order of the documents.
        mixed_precision: `no`, `bf16` or `fp16`.
        gradient_checkpointing: Whether activations are computed again in the backward pass.
        patience: Stop after so many evaluations without a better loss on the held-out documents, and take the best; 0
            to train to the end.
    """

    learning_rate: float = 5e-5
    warmup_steps: int = 10
    weight_decay: float = 0.0
    batch_size: int = 4
    accumulate: int = 1
    epochs: int = 1
    max_grad_norm: float = 1.0
    max_tokens: int = 128
    seed: int = 0
    mixed_precision: str = "no"
    gradient_checkpointing: bool = False
    patience: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return all of it, with the optimiser's name and constants."""
        return {**asdict(self), "optimiser": "AdamW", "betas": [0.9, 0.999], "epsilon": 1e-8, "schedule": "constant"}


class SelectedModel(nn.Module):
    """A causal language model whose only parameters are those of a neuron set; calling it gives the loss."""

    accepts_loss_kwargs = False

    def __init__(self, model: Any, layout: Layout, trained: TrainedParts) -> None:
        """Freeze the model; it is changed in place by each call, which writes the trained values into it."""
        super().__init__()
        head = find_head(model)
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        # Not a submodule: its weights are no parameters of ours, and in no checkpoint.
        self._frozen = (model, layout, head)
        self.trained = trained

    def forward(self, input_ids: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return the mean loss over the labels that count, in nats per token.

        Args:
            input_ids: `[rows, tokens]`, padded at the end.
            labels: The same, with `IGNORED` for the padding.
        """
        self.trained.write()
        model, layout, head = self._frozen
        # Padding after the tokens of a causal model is seen by none of them.
        if head is None:
            found = model(input_ids=input_ids, use_cache=False).logits[:, :-1]
        else:
            found = layout.decoder(input_ids=input_ids, use_cache=False).last_hidden_state[:, :-1]
        targets = labels[:, 1:].to(found.device)
        counted = targets != IGNORED
        if head is None:
            return {"loss": nn.functional.cross_entropy(found[counted].float(), targets[counted])}
        return {"loss": next_token_losses(head, found[counted], targets[counted]).mean()}


def collate(documents: Documents) -> dict[str, Tensor]:
    """Return a padded batch."""
    rows = [torch.tensor(tokens) for tokens in documents]
    return {
        "input_ids": pad_sequence(rows, batch_first=True),
        "labels": pad_sequence(rows, batch_first=True, padding_value=IGNORED),
    }


def mean_loss(model: SelectedModel, documents: Documents, batch_size: int) -> float:
    """Return the loss on documents in nats per token."""
    device = model._frozen[1].device
    total = count = 0.0
    with torch.no_grad():
        for start in range(0, len(documents), batch_size):
            batch = {name: tensor.to(device) for name, tensor in collate(documents[start : start + batch_size]).items()}
            scored = sum(len(tokens) - 1 for tokens in documents[start : start + batch_size])
            total += float(model(**batch)["loss"]) * scored
            count += scored
    return total / count


def train(
    model: SelectedModel,
    documents: Documents,
    held_out: Documents,
    options: TrainingOptions,
    folder: Path,
    snapshots: Mapping[int, Callable[[], Any]],
    *,
    advance: Callable[[int], Any] = lambda documents: None,
) -> None:
    """Train in place; an interrupted run goes on from its last checkpoint in the folder and gives the same values.

    Args:
        model: The model, with the values to begin with.
        documents: Token ids of each, in the order of training.
        held_out: Documents for early stopping.
        options: How.
        folder: For checkpoints; removed in the end.
        snapshots: By number of documents seen, what to do then; the values are in place.
        advance: Called after each step, and first for what an interrupted run did, with the number of documents.

    Raises:
        InputError: If a number of documents does not end with a step.
    """
    steps = steps_of(list(snapshots), options, process_count())
    total = max(steps.values())
    arguments = _arguments(folder, options, total)
    watch = _Snapshots(model, {steps[count]: take for count, take in snapshots.items()}, wait=options.patience > 0)
    callbacks: list[TrainerCallback] = [watch, _Advance(advance, max(snapshots) * options.epochs / total)]
    if options.patience:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=options.patience))
    frozen = model._frozen[0]
    checkpointed = any(getattr(module, "gradient_checkpointing", False) for module in frozen.modules())
    if options.gradient_checkpointing:
        frozen.gradient_checkpointing_enable({"use_reentrant": False})
        frozen.train()
    trainer = _InOrder(
        model=model,
        args=arguments,
        train_dataset=list(documents),  # type: ignore[arg-type]
        eval_dataset=list(held_out),  # type: ignore[arg-type]
        data_collator=collate,  # type: ignore[arg-type]
        callbacks=callbacks,
    )
    # It would print a dictionary of timings after each training.
    trainer.remove_callback(PrinterCallback)
    try:
        with model.trained.attached():
            trainer.train(resume_from_checkpoint=_last_checkpoint(folder))
    except (RuntimeError, SafetensorError) as error:
        # A disk that is full is no OSError to torch and safetensors.
        said = str(error)
        if isinstance(error, SafetensorError) or "PytorchStreamWriter" in said or "inline_container" in said:
            free = f"{shutil.disk_usage(folder).free:,} bytes are free there"
            raise OSError(f"a checkpoint in {folder} cannot be written, {free}: {said.splitlines()[0]}") from error
        raise
    finally:
        if options.gradient_checkpointing:
            if not checkpointed:
                frozen.gradient_checkpointing_disable()
            frozen.eval()
    model.trained.write()
    watch.finish()
    wait_for_processes()
    if is_first_process():
        shutil.rmtree(folder, ignore_errors=True)


def _last_checkpoint(folder: Path) -> str | None:
    """Return the last checkpoint that is whole; None if there is none.

    The Trainer writes `trainer_state.json` last: one without it was being written when its process ended.
    """
    whole = {}
    for path in folder.glob("checkpoint-*"):
        with suppress(OSError, ValueError):
            whole[parse((path / "trainer_state.json").read_bytes())["global_step"]] = str(path)
    return whole[max(whole)] if whole else None


def steps_of(sizes: Sequence[int], options: TrainingOptions, processes: int) -> dict[int, int]:
    """Return after how many steps each number of documents has been seen.

    Raises:
        InputError: If a number of documents does not end with a step.
    """
    each = options.batch_size * options.accumulate * processes
    if uneven := [size for size in sizes if size % each]:
        raise InputError(
            "a number of documents does not end with a step",
            found=f"{uneven[0]} documents in steps of {each}",
            hint="give multiples, or another `batch_size`",
        )
    return {size: options.epochs * size // each for size in sizes}


def _arguments(folder: Path, options: TrainingOptions, steps: int) -> TrainingArguments:
    every = max(1, math.ceil(steps / 10))
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=options.batch_size,
        per_device_eval_batch_size=options.batch_size,
        gradient_accumulation_steps=options.accumulate,
        learning_rate=options.learning_rate,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=options.warmup_steps,
        weight_decay=options.weight_decay,
        max_grad_norm=options.max_grad_norm,
        optim="adamw_torch",
        seed=options.seed,
        bf16=options.mixed_precision == "bf16",
        fp16=options.mixed_precision == "fp16",
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        eval_strategy="steps" if options.patience else "no",
        eval_steps=every,
        load_best_model_at_end=options.patience > 0,
        metric_for_best_model="loss",
        greater_is_better=False,
        label_names=["labels"],
        prediction_loss_only=True,
        remove_unused_columns=False,
        disable_tqdm=True,
        logging_strategy="no",
        report_to=[],
        use_cpu=not torch.accelerator.is_available(),
        dataloader_pin_memory=False,
        ddp_find_unused_parameters=False,
    )


class _InOrder(Trainer):
    """A Trainer that takes the documents in their order."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        documents: Any = self.train_dataset if train_dataset is None else train_dataset
        return SequentialSampler(documents)


class _Advance(TrainerCallback):
    """Tells how many documents were gone through."""

    def __init__(self, advance: Callable[[int], Any], documents: float) -> None:
        self._advance, self._documents, self._done = advance, documents, 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Tell what an interrupted run did."""
        self._tell(state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Tell what this step did."""
        self._tell(state.global_step)

    def _tell(self, step: int) -> None:
        done = round(step * self._documents)
        self._advance(done - self._done)
        self._done = done


class _Snapshots(TrainerCallback):
    """Calls back after certain steps, or at the end if only the best values count."""

    def __init__(self, model: SelectedModel, steps: Mapping[int, Callable[[], Any]], *, wait: bool) -> None:
        self._model, self._steps, self._wait = model, dict(steps), wait

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take a snapshot if one is due."""
        if not self._wait and state.global_step in self._steps and state.is_world_process_zero:
            self._model.trained.write()
            self._steps.pop(state.global_step)()

    def finish(self) -> None:
        """Take the snapshots that are left."""
        if is_first_process():
            for step in sorted(self._steps):
                self._steps.pop(step)()
