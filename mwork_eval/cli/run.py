"""`mwork run`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from mwork_eval.application.run_configs import find_config, shipped_configs
from mwork_eval.cli.matrix_options import matrix_options
from mwork_eval.cli.options import (
    corpus_options,
    languages_option,
    model_options,
    out_option,
    pivot_option,
    scoring_options,
    selection_options,
    set_draws_option,
)
from mwork_eval.cli.prompting_options import prompting_options
from mwork_eval.errors import InputError
from mwork_eval.files.yaml_values import entries_of, kind_of, line_of, read_yaml

if TYPE_CHECKING:
    from mwork_eval.detection.corpus.sources import Corpus


_HUB = "hub"
_NAMED = {"limit", "metric", "gen-kwargs", "model-args"}
"""Options whose values have names, so that a mapping may stand in a file."""


def _read_config(ctx: click.Context, _: click.Parameter, given: Path | None) -> None:
    """Let a YAML file give the defaults of the options, under their long names."""
    if given is None:
        return
    path = find_config(given)
    root = read_yaml(path, "a YAML file").root
    options = {opt[2:]: parameter for parameter in ctx.command.params for opt in parameter.opts if opt.startswith("--")}
    options.pop("config", None)
    unknown = sorted({key.value for key, _ in entries_of(root)} - set(options))
    if unknown or not isinstance(root, yaml.MappingNode | None):
        raise InputError(
            f"{path} has unknown entries",
            found=", ".join(unknown) if unknown or root is None else kind_of(root),
            expected="a mapping with some of " + ", ".join(options),
        )
    defaults = {}
    for key, node in entries_of(root):
        parameter, texts = options[key.value], _texts(path, node, named=key.value in _NAMED)
        # As the command line has it: a list is joined by commas, or is an option given several times.
        value: Any = texts if parameter.multiple else ",".join(texts)  # type: ignore[attr-defined]
        try:
            parameter.type_cast_value(ctx, value)
        except (click.BadParameter, ValueError) as error:  # a path cannot hold every sign
            found = error.message if isinstance(error, click.BadParameter) else error
            raise InputError(f"{line_of(path, node)}: {key.value}", found=found) from error
        defaults[str(parameter.name)] = value
    ctx.default_map = {**(ctx.default_map or {}), **defaults}


def _texts(path: Path, node: yaml.Node, *, named: bool = False) -> list[str]:
    """Return a value, or those of a list or a mapping, as the file has them written, so that 2.5 is no whole number."""
    if named and isinstance(node, yaml.MappingNode):
        return [f"{key.value}={_texts(path, value)[0]}" for key, value in entries_of(node)]
    values = node.value if isinstance(node, yaml.SequenceNode) else [node]
    for value in values:
        if not isinstance(value, yaml.ScalarNode) or value.tag == "tag:yaml.org,2002:null":
            found = "nothing" if isinstance(value, yaml.ScalarNode) else kind_of(value)
            raise InputError(f"{line_of(path, value)}: not the value of an option", found=found, expected="a text")
    return [str(value.value) for value in values]


def _languages_of(corpora: "Sequence[Corpus]", asked: list[str]) -> list[str]:
    """Return the languages of the corpora, which must be those asked for if some were."""
    source = click.get_current_context().get_parameter_source("languages")
    codes = [corpus.language for corpus in corpora]
    if source is not click.core.ParameterSource.DEFAULT and set(codes) != set(asked):
        raise InputError("--corpus and --languages differ", found=",".join(codes), expected=",".join(asked))
    return codes


def _limit_of(limit: Any, preset: Sequence[str], tasks: Sequence[str]) -> Any:
    """Return the limit of a configuration for what is left of its benchmarks beside other options."""
    from mwork_eval.benchmarks.task_family import benchmark_name
    from mwork_eval.matrix.presets import find_presets

    if not isinstance(limit, dict):
        return limit
    left = {benchmark_name(name) for name in tasks or [one.task for one in find_presets(preset)]}
    return {name: most for name, most in limit.items() if name in left} or None


@click.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    callback=_read_config,
    expose_value=False,
    is_eager=True,
    help=f"YAML file of options by their long names, or {', '.join(shipped_configs())}; flags win over it.",
)
@model_options
@corpus_options
@languages_option("en,zh,es,de", "Languages; the pivot must be among them.")
@scoring_options
@selection_options
@set_draws_option
@click.option(
    "--data", default="embedded", help="Folder of the upstream task files, embedded, or hub (or what MWORK_DATA names)."
)
@matrix_options
@pivot_option
@prompting_options
@click.option("--dry-run", is_flag=True, help="Print cells, documents, tokens, time and memory; load no weights.")
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
    record: tuple[str, ...],
    max_memory: int,
    set_draws: int | None,
    preset: tuple[str, ...],
    limit: int | dict[str, int] | None,
    tasks: tuple[str, ...],
    seeds: tuple[int, ...] | None,
    out: Path,
    fraction: float | None,
    top_k: int | None,
    threshold: dict[str, float] | None,
    specific: str,
    structures: str | None,
    count: int | None,
    detector: str,
    arguments: dict[str, Any],
    activations: bool,
    pivot: str,
    batch_size: int,
    device: str | None,
    dtype: str | None,
    device_map: str | None,
    revision: str | None,
    model_args: dict[str, Any] | None,
    data: str,
    dry_run: bool,
    **matrix: Any,
) -> None:
    """Detect, ablate and report in one go.

    Without options: the default model, the embedded texts and tasks, en zh es de, preset understanding on bpb with 4
    documents and three random controls per row and language. Four questions of xquad would tell nothing.
    """
    from mwork_eval.detection.corpus.documents import DocumentRules
    from mwork_eval.detection.corpus.sources import parse_corpora
    from mwork_eval.detection.selection import Selection, needed_records

    rule = Selection.of(fraction, top_k, threshold, specific, structures, pivot, count, detector, arguments)
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

    detection = DetectOptions(
        method=method,
        recorded=needed_records(rule, activations=activations, asked=record),
        memory=max_memory,
        groups=groups_for(stability=False, set_draws=set_draws),
    )
    # Not given, data come from where MWORK_DATA says, or from the hub.
    matrix["data"] = None if data == _HUB else data
    if click.get_current_context().get_parameter_source("limit") is click.core.ParameterSource.DEFAULT_MAP:
        limit = _limit_of(limit, preset, tasks)
    options = make_matrix_options(
        preset,
        languages=languages,
        tasks=tasks,
        limit=limit,
        seeds=seeds,
        pivot=pivot,
        model_args=model_args,
        **matrix,
    )
    source = find_model(
        model,
        device=device,
        dtype=dtype,
        device_map=device_map,
        revision=revision,
        batch_size=batch_size,
        model_args=model_args,
    )
    if dry_run:
        from mwork_eval.application.run_estimate import estimate_run
        from mwork_eval.terminal.console import make_console
        from mwork_eval.terminal.run_cost import print_run_cost

        found = estimate_run(source, sources, rules, detection, options, set_draws=set_draws)
        print_run_cost(found, make_console())
        return
    results = detect_and_ablate(
        source,
        sources,
        rules,
        rule,
        detection,
        options,
        out,
        set_draws=set_draws,
        activations=activations,
        progress=TerminalProgress(),
    )
    show_report(write_reports(results))
