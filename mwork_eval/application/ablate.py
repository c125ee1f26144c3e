"""Run a matrix of settings, languages and tasks: what deactivated neurons do to a model's scores."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mwork_eval.application.arguments import Names, Numbers, folder_to_write, shard_of, whole_number
from mwork_eval.application.engines import check_engine, start_engine
from mwork_eval.application.matrix_arguments import (
    Drawn,
    Neurons,
    asked_of,
    prepare_matrix,
)
from mwork_eval.application.matrix_progress import matrix_progress, tell_what_is_missing
from mwork_eval.application.matrix_results import MatrixResults, TemporaryFolder
from mwork_eval.application.model_source import find_model
from mwork_eval.application.progress import Progress, ProgressChoice, shown
from mwork_eval.application.task_arguments import Metrics, Tasks
from mwork_eval.languages.table import ENGLISH
from mwork_eval.matrix.engine import Engine
from mwork_eval.matrix.manifest import record_matrix
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.planning import plan_matrix
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.results.store import CellStore


def ablate(
    model: Any,
    tokenizer: Any = None,
    neurons: Neurons | None = None,
    *,
    preset: Names = "existence",
    tasks: Tasks | None = None,
    metric: Metrics | None = None,
    limit: int | Mapping[str, int] | None = None,
    sample_seed: int | None = None,
    languages: str | Iterable[str] | None = None,
    data: str | Path | None = None,
    out: str | Path | None = None,
    seeds: Iterable[int] | None = None,
    controls: str = "any",
    cross: bool = False,
    counts: Numbers = (),
    set_draws: Drawn | None = None,
    understanding_layers: int | None = None,
    generation_layers: int | None = None,
    force: bool = False,
    repair: bool = False,
    device: str | None = None,
    dtype: str | None = None,
    device_map: str | None = None,
    revision: str | None = None,
    batch_size: int = 8,
    engine: str = "serial",
    workers: int | None = None,
    shard: tuple[int, int] = (0, 1),
    apply_chat_template: bool | str = False,
    system_instruction: str | None = None,
    num_fewshot: int | None = None,
    fewshot_as_multiturn: bool | None = None,
    gen_kwargs: Mapping[str, Any] | str | None = None,
    model_args: Mapping[str, Any] | None = None,
    progress: ProgressChoice = None,
    pivot: str = ENGLISH,
) -> MatrixResults:
    """Deactivate language neurons, setting by setting, and score every language and the pivot (Section 4 of the paper).

    This is what `mwork ablate` runs: the same arguments give the same cells, in the same folder if asked for. Every
    finished cell is on disk before the next starts; the same call goes on where the last one stopped. A model in memory
    is used where and as it is, neither copied nor loaded again, and has its weights back bit by bit in the end, also
    after Ctrl-C.

    Source: Zhao et al., arXiv:2402.18815, Tables 1 to 4; ∆ is that of Table 1.

    Args:
        model: A causal language model of transformers, or the name of one: `gemma3-270m`, a local folder, a hub id.
        tokenizer: Its tokenizer; that of its name if not given.
        neurons: Neuron sets by language, such as `Detection.select` returns, or references to them; or a folder of
            them, local or shipped, such as `gemma3-270m`.
        preset: A table of the paper, a `.yaml` file of presets, or several of these.
        tasks: Benchmarks such as `xquad`, families of lm-eval's tasks such as `belebele`, patterns with `{l}` for the
            language, or a `.yaml` file that says which task is which language's; or by name the tasks by language. Each
            preset's own if not given.
        metric: The main metric: one for every task, such as `acc_norm`, or `TASK=METRIC`; the task's own if not given.
        limit: Documents per task, or None for all; by benchmark, such as ``{"xlsum": 500}``, with all of the others.
        sample_seed: Take ``limit`` documents at random, by this seed; evenly spread over the task if not given.
        languages: Languages, the pivot among them, as a list or as `en,zh`; it and those of the sets if not given.
        data: Folder of the upstream files, or `embedded`; what MWORK_DATA names or the hub if not given.
        out: Folder of the results. Without one nothing stays on disk: the results keep a temporary folder while they
            are in use.
        seeds: Of the random controls; 1 to 20 for bpb and to 3 for other benchmarks if not given.
        controls: What these are drawn from: `any` neurons outside the set, or only those `foreign` to the language.
        cross: Whether every language's mask is tried on every language's documents, too.
        counts: Also only so many neurons, the strongest.
        set_draws: Also the sets of random halves of the detection documents: how many of those beside the sets, or per
            draw the sets by language.
        understanding_layers: Number of first layers that understand; the sets' number, else a quarter, if not given.
        generation_layers: Number of last layers that generate; the sets' number, else an eighth, if not given.
        force: Accept sets made for other weights of the same sizes, or against another pivot.
        repair: Compute damaged cells again, and write a damaged manifest anew, instead of ending with an error.
        device: Where a model given by name is loaded to; the first accelerator or the CPU if not given.
        dtype: What it is loaded as; float32 on a CPU without native bfloat16.
        device_map: How it is spread over devices.
        revision: Branch, tag or commit of a hub model.
        batch_size: Requests at a time where lm-eval's own way is taken.
        engine: What computes: `serial`, this process; `ray`, the workers of a cluster; or `vllm`, one engine of vLLM,
            which loads the weights again for each mask.
        workers: Number of workers of an engine that has some.
        shard: Which share of the cells to compute, from 0, and of how many.
        apply_chat_template: Render prompts by the tokenizer's chat template; or the name of one of its several.
        system_instruction: What stands before the task's own description, as a system message where there are messages.
        num_fewshot: Examples before each question; the task's own number if not given.
        fewshot_as_multiturn: Whether examples are turns of their own; so with a chat template if not given.
        gen_kwargs: Arguments of generation, as a mapping or as `top_k=5,...`; each wins over the task's own.
        model_args: Further arguments of `mwork-hf` and lm-eval's `hf`, such as ``max_length`` or ``peft``; with
            ``engine="vllm"`` of lm-eval's `vllm` and vLLM, such as ``tensor_parallel_size``.
        progress: Where progress goes: bars if not given, nothing with False, or a `Progress`.
        pivot: The language that the others are compared with: each of their masks is tried on it, too.

    Returns:
        The results as they are now, whatever the folder gets later. Scores are percentages ("points") or bits per byte,
        and so are their differences; negative ones mean damage.

    Raises:
        InputError: If an argument is wrong, the sets do not fit the model or the tasks, data cannot be had, or the
            folder holds results of another model. What is wrong with the arguments is found before a model loads.

    Note:
        Cells are named after a fingerprint of up to 256 values of each parameter. Fine-tuning and merging change it; an
        edit of a few weights may not, so give a model edited by hand an ``out`` of its own. Models with hooks of
        your own never share cells.

    Examples:
        >>> import mwork_eval as mw
        >>> model, tokenizer = mw.load_model("models/tiny-llama", device="cpu")
        >>> found = mw.detect(model, tokenizer, {"en": "embedded", "zh": "embedded"}, max_docs=4)
        >>> sets = found.select(fraction=0.4)
        >>> matrix = mw.ablate(model, tokenizer, sets, tasks="bpb", limit=2, data="embedded", seeds=[1])
        >>> matrix
        <MatrixResults: existence on bpb; 6 cells>
    """
    shard, to_write = shard_of(shard), folder_to_write(out)
    workers = whole_number("workers", workers, at_least=1, none_is="the engine's own number")
    source = find_model(
        model,
        tokenizer,
        device=device,
        dtype=dtype,
        device_map=device_map,
        revision=revision,
        batch_size=batch_size,
        model_args=model_args,
    )
    check_engine(engine, workers, in_memory=source.in_memory)
    sets, options = prepare_matrix(
        neurons,
        preset=preset,
        tasks=tasks,
        metric=metric,
        limit=limit,
        sample_seed=sample_seed,
        languages=languages,
        data=data,
        seeds=seeds,
        controls=controls,
        cross=cross,
        counts=counts,
        set_draws=set_draws,
        understanding_layers=understanding_layers,
        generation_layers=generation_layers,
        force=force,
        repair=repair,
        pivot=pivot,
        apply_chat_template=apply_chat_template,
        system_instruction=system_instruction,
        num_fewshot=num_fewshot,
        fewshot_as_multiturn=fewshot_as_multiturn,
        gen_kwargs=gen_kwargs,
        model_args=model_args,
    )
    options = asked_of(options, source)
    place, say = TemporaryFolder() if to_write is None else to_write, shown(progress)
    folder = place.path if isinstance(place, TemporaryFolder) else place
    with start_engine(engine, source, workers, say.tell) as running:
        has_tables = compute_matrix(running, sets, options, folder, shard=shard, progress=say)
    return MatrixResults(place, has_tables=has_tables).as_it_is()


def compute_matrix(
    engine: Engine,
    sets: Mapping[str, NeuronSet],
    options: MatrixOptions,
    folder: Path,
    *,
    shard: tuple[int, int] = (0, 1),
    progress: Progress,
) -> bool:
    """Plan a matrix, record it, and compute the cells of a shard that are not on disk yet.

    Args:
        engine: What computes.
        sets: The neuron sets by mask language.
        options: The matrix.
        folder: The results folder.
        shard: Which share of the cells, from 0, and of how many.
        progress: Where progress goes.

    Returns:
        Whether this process has a table of this matrix to show; only the first of those that a launcher started has.

    Raises:
        InputError: As `ablate` does.
    """
    plan = plan_matrix(engine.facts, sets, options)
    if engine.first:
        record_matrix(folder, engine.facts, sets, options, plan)
        for reason in CellStore(folder).discard_damaged() if options.repair else ():
            progress.tell(f"computed again: {reason}")
    with matrix_progress(progress, plan, folder, shard, show=engine.first) as advance:
        engine.run(plan, folder, shard=shard, advance=advance, tell=progress.tell)
    if not engine.first:
        return False
    tell_what_is_missing(progress, plan, folder)
    return plan.shows_a_table(CellStore(folder))
