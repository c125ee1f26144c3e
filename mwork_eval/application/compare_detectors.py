"""Compare detectors on equal terms: a matrix with a table for each, and one table of them all."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Unpack

from mwork_eval.application.ablate import compute_matrix
from mwork_eval.application.arguments import Names, Numbers, folder_to_write, shard_of, whole_number
from mwork_eval.application.comparison_arguments import ComparisonArguments, Scores, prepare_comparison
from mwork_eval.application.engines import check_engine, start_engine
from mwork_eval.application.matrix_arguments import asked_of
from mwork_eval.application.matrix_estimate import MatrixEstimate, estimate_prepared
from mwork_eval.application.matrix_results import MatrixResults, TemporaryFolder
from mwork_eval.application.model_source import find_model
from mwork_eval.application.progress import ProgressChoice, shown
from mwork_eval.application.task_arguments import Metrics, Tasks
from mwork_eval.languages.table import ENGLISH


def compare_detectors(
    model: Any,
    tokenizer: Any = None,
    scores: Scores | None = None,
    *,
    detectors: Names | None = None,
    arguments: Mapping[str, Mapping[str, Any]] | None = None,
    count: int = 100,
    counts: Numbers = (),
    structures: str | Iterable[str] | None = None,
    positions: str | Iterable[str] = "all",
    languages: str | Iterable[str] | None = None,
    tasks: Tasks | None = None,
    metric: Metrics | None = None,
    limit: int | Mapping[str, int] | None = None,
    sample_seed: int | None = None,
    data: str | Path | None = None,
    out: str | Path | None = None,
    seeds: Iterable[int] | None = None,
    controls: str = "any",
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
    """Compare detectors by what their neurons do: as many of each language, on the same documents, beside random ones.

    This is what `mwork compare-detectors` runs. It is a matrix as `ablate` makes one, with a preset for each detector,
    which has neuron sets of its own; so it is computed, stored and gone on with as any other.

    Args:
        model: A causal language model of transformers, or the name of one.
        tokenizer: Its tokenizer; that of its name if not given.
        scores: What `detect` recorded, or the folder it wrote.
        detectors: Names of detectors, `plnd`, `lape` and so on; differences are from the first. All that the records
            allow if not given.
        arguments: By detector, what it is told by name, such as ``{"lape": {"bar": 0.9}}``; its defaults if not given.
        count: Number of neurons of each language, the same of every detector.
        counts: Further numbers, each with sets of the detector's own choice.
        structures: Structures to select from; those that all the detectors are defined for if not given.
        positions: Where neurons are switched off: `all`, or some of `under+s-attn+s-ffn+gen`.
        languages: Languages, the pivot among them; all that were scored if not given.
        tasks: As in `ablate`, whose words the other arguments have, too; `bpb` if not given.
        metric: See there.
        limit: See there.
        sample_seed: See there.
        data: See there.
        out: See there.
        seeds: See there.
        controls: See there.
        understanding_layers: See there.
        generation_layers: See there.
        force: See there.
        repair: See there.
        device: See there.
        dtype: See there.
        device_map: See there.
        revision: See there.
        batch_size: See there.
        engine: See there.
        workers: See there.
        shard: See there.
        apply_chat_template: See there.
        system_instruction: See there.
        num_fewshot: See there.
        fewshot_as_multiturn: See there.
        gen_kwargs: See there.
        model_args: See there.
        progress: See there.
        pivot: See there.

    Returns:
        The results of the matrix; ``detectors`` is the table that compares, ``figure("detectors")`` its plot.

    Raises:
        InputError: If an argument is wrong, the scores lack what a detector needs, a detector finds too few neurons, or
            as in `ablate`; found before a model loads as far as it can be.

    Examples:
        >>> import mwork_eval as mw
        >>> model, tokenizer = mw.load_model("models/tiny-llama", device="cpu")
        >>> found = mw.detect(model, tokenizer, {"en": "embedded", "zh": "embedded"}, max_docs=4)
        >>> compared = mw.compare_detectors(
        ...     model, tokenizer, found, detectors=["plnd", "random"], count=3, limit=2, data="embedded", seeds=[1]
        ... )
        >>> compared
        <MatrixResults: plnd on bpb, random on bpb; 10 cells>
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
    options = prepare_comparison(
        scores,
        detectors=detectors,
        arguments=arguments,
        count=count,
        counts=counts,
        structures=structures,
        positions=positions,
        languages=languages,
        tasks=tasks,
        metric=metric,
        limit=limit,
        sample_seed=sample_seed,
        data=data,
        seeds=seeds,
        controls=controls,
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
        has_tables = compute_matrix(running, {}, options, folder, shard=shard, progress=say)
    return MatrixResults(place, has_tables=has_tables).as_it_is()


def estimate(
    model: str,
    scores: Scores | None = None,
    *,
    out: str | Path | None = None,
    device: str | None = None,
    dtype: str | None = None,
    revision: str | None = None,
    engine: str = "serial",
    workers: int | None = None,
    **comparison: Unpack[ComparisonArguments],
) -> MatrixEstimate:
    """Estimate a comparison; reads configuration, tokenizer, scores and task data, and no weights.

    Args:
        model: Name of the model.
        scores: As in `compare_detectors`.
        out: The results folder; what is finished there need not be computed.
        device: Where the model would be loaded to.
        dtype: What it would be loaded as.
        revision: Branch, tag or commit of a hub model.
        engine: What would compute.
        workers: Its number of workers.
        **comparison: The other arguments of `compare_detectors` that are about the matrix.

    Raises:
        InputError: As `compare_detectors` does before a model loads.
    """
    check_engine(engine, workers)
    source = find_model(model, revision=revision, model_args=comparison.get("model_args"))
    options = prepare_comparison(scores, **comparison)
    return estimate_prepared(source, {}, options, out=out, device=device, dtype=dtype)
