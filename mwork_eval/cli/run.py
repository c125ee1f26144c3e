"""`mwork run`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from mwork_eval.cli.options import (
    corpus_options,
    languages_option,
    matrix_options,
    model_options,
    out_option,
    scoring_options,
    selection_options,
    set_draws_option,
)
from mwork_eval.errors import InputError

if TYPE_CHECKING:
    from mwork_eval.detection.corpus.sources import Corpus


def _read_config(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Let a YAML file give the defaults of the options, under their long names."""
    if path is None:
        return
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"cannot read {path}", found=" ".join(str(error).split()), expected="a YAML file") from error
    options = {opt[2:]: parameter for parameter in ctx.command.params for opt in parameter.opts if opt.startswith("--")}
    options.pop("config", None)
    if not isinstance(values, dict) or (unknown := sorted(set(values) - set(options))):
        raise InputError(
            f"{path} has unknown entries",
            found=", ".join(map(str, unknown)) if isinstance(values, dict) else type(values).__name__,
            expected="a mapping with some of " + ", ".join(options),
        )
    defaults = {}
    for name, value in values.items():
        parameter = options[name]
        if isinstance(value, list) and not parameter.multiple:  # type: ignore[attr-defined]
            value = ",".join(map(str, value))
        elif parameter.multiple and not isinstance(value, list):  # type: ignore[attr-defined]
            value = [value]
        defaults[str(parameter.name)] = value
    ctx.default_map = {**(ctx.default_map or {}), **defaults}


def _languages_of(corpora: "Sequence[Corpus]", asked: list[str]) -> list[str]:
    """Return the languages of the corpora, which must be those asked for if some were."""
    source = click.get_current_context().get_parameter_source("languages")
    codes = [corpus.language for corpus in corpora]
    if source is not click.core.ParameterSource.DEFAULT and set(codes) != set(asked):
        raise InputError("--corpus and --languages differ", found=",".join(codes), expected=",".join(asked))
    return codes


@click.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    callback=_read_config,
    expose_value=False,
    is_eager=True,
    help="YAML file of options by their long names; flags win over it.",
)
@model_options
@corpus_options
@languages_option("en,zh,es,de", "Languages; en must be among them.")
@scoring_options
@selection_options
@set_draws_option
@click.option("--data", default="embedded", help="Folder of the upstream task files, or embedded.")
@matrix_options
@out_option("mwork-run")
def run(
    model: str,
    corpora: tuple[str, ...],
    languages: list[str],
    max_docs: int | None,
    max_tokens: int,
    min_tokens: int,
    document_seed: int | None,
    check_language: bool,
    method: str,
    max_memory: int,
    set_draws: int | None,
    preset: tuple[str, ...],
    limit: int | None,
    tasks: tuple[str, ...],
    seeds: tuple[int, ...] | None,
    out: Path,
    fraction: float | None,
    top_k: int | None,
    threshold: dict[str, float] | None,
    specific: str,
    structures: str,
    batch_size: int,
    device: str | None,
    dtype: str | None,
    device_map: str | None,
    revision: str | None,
    **matrix: Any,
) -> None:
    """Detect, ablate and report in one go.

    Without options: the default model, the embedded texts and tasks, en zh es de, preset understanding on bpb with 4
    documents and three random controls per row and language. Four questions of xquad would tell nothing.
    """
    from mwork_eval.detection.corpus.documents import DocumentRules
    from mwork_eval.detection.corpus.sources import parse_corpora
    from mwork_eval.detection.selection import Selection

    rule = Selection.of(fraction, top_k, threshold, specific, structures)
    if not preset:
        # The quick look: what fits into four minutes on two cores.
        preset, tasks, limit, seeds = ("understanding",), tasks or ("bpb",), limit or 4, seeds or (1, 2, 3)
    sources = parse_corpora(corpora, languages)
    if corpora:
        languages = _languages_of(sources, languages)
    rules = DocumentRules(max_docs, max_tokens, min_tokens, document_seed, check_language)
    from mwork_eval.application.matrix_arguments import make_matrix_options
    from mwork_eval.application.model_source import find_model
    from mwork_eval.application.report import write_reports
    from mwork_eval.application.run import run as detect_and_ablate
    from mwork_eval.detection.detect import DetectOptions, groups_for
    from mwork_eval.terminal.progress import TerminalProgress
    from mwork_eval.terminal.report import show_report

    results = detect_and_ablate(
        find_model(model, device=device, dtype=dtype, device_map=device_map, revision=revision, batch_size=batch_size),
        sources,
        rules,
        rule,
        DetectOptions(
            method=method,
            memory=max_memory,
            groups=groups_for(stability=False, set_draws=set_draws),
        ),
        make_matrix_options(preset, languages=languages, tasks=tasks, limit=limit, seeds=seeds, **matrix),
        out,
        set_draws=set_draws,
        progress=TerminalProgress(),
    )
    show_report(write_reports(results))
