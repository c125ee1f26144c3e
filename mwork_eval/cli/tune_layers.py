"""`mwork tune-layers`."""

from pathlib import Path

import click

from mwork_eval.cli import steps
from mwork_eval.cli.matrix_progress import matrix_progress, tell
from mwork_eval.cli.options import model_options, out_option, parse_numbers, sample_option
from mwork_eval.errors import InputError


@click.command("tune-layers")
@model_options
@click.option("--neurons", required=True, help="Folder with a set per language, or a shipped one such as gemma3-270m.")
@click.option("--task", default="xquad", help="A benchmark, or a pattern with {l}.")
@click.option("--language", default="zh", help="Whose neurons to deactivate.")
@click.option("--limit", type=click.IntRange(2), default=64, help="Documents; the tables leave them out.")
@sample_option
@click.option("--positions", default="under+gen", help="Where to deactivate, as in mwork-hf.")
@click.option("--understanding", callback=parse_numbers, help="First layers to try, as 1,2,4; up to 3/8 if not given.")
@click.option("--generation", callback=parse_numbers, help="Last layers to try, as 1,2,3; up to 3/16 if not given.")
@click.option(
    "--data", envvar="MWORK_DATA", help="Folder of the upstream files, or embedded; MWORK_DATA or the hub if not given."
)
@click.option(
    "--batch-size", type=click.IntRange(1), default=8, help="Requests at a time where lm-eval's own way is taken."
)
@click.option("--force", is_flag=True, help="Accept sets made for other weights of the same sizes.")
@click.option("--plot", is_flag=True, help="Also draw the grid (SVG and PNG); needs the extra plot.")
@out_option(None)
def tune_layers(
    model: str,
    device: str | None,
    dtype: str | None,
    device_map: str | None,
    revision: str | None,
    neurons: str,
    task: str,
    language: str,
    limit: int,
    order: str | int,
    positions: str,
    understanding: tuple[int, ...] | None,
    generation: tuple[int, ...] | None,
    data: str | None,
    batch_size: int,
    force: bool,
    plot: bool,
    out: Path,
) -> None:
    """Choose how many layers understand and generate, by ∆ on documents that the tables then leave out.

    Writes OUT/neurons: the same sets, with the choice in them, for `mwork ablate --neurons OUT/neurons`. Finished
    scores are on disk; the same command goes on where the last one stopped.
    """
    from mwork_eval.languages.table import ENGLISH, check_language
    from mwork_eval.neurons.files import load_neuron_set, save_neuron_set
    from mwork_eval.neurons.references import SUFFIX, find_folder, find_language_sets
    from mwork_eval.neurons.stages import parse_positions
    from mwork_eval.neurons.tuned_stages import with_stages
    from mwork_eval.reports.plots import require_matplotlib
    from mwork_eval.views.tuning import plot_tuning, print_tuning, tuning_as_json

    if plot:
        require_matplotlib("--plot")
    if check_language(language) == ENGLISH:
        raise InputError("∆ compares a language with English", found="--language en", expected="another language")
    where = parse_positions(positions)
    own = find_language_sets(neurons, [language])[language]
    source, target = find_folder(neurons), out / "neurons"
    if source.resolve() == target.resolve():
        raise InputError("the tuned sets would overwrite the given ones", found=source, hint="choose another --out")
    sets = {path.name: load_neuron_set(path) for path in sorted(source.glob(f"*{SUFFIX}"))}

    from mwork_eval.benchmarks.task_family import TaskFamily
    from mwork_eval.digests import write_text_atomically
    from mwork_eval.evaluation.sampling import Sample
    from mwork_eval.matrix.cell_plan import TaskSource
    from mwork_eval.matrix.identity import ModelFacts
    from mwork_eval.matrix.runner import run_matrix
    from mwork_eval.matrix.sweep import plan_sweep, prepare_tuning, sweep_scores
    from mwork_eval.matrix.tuning import default_grid, judge_grid, plan_grid
    from mwork_eval.models.fit import check_fit
    from mwork_eval.results.store import CellStore

    first, last = default_grid(own.shape.layers)
    grid = plan_grid(own, where, understanding or first, generation or last)
    family = TaskFamily(task, (ENGLISH, language))
    tasks_from = TaskSource(tuple(family.task(code) for code in family.languages), data, Sample(limit, order))
    tasks = prepare_tuning(tasks_from)
    loaded = steps.load_for_matrix(model, device, dtype, batch_size, device_map=device_map, revision=revision)
    facts = ModelFacts.of(loaded, model)
    for found in sets.values():
        check_fit(found, facts.shape, facts.fingerprint, facts.name, force=force)
    plan = plan_sweep(facts, grid, family, where, tasks_from, tasks)
    is_first = loaded.rank == 0
    with matrix_progress(plan, out, (0, 1), show=is_first) as advance:
        run_matrix(loaded, plan, out, advance=advance, tell=tell)
    if not is_first:
        return
    items = {item for prepared in tasks.values() for item in prepared.items}
    tuning = judge_grid(grid, *sweep_scores(plan, CellStore(out)), task=task, positions=where, items=items)

    for name, found in sets.items():
        save_neuron_set(with_stages(found, tuning.stages, tuning.tuned_on), target / name)
    write_text_atomically(out / "tuning.json", tuning_as_json(tuning, model, facts.fingerprint))
    plots = plot_tuning(tuning, out) if plot else []
    from rich.console import Console

    print_tuning(tuning, Console())
    for path in (out / "tuning.json", *plots):
        click.echo(f"written: {path}", err=True)
    click.echo(f"the sets with the choice: {target}; use them with `mwork ablate --neurons {target}`", err=True)
