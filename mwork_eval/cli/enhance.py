"""`mwork enhance`."""

from pathlib import Path
from typing import Any

import click

from mwork_eval.cli.numbers import Count, Real
from mwork_eval.cli.options import (
    languages_option,
    model_options,
    out_option,
    parse_names,
    parse_numbers,
    parse_seeds,
    pivot_option,
    sample_option,
)
from mwork_eval.cli.prompting_options import prompting_options
from mwork_eval.errors import InputError
from mwork_eval.terminal.lines import tell_written


@click.command()
@model_options
@click.option(
    "--neurons", multiple=True, required=True, help="A set (gemma3-270m/zh), or a folder with one per language."
)
@click.option(
    "--corpus",
    "texts",
    multiple=True,
    required=True,
    metavar="[LANGUAGE=]SOURCE",
    help="As `mwork detect`; the language is that of a single set if not given.",
)
@click.option(
    "--documents", callback=parse_numbers, default="100,400", help="Numbers of documents to train on, drawn at random."
)
@click.option(
    "--seeds", "document_seeds", callback=parse_seeds, default="0", help="Seeds of the order of the documents."
)
@click.option("--random-control", "trained_controls", type=Count(0), default=3, help="Random controls to train, too.")
@click.option("--together", is_flag=True, help="Train all languages at once, with all their neurons.")
@click.option("--learning-rate", type=Real(0, min_open=True), default=5e-5, show_default=True)
@click.option("--warmup-steps", type=Count(0), default=10, show_default=True)
@click.option("--weight-decay", type=Real(0), default=0.0, show_default=True)
@click.option("--batch-size", type=Count(1), default=4, show_default=True, help="Documents per batch and process.")
@click.option("--accumulate", type=Count(1), default=1, show_default=True, help="Batches per step.")
@click.option("--epochs", type=Count(1), default=1, show_default=True)
@click.option("--max-tokens", type=Count(16), default=128, show_default=True, help="Tokens kept of a document.")
@click.option("--patience", type=Count(0), default=0, help="Evaluations without a better loss before it stops.")
@click.option("--mixed-precision", type=click.Choice(["no", "bf16", "fp16"]), default="no", show_default=True)
@click.option("--gradient-checkpointing", is_flag=True, help="Less memory for more time.")
@click.option("--force", is_flag=True, help="Accept sets made for other weights of the same sizes.")
@click.option(
    "--merge",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a whole checkpoint, too.  [default: none]",
)
@click.option(
    "--evaluate",
    "tasks",
    callback=parse_names,
    help="Score base and deltas on benchmarks such as bpb,xquad, families, or a pattern with {l}.  [default: none]",
)
@languages_option("en,zh,es,de", "Languages to score, besides the pivot and those of the corpora.")
@click.option("--limit", type=Count(1), help="Documents per task to score.  [default: all]")
@sample_option
@click.option(
    "--data",
    envvar="MWORK_DATA",
    help="Folder of the upstream files, embedded, or for bpb ja=FILE,...; MWORK_DATA or the hub if not given.",
)
@pivot_option
@prompting_options
@click.option("--plot", is_flag=True, help="Also draw the changes (SVG and PNG); needs the extra plot.")
@out_option("mwork-enhanced")
def enhance(
    model: str,
    device: str | None,
    dtype: str | None,
    device_map: str | None,
    revision: str | None,
    neurons: tuple[str, ...],
    texts: tuple[str, ...],
    documents: tuple[int, ...],
    document_seeds: tuple[int, ...],
    trained_controls: int,
    together: bool,
    force: bool,
    merge: Path | None,
    tasks: tuple[str, ...],
    languages: list[str],
    limit: int | None,
    sample_seed: int | None,
    data: str | None,
    pivot: str,
    plot: bool,
    out: Path,
    apply_chat_template: bool | str,
    system_instruction: str | None,
    num_fewshot: int | None,
    fewshot_as_multiturn: bool | None,
    gen_kwargs: dict[str, Any] | None,
    model_args: dict[str, Any] | None,
    **training: Any,
) -> None:
    """Fine-tune the neurons of a set, and nothing else, on a few hundred documents.

    Every finished delta is a small file below OUT/deltas, for `mwork-hf` with delta=FILE; the same command goes on
    where the last one stopped. Random controls are as many random neurons of the same layers and structures,
    trained alike.
    """
    from mwork_eval.application.enhance import enhance as enhance_neurons
    from mwork_eval.detection.corpus.sources import parse_corpora
    from mwork_eval.enhancement.folder import SCORES
    from mwork_eval.enhancement.training import TrainingOptions
    from mwork_eval.reports.plots import FORMATS, require_matplotlib, write_figures
    from mwork_eval.terminal.console import make_console
    from mwork_eval.terminal.enhancement import print_enhancement
    from mwork_eval.terminal.progress import TerminalProgress

    if plot:
        require_matplotlib("--plot")
        if not tasks:
            raise InputError("--plot draws what changed", found="no --evaluate")
    corpora = parse_corpora([_with_language(text, neurons) for text in texts], None)
    made = enhance_neurons(
        model,
        neurons=neurons,
        texts={corpus.language: corpus.source for corpus in corpora},
        documents=documents,
        document_seeds=document_seeds,
        trained_controls=trained_controls,
        together=together,
        training=TrainingOptions(**training),
        tasks=tasks,
        languages=languages,
        limit=limit,
        sample_seed=sample_seed,
        data=data,
        merge=merge,
        out=out,
        force=force,
        device=device,
        dtype=dtype,
        device_map=device_map,
        revision=revision,
        pivot=pivot,
        apply_chat_template=apply_chat_template,
        system_instruction=system_instruction,
        num_fewshot=num_fewshot,
        fewshot_as_multiturn=fewshot_as_multiturn,
        gen_kwargs=gen_kwargs,
        model_args=model_args,
        progress=TerminalProgress(),
    )
    if not made.files:
        return
    written = list(made.files)
    if plot:
        written += write_figures({SCORES: made.figure}, out, FORMATS)
    print_enhancement(made.tables, make_console(), made.about)
    tell_written(written)


def _with_language(text: str, references: tuple[str, ...]) -> str:
    """Give a corpus that names no language that of the only set."""
    from mwork_eval.neurons.references import find_named_sets

    if "=" in text:
        return text
    languages = {str(neurons.about.get("language")) for neurons in find_named_sets(references).values()}
    return f"{languages.pop()}={text}" if len(languages) == 1 else text
