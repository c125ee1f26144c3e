"""Train every delta of an enhancement that is not there yet."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mwork_eval.enhancement.documents import TrainingText, interleaved, shuffled
from mwork_eval.enhancement.record import FILE, RANDOM, SPECIFIC, Record, Run, TrainedDelta
from mwork_eval.enhancement.training import SelectedModel, TrainingOptions, mean_loss, train
from mwork_eval.models.fingerprint import fingerprint_of
from mwork_eval.models.fit import check_fit
from mwork_eval.models.layout import Layout
from mwork_eval.models.loading import LoadedModel
from mwork_eval.models.modes import evaluation_mode
from mwork_eval.models.slice_editor import SliceEditor
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.random_control import draw_random_control
from mwork_eval.processes import is_first_process, wait_for_processes
from mwork_eval.versions import software_versions
from mwork_eval.weight_deltas.delta import WeightDelta, save_delta
from mwork_eval.weight_deltas.parts import TrainedParts, parts_of

DELTAS = "deltas"
_WORK = "work"


@dataclass(frozen=True)
class Enhancement:
    """What to train.

    Attributes:
        sets: By language, the neurons.
        texts: By language, the documents.
        sizes: Numbers of documents, ascending.
        seeds: Seeds of the order of the documents.
        controls: Number of random controls.
        together: Whether the languages are trained at once, with all their neurons.
        training: How to train.
        force: Accept sets made for other weights of the same sizes.
    """

    sets: Mapping[str, NeuronSet]
    texts: Mapping[str, TrainingText]
    sizes: tuple[int, ...]
    seeds: tuple[int, ...]
    controls: int
    together: bool
    training: TrainingOptions
    force: bool = False

    @property
    def runs(self) -> list[Run]:
        """Every training, language by language, its random controls after it."""
        groups = [tuple(self.sets)] if self.together else [(language,) for language in self.sets]
        kinds = [(SPECIFIC, seed) for seed in self.seeds] + [(RANDOM, seed) for seed in range(1, self.controls + 1)]
        return [Run(languages, kind, seed) for languages in groups for kind, seed in kinds]

    def neurons_of(self, run: Run) -> NeuronSet:
        """Return the neurons of a training."""
        first, *others = (self.sets[language] for language in run.languages)
        neurons = first
        for other in others:
            neurons |= other
        if run.kind == SPECIFIC:
            return neurons
        return draw_random_control(neurons, excluded=neurons, seed=run.seed)

    def text_of(self, run: Run) -> TrainingText:
        """Return the documents of a training, in order; a number of them is that of all its languages together."""
        texts = [self.texts[language] for language in run.languages]
        text = texts[0] if len(texts) == 1 else interleaved(texts)
        return replace(text, training=shuffled(text.training, run.seed))


def train_deltas(
    loaded: LoadedModel,
    plan: Enhancement,
    folder: Path,
    *,
    tell: Callable[[str], Any] = lambda message: None,
    advance: Callable[[str, int], Any] = lambda run, documents: None,
) -> Record:
    """Train the deltas that the folder does not have; the model is as before in the end, also after an exception.

    Args:
        loaded: The base.
        plan: What to train.
        folder: Where deltas and record go; an interrupted training goes on from its last checkpoint there.
        tell: Called with a line about each training.
        advance: Called after each step with the name of the training and the number of documents.

    Several processes that a launcher started call this alike: they share each step's documents, the first one stores.

    Raises:
        InputError: If sets do not fit the model, or the folder holds deltas of another base or of other options.
    """
    layout = Layout.of(loaded.model)
    fingerprint = fingerprint_of(loaded.model)
    for neurons in plan.sets.values():
        check_fit(neurons, layout.shape, fingerprint, loaded.name, force=plan.force)
    record = _record(loaded.name, fingerprint, plan, folder)
    with evaluation_mode(loaded.model), _gradients_as_they_are(loaded.model):
        for run, sizes in _missing(plan, record):
            number = plan.runs.index(run) + 1
            tell(f"{number}/{len(plan.runs)} {run.name}: {', '.join(map(str, sizes))} documents")
            record = _train_run(loaded, layout, plan, run, sizes, record, folder, partial(advance, run.name))
    # Only the first process knows what it has stored.
    wait_for_processes()
    return record if is_first_process() else Record.load(folder)


@contextmanager
def _gradients_as_they_are(model: Any) -> Iterator[None]:
    """Let parameters that a training freezes want gradients again afterwards."""
    wanted = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)


def documents_left(plan: Enhancement, folder: Path) -> int:
    """Return how many documents the trainings go through that the folder does not have."""
    missing = _missing(plan, Record.load(folder) if (folder / FILE).is_file() else None)
    return sum(max(sizes) * plan.training.epochs for _, sizes in missing)


def _missing(plan: Enhancement, record: Record | None) -> list[tuple[Run, list[int]]]:
    """Return what has to be trained, with the numbers of documents after which a delta is taken."""
    done = {(delta.run, delta.documents) for delta in record.deltas} if record else set()
    # Without early stopping and in one pass, fewer documents are the beginning of more.
    nested = plan.training.epochs == 1 and plan.training.patience == 0
    found = []
    for run in plan.runs:
        missing = [size for size in plan.sizes if (run, size) not in done]
        found += [(run, missing)] if nested and missing else [(run, [size]) for size in missing]
    return found


def _record(model: str, fingerprint: str, plan: Enhancement, folder: Path) -> Record:
    options = {
        **plan.training.to_json(),
        "sets": {language: neurons.digest_unordered for language, neurons in plan.sets.items()},
        "together": plan.together,
        "controls": "by layer and structure",
        "versions": software_versions(),
    }
    corpora = {language: {"name": text.name, "documents": len(text.training)} for language, text in plan.texts.items()}
    digests = {language: list(text.digests) for language, text in plan.texts.items()}
    return Record(model, fingerprint, options, corpora, digests).continuing(folder)


def _train_run(
    loaded: LoadedModel,
    layout: Layout,
    plan: Enhancement,
    run: Run,
    sizes: Sequence[int],
    record: Record,
    folder: Path,
    advance: Callable[[int], Any],
) -> Record:
    neurons, text = plan.neurons_of(run), plan.text_of(run)
    parts = parts_of(layout, neurons)
    options = replace(plan.training, seed=run.seed)
    with SliceEditor() as before:
        for part in parts:
            part.save(before)
        trained = TrainedParts(parts)
        model = SelectedModel(loaded.model, layout, trained)
        loss_before = mean_loss(model, text.held_out, options.batch_size)
        records = [record]

        def keep(size: int) -> None:
            about = {
                "model": loaded.name,
                "fingerprint": record.fingerprint,
                "neurons": neurons.digest_unordered,
                "languages": list(run.languages),
                "kind": run.kind,
                "documents": size,
                "options": {**record.options, "seed": run.seed},
                "corpora": [record.corpora[language] for language in run.languages],
            }
            delta = WeightDelta.of(layout, trained, about)
            file = Path(DELTAS, f"{run.name}-{size}.safetensors")
            save_delta(delta, folder / file)
            finished = TrainedDelta(
                run.languages,
                run.kind,
                run.seed,
                size,
                file.as_posix(),
                delta.digest,
                len(neurons),
                delta.parameters,
                loss_before,
                mean_loss(model, text.held_out, options.batch_size),
            )
            records[0] = replace(records[0], deltas=(*records[0].deltas, finished))
            records[0].save(folder)

        work = folder / _WORK / run.name / str(max(sizes))
        snapshots = {size: partial(keep, size) for size in sizes}
        train(model, text.training[: max(sizes)], text.held_out, options, work, snapshots, advance=advance)
        return records[0]
