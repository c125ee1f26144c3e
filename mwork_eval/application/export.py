"""Write a checkpoint in which neurons are switched off, for engines that know nothing of masks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mwork_eval.application.arguments import flag_of, folder_to_write, shown_value, whole_number
from mwork_eval.application.progress import Advance, ProgressChoice, shown
from mwork_eval.checkpoints.card import what_was_done
from mwork_eval.checkpoints.checkpoint import Checkpoint
from mwork_eval.checkpoints.edits import edits_of_delta, edits_of_neurons, joined
from mwork_eval.checkpoints.export import byte_count, check_target, write_checkpoint
from mwork_eval.checkpoints.proof import Difference
from mwork_eval.errors import InputError
from mwork_eval.lm.mask_arguments import MaskArguments
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.weight_deltas.delta import WeightDelta, check_base, find_delta

_MIB = 2**20


@dataclass(frozen=True, repr=False)
class ExportedCheckpoint:
    """A checkpoint that was written, and proven to differ from its source in what it should alone.

    Attributes:
        folder: Where it is.
        model: Name of its source.
        what: What was done to it, in words.
        neurons: Number of neurons switched off or scaled.
        differences: The tensors in which it differs from its source.
        left_out: Files of the source that it has not: weights in other forms, and what goes with them.
    """

    folder: Path
    model: str
    what: str
    neurons: int
    differences: tuple[Difference, ...]
    left_out: tuple[str, ...]

    def __repr__(self) -> str:
        tensors = sum(1 for one in self.differences if one.changed)
        return f"<ExportedCheckpoint {self.folder}: {self.model} with {self.what}; {tensors} tensors differ>"


def export(
    model: str | Path,
    neurons: NeuronSet | str | Path | None = None,
    *,
    out: str | Path,
    positions: str = "all",
    understanding_layers: int | None = None,
    generation_layers: int | None = None,
    count: int | None = None,
    random_control: int | None = None,
    controls: str = "any",
    intervention: str = "zero",
    delta: WeightDelta | str | Path | None = None,
    force: bool = False,
    revision: str | None = None,
    trust_remote_code: bool = False,
    progress: ProgressChoice = None,
) -> ExportedCheckpoint:
    """Write a complete checkpoint of a model with neurons switched off, or with a delta in its weights, or both.

    The model is not loaded: its files are copied, and in the copies the rows (and biases) of the neurons become zero,
    as a mask of `mwork-hf` makes them. Layout, types, file split and all other bytes stay those of the source, which
    is proven in the end. Configuration, tokenizer, generation settings and chat template are copied, too; a model card
    says what was done.

    Args:
        model: `gemma3-270m`, a local folder, or a hub id; its weights in safetensors and not quantised.
        neurons: What to switch off; nothing if not given.
        out: The folder to write, which is not there yet or empty. It appears when all is written and proven.
        positions: Positions joined by `+`, or `all`; these and the next ones as `mwork-hf` has them.
        understanding_layers: Number of first layers that understand; what the set stores, else a quarter of all.
        generation_layers: Number of last layers that generate; likewise, else an eighth of all.
        count: Only this many, those with the highest scores.
        random_control: A seed; as many random neurons of the same layers and structures instead.
        controls: What these are drawn from: `any` neurons outside the set, or only those `foreign` to the language.
        intervention: What is done to the neurons instead of switching them off: `scale:FACTOR`.
        delta: Trained values, or the file of `enhance` with them, put in before anything is switched off.
        force: Accept a set or a delta of other weights of the same sizes.
        revision: Which of the hub's it is.
        trust_remote_code: Run the code that the model brings, if it brings some.
        progress: Where progress goes: bars if not given, nothing with False, or a `Progress`.

    Returns:
        What was written.

    Raises:
        InputError: If the set or the delta does not belong to the model, weights cannot hold the intervention, the
            checkpoint is quantised or not in safetensors, a neuron shares its weights, the folder is there, or the disk
            is too small.

    Examples:
        >>> import mwork_eval as mw
        >>> mw.export("gemma3-270m", "gemma3-270m/zh", out="gemma-without-zh")  # doctest: +SKIP
        <ExportedCheckpoint gemma-without-zh: gemma3-270m with 121 neurons of zh switched off; 37 tensors differ>
    """
    if not isinstance(model, str | Path):
        raise InputError("a checkpoint is exported from its files", found=shown_value(model), expected="its name")
    if neurons is None and delta is None:
        raise InputError("nothing to change", expected="`neurons` to switch off, or a `delta`")
    folder = folder_to_write(out)
    assert folder is not None
    force, trusted = flag_of("force", force), flag_of("trust_remote_code", trust_remote_code)
    count = whole_number("count", count, at_least=1, none_is="all of the set")
    random_control = whole_number("random_control", random_control, at_least=0, none_is="the set itself")
    asked = str(neurons) if isinstance(neurons, Path) else neurons
    arguments = MaskArguments(
        asked, positions, understanding_layers, generation_layers, random_control, controls, count, intervention
    )
    wanted = arguments.found()
    if wanted is not None:
        _ = arguments.done_to(wanted).factor  # raises where weights cannot hold it
    put_in = delta if delta is None or isinstance(delta, WeightDelta) else find_delta(str(delta))
    checkpoint = Checkpoint.of(str(model), revision, trust_remote_code=trusted)
    check_target(checkpoint, folder)
    about: dict[str, Any] = {
        "model": checkpoint.name,
        "fingerprint": checkpoint.fingerprint,
        "masked": None,
        "delta": None,
    }
    edits = {}
    if put_in is not None:
        check_base(put_in, checkpoint.fingerprint, checkpoint.name, force=force)
        about["delta"] = {"digest": put_in.digest, **put_in.about}
        edits = dict(edits_of_delta(checkpoint, put_in))
    chosen = None
    if wanted is not None:
        of_model = checkpoint.shape, checkpoint.fingerprint, checkpoint.name
        chosen, description = arguments.chosen(wanted, *of_model, force=force)
        done = arguments.done_to(chosen)
        about["masked"] = {**description, **done.describe()}
        edits = dict(joined(edits, edits_of_neurons(checkpoint, chosen, done.factor)))
    with shown(progress).bar("export (MiB)", byte_count(checkpoint) // _MIB) as advance:
        written = write_checkpoint(checkpoint, edits, about, folder, _in_mib(advance))
    return ExportedCheckpoint(
        written.folder,
        checkpoint.name,
        what_was_done(about),
        0 if chosen is None else len(chosen),
        written.differences,
        written.left_out,
    )


def _in_mib(advance: Advance) -> Advance:
    """Return what takes bytes and passes on MiB, as bars count them."""
    done = 0

    def bytes_done(label: str, count: int) -> None:
        nonlocal done
        before, done = done, done + count
        advance(label, done // _MIB - before // _MIB)

    return bytes_done
