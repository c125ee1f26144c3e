"""Choose how many layers understand and generate, by what deactivating neurons there does."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mwork_eval.application.arguments import (
    folder_to_write,
    names_of,
    order_of,
    pivot_of,
    positions_of,
    shown_value,
    whole_number,
    whole_numbers,
)
from mwork_eval.application.matrix_progress import matrix_progress
from mwork_eval.application.model_args import check_not_twice, shown_model_args
from mwork_eval.application.model_source import find_model
from mwork_eval.application.object_arguments import sets_by_language
from mwork_eval.application.progress import ProgressChoice, shown
from mwork_eval.application.prompting_arguments import prompting_of
from mwork_eval.application.task_arguments import tasks_of
from mwork_eval.errors import InputError
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.files.writing import write_text_atomically
from mwork_eval.hub.reference import is_hub
from mwork_eval.languages.pivot import Pivot
from mwork_eval.languages.table import ENGLISH, check_language
from mwork_eval.matrix.cell_plan import TaskSource
from mwork_eval.matrix.identity import ModelFacts
from mwork_eval.matrix.options import find_family
from mwork_eval.matrix.runner import run_matrix
from mwork_eval.matrix.sweep import plan_sweep, prepare_tuning, sweep_scores
from mwork_eval.matrix.tuning import Tuning, default_grid, judge_grid, plan_grid
from mwork_eval.models.fit import check_fit
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.pivots import check_made_against
from mwork_eval.neurons.set_folders import SUFFIX, find_set_folder
from mwork_eval.neurons.stages import parse_positions
from mwork_eval.neurons.tuned_stages import with_stages
from mwork_eval.results.store import CellStore
from mwork_eval.views.notebook import data_frame, html_table
from mwork_eval.views.tuning import draw_tuning, tuning_as_json, tuning_cells, verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class TuningResults:
    """The ∆ of every pair of stage boundaries, and the best; a notebook shows the grid.

    Attributes:
        tuning: The grid.
        sets: By name, the sets with the choice in them.
        files: What was written besides the sets.
    """

    tuning: Tuning
    sets: Mapping[str, NeuronSet]
    files: tuple[Path, ...] = ()

    def to_pandas(self) -> Any:
        """Return a `pandas.DataFrame` with a row per pair of boundaries; ∆ in the unit of the task, or None.

        Raises:
            InputError: If pandas is not installed.
        """
        deltas = {boundaries: found.delta for boundaries, found in self.tuning.deltas.items()}
        return data_frame(
            [
                {
                    "understanding": point.stages.understanding,
                    "generation": point.stages.generation,
                    "masked_layers": point.layers,
                    "available": point.available,
                    "delta": delta and delta.value,
                    "low": delta and delta.low,
                    "high": delta and delta.high,
                    "best": point.boundaries == self.tuning.best,
                }
                for point in self.tuning.grid
                for delta in [deltas.get(point.boundaries)]
            ]
        )

    def figure(self) -> "Figure":
        """Draw the grid as a heat map of ∆, the best pair framed; needs the extra `plot`."""
        return draw_tuning(self.tuning)

    def __repr__(self) -> str:
        return f"<TuningResults: {verdict(self.tuning)}>"

    def _repr_html_(self) -> str:
        caption = f"∆ in {self.tuning.scale.unit}: understanding layers × generation layers"
        return html_table(caption, *tuning_cells(self.tuning), note=verdict(self.tuning))


def tune_layers(
    model: Any,
    tokenizer: Any = None,
    neurons: str | Path | Mapping[str, NeuronSet] | None = None,
    *,
    task: str = "xquad",
    language: str = "zh",
    limit: int = 64,
    sample_seed: int | None = None,
    positions: str = "under+gen",
    understanding: Sequence[int] | None = None,
    generation: Sequence[int] | None = None,
    data: str | Path | None = None,
    batch_size: int = 8,
    force: bool = False,
    out: str | Path | None = None,
    device: str | None = None,
    dtype: str | None = None,
    device_map: str | None = None,
    revision: str | None = None,
    apply_chat_template: bool | str = False,
    system_instruction: str | None = None,
    num_fewshot: int | None = None,
    fewshot_as_multiturn: bool | None = None,
    gen_kwargs: Mapping[str, Any] | str | None = None,
    model_args: Mapping[str, Any] | None = None,
    progress: ProgressChoice = None,
    pivot: str = ENGLISH,
) -> TuningResults | None:
    """Choose the stage boundaries by ∆ on documents that tables of the tuned sets then leave out.

    Args:
        model: `gemma3-270m`, a local folder, a hub id, or a model in memory, which is as before in the end.
        tokenizer: Its tokenizer; that of its name if not given.
        neurons: Sets by language, or a folder of them.
        task: A benchmark, a family of lm-eval's tasks, a pattern with `{l}`, or a `.yaml` file of one.
        language: Whose neurons are deactivated.
        limit: Number of documents.
        sample_seed: Take ``limit`` documents at random, by this seed; evenly spread over the task if not given.
        positions: Where to deactivate: positions joined by `+`.
        understanding: Numbers of first layers to try; up to 3/8 of the layers if not given.
        generation: Numbers of last layers to try; up to 3/16 of the layers if not given.
        data: Folder of the upstream files, `embedded`, or None for `MWORK_DATA` or the hub.
        batch_size: Requests at a time where lm-eval's own way is taken.
        force: Accept sets made for other weights of the same sizes, or against another pivot.
        out: Folder for scores, `tuning.json` and the sets; the same call goes on where an interrupted one stopped.
            Nothing is written if not given.
        device: Of a model that is loaded by name; the next ones too, as `load_model` takes them.
        dtype: See ``device``.
        device_map: See ``device``.
        revision: See ``device``.
        apply_chat_template: Render prompts by the tokenizer's chat template; or the name of one of its several.
        system_instruction: What stands before the task's own description, as a system message where there are messages.
        num_fewshot: Examples before each question; the task's own number if not given.
        fewshot_as_multiturn: Whether examples are turns of their own; so with a chat template if not given.
        gen_kwargs: Arguments of generation, as a mapping or as `top_k=5,...`; each wins over the task's own.
        model_args: Further arguments of `mwork-hf` and lm-eval's `hf`, such as ``max_length`` or ``peft``.
        progress: Where progress and messages go: bars if not given, nothing with False, or a `Progress`.
        pivot: The language that it is compared with.

    Returns:
        What was found; None in a process that a launcher started to help another one.

    Raises:
        InputError: If the input is unusable, a set does not fit the model, or data cannot be had.

    Examples:
        >>> import mwork_eval as mw
        >>> model, tokenizer = mw.load_model("gemma3-270m")  # doctest: +SKIP
        >>> tuned = mw.tune_layers(model, tokenizer, "gemma3-270m", task="bpb", limit=8)  # doctest: +SKIP
        >>> mw.ablate(model, tokenizer, tuned.sets, tasks="bpb")  # doctest: +SKIP
    """
    language, pivot = check_language(language), pivot_of(pivot)
    if language == pivot:
        raise InputError(
            f"∆ compares a language with {Pivot(pivot).name}", found=f"`language={pivot}`", expected="another language"
        )
    limit, order = whole_number("limit", limit, at_least=2), order_of(sample_seed)
    where, place = parse_positions(positions_of(positions)), folder_to_write(out)
    understanding, generation = _tried("understanding", understanding), _tried("generation", generation)
    (written,) = names_of("task", [task])
    (task, *more), own_tasks = tasks_of([written])
    if more:
        raise InputError(
            "boundaries are tuned on one task", found=" ".join([task, *more]), expected=f"one in {written}"
        )
    sets, own = _read_sets(neurons, language, None if place is None else place / "neurons")
    check_made_against([(language, own)], pivot, force=force)
    progress = shown(progress)
    loading = {"device": device, "dtype": dtype, "device_map": device_map, "revision": revision}
    source = find_model(model, tokenizer, batch_size=batch_size, model_args=model_args, **loading)
    check_not_twice(source.model_args, ("double_bos",))
    first, last = default_grid(own.shape.layers)
    grid = plan_grid(own, where, understanding or first, generation or last)
    family = find_family(task, (pivot, language), own_tasks.get(task), pivot=pivot)
    names = tuple(family.task(code) for code in family.languages)
    asked = source.asking(
        prompting_of(apply_chat_template, system_instruction, num_fewshot, fewshot_as_multiturn, gen_kwargs)
    )
    tasks_from = TaskSource(
        names,
        None if data is None else str(data),
        Sample(limit, order),
        prompting=asked,
        families=dict.fromkeys(names, family.name),
    )
    with ExitStack() as stack:
        tasks = prepare_tuning(tasks_from)
        lm = stack.enter_context(source.opened())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()) if place is None else place)
        facts = ModelFacts.of(lm, source.name)
        for found in sets.values():
            check_fit(found, facts.shape, facts.fingerprint, facts.name, force=force)
        plan = plan_sweep(facts, grid, family, where, tasks_from, tasks, pivot)
        is_first = lm.rank == 0
        with matrix_progress(progress, plan, folder, show=is_first) as advance:
            run_matrix(lm, plan, folder, advance=advance, tell=progress.tell)
        if not is_first:
            return None
        items = {item for prepared in tasks.values() for item in prepared.items}
        scores = sweep_scores(plan, CellStore(folder))
        tuning = judge_grid(grid, *scores, task=task, positions=where, items=items, tasks=names, pivot=pivot)
    record = asked.record()
    said = {} if record is None else {"prompting": record.to_values()}
    said |= {"model_args": shown_model_args(source.model_args)} if source.model_args else {}
    tuned = {name: with_stages(found, tuning.stages, tuning.tuned_on) for name, found in sets.items()}
    if place is None:
        return TuningResults(tuning, tuned)
    for name, found in tuned.items():
        save_neuron_set(found, folder / "neurons" / f"{name}{SUFFIX}")
    write_text_atomically(folder / "tuning.json", tuning_as_json(tuning, source.name, facts.fingerprint, said))
    return TuningResults(tuning, tuned, (folder / "tuning.json",))


def _tried(name: str, numbers: Sequence[int] | None) -> tuple[int, ...] | None:
    return None if numbers is None else whole_numbers(name, numbers, at_least=0, example="[1, 2, 4]")


def _read_sets(
    neurons: str | Path | Mapping[str, NeuronSet] | None, language: str, target: Path | None
) -> tuple[dict[str, NeuronSet], NeuronSet]:
    """Return all sets by name, and the language's own.

    Raises:
        InputError: If there are none, or the tuned ones would overwrite them.
    """
    if neurons is None:
        raise InputError("boundaries are tuned for sets", found="no neurons")
    if isinstance(neurons, Mapping):
        given = sets_by_language(neurons)
        if language not in given:
            raise InputError("a language has no neuron set", found=language, expected=f"one of {' '.join(given)}")
        return given, given[language]
    if not isinstance(neurons, str | Path):
        expected = "sets by language such as {'zh': set}, or a folder of them"
        raise InputError("unusable neurons", found=shown_value(neurons), expected=expected)
    folder = find_set_folder(str(neurons))
    own = folder.find(language, "a set of each language")
    if target is not None and not is_hub(str(neurons)) and Path(folder.shown).resolve() == target.resolve():
        raise InputError(
            "the tuned sets would overwrite the given ones", found=folder.shown, hint="choose another `out`"
        )
    return folder.load_all(), own
