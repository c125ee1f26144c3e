"""Tables that earlier commands left in a results folder: what all of them have in common, and their manifest."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mwork_eval.digests import canonical_json
from mwork_eval.errors import InputError
from mwork_eval.evaluation.prepared_task import PreparedTask
from mwork_eval.evaluation.sampling import FILE
from mwork_eval.lm.model_identity import answering
from mwork_eval.matrix.planning import MatrixPlan
from mwork_eval.results.engine import engine_in_words
from mwork_eval.results.manifest import PARTS, Manifest
from mwork_eval.results.prompting_record import PromptingRecord
from mwork_eval.results.store import MANIFEST, load_manifest

log = logging.getLogger(__name__)


def with_earlier_tables(manifest: Manifest, folder: Path, plan: MatrixPlan, *, repair: bool) -> Manifest:
    """Keep the tables that an earlier command with other presets left in the folder.

    Args:
        manifest: The manifest of this command's tables.
        folder: The folder.
        plan: The plan of this command.
        repair: Whether a damaged manifest is replaced.

    Raises:
        InputError: If what is kept is of another model, of other sets, stages or data, or asked or judged otherwise;
            or the folder's manifest is damaged.
    """
    if not (folder / MANIFEST).is_file():
        return manifest
    try:
        earlier = load_manifest(folder)
    except InputError as error:
        if not repair:
            raise
        log.warning("%s; written anew, without what it said of tables of other commands", error)
        return manifest
    if earlier.fingerprint != manifest.fingerprint:
        raise InputError(
            f"{folder} holds results of another model",
            found=f"{earlier.model} {earlier.fingerprint}",
            expected=f"{manifest.model} {manifest.fingerprint}",
            hint="choose another `out`",
        )
    replaced = {preset.name for preset in manifest.presets}
    kept = [preset for preset in earlier.presets if preset.name not in replaced]
    if (was := _told(earlier)) != (now := _told(manifest)) and len(kept) < len(earlier.presets):
        log.warning("%s held tables with %s; those of %s are replaced, with %s", folder, was, " ".join(replaced), now)
    if not kept:
        return manifest
    for was, now in _common_facts(earlier, manifest, plan, {preset.name for preset in kept}):
        if was != now:
            raise InputError(
                f"{folder} holds the tables {' '.join(preset.name for preset in kept)}, which were made otherwise",
                found=was,
                expected=now,
                hint="choose another `out`, or make all tables with one command",
            )
    return _joined(earlier, manifest, {preset.name for preset in kept})


def _told(manifest: Manifest) -> str:
    """Say what a reader of a table takes for granted: pivot and prompts."""
    return f"pivot {manifest.pivot}, {_prompt_words(manifest.prompting)}"


def _joined(earlier: Manifest, manifest: Manifest, kept: set[str]) -> Manifest:
    """Return the manifest of this command's tables and of those kept."""
    known = {task.name for task in manifest.tasks}
    cells = {
        part: (*(cell for cell in earlier.part(part) if cell.preset in kept), *manifest.part(part)) for part in PARTS
    }
    joined: dict[str, Any] = {name: getattr(manifest, name) for name in manifest.model_fields_set}
    joined |= {
        "sets": earlier.sets | manifest.sets,
        "tasks": (*manifest.tasks, *(task for task in earlier.tasks if task.name not in known)),
        "presets": (*(preset for preset in earlier.presets if preset.name in kept), *manifest.presets),
        **cells,
    }
    metrics = {task: metric for task, metric in earlier.metrics.items() if task in _tasks(earlier, kept)}
    # What the kept tables say of their prompts holds for the new ones, too.
    joined |= {"metrics": metrics | manifest.metrics, "prompting": earlier.prompting}
    # What is not said is not written.
    lacking = {name for name in ("metrics", "prompting") if not joined[name]}
    return Manifest.model_construct(**{name: value for name, value in joined.items() if name not in lacking})


def _tasks(manifest: Manifest, presets: set[str]) -> set[str]:
    """Return the lm-eval tasks of some tables."""
    entries = (cell for part in PARTS for cell in manifest.part(part) if cell.preset in presets)
    return {manifest.task_name(cell.task, cell.language) for cell in entries}


def _common_facts(earlier: Manifest, manifest: Manifest, plan: MatrixPlan, kept: set[str]) -> Iterator[tuple[str, str]]:
    """Yield what the tables of a folder have in common, as it was and as it is."""
    yield f"engine {engine_in_words(earlier.engine)}", f"engine {engine_in_words(manifest.engine)}"
    yield f"dtype {earlier.dtype}", f"dtype {manifest.dtype}"
    yield f"data {earlier.data}", f"data {manifest.data}"
    yield f"pivot {earlier.pivot}", f"pivot {manifest.pivot}"
    yield from _prompts(earlier.prompting, manifest.prompting, plan)
    yield _arguments(earlier), _arguments(manifest)
    for task in sorted(_tasks(earlier, kept) & plan.tasks.keys()):
        was, now = (one.metrics.get(task, "its main metric") for one in (earlier, manifest))
        yield f"{task} judged by {was}", f"{task} judged by {now}"
    # Folders of earlier versions took the first documents of the file.
    yield f"documents {FILE if earlier.order is None else earlier.order}", f"documents {manifest.order}"
    for name in ("understanding", "generation"):
        yield f"{getattr(earlier.stages, name)} {name} layers", f"{getattr(manifest.stages, name)} {name} layers"
    for name in sorted({task.name for task in earlier.tasks} & {task.name for task in manifest.tasks}):
        for language in sorted({*earlier.languages} & {*manifest.languages}):
            was, now = earlier.task_name(name, language), manifest.task_name(name, language)
            yield f"{name} {language} {was}", f"{name} {language} {now}"
    for language in sorted(earlier.sets.keys() & manifest.sets.keys()):
        was, now = earlier.sets[language].digest, manifest.sets[language].digest
        yield f"set {language} {was[:12]}", f"set {language} {now[:12]}"


def _prompts(was: PromptingRecord | None, now: PromptingRecord | None, plan: MatrixPlan) -> Iterator[tuple[str, str]]:
    """Yield two ways of asking, if they ask a task of this command differently."""
    before, after = (PromptingRecord() if one is None else one for one in (was, now))
    leaves = [leaf for task in plan.tasks.values() for leaf in task.parts or (task,)] if before != after else []
    if all(_in_effect(before, leaf) == _in_effect(after, leaf) for leaf in leaves):
        return
    words = [_prompt_words(was), _prompt_words(now)]
    if words[0] == words[1]:
        turns, sides = ("in one turn", "as turns"), (before, after)
        words = [f"{text}; examples {turns[one.fewshot_as_multiturn]}" for text, one in zip(words, sides, strict=True)]
    yield words[0], words[1]


def _in_effect(asked: PromptingRecord, leaf: PreparedTask) -> tuple[Any, ...]:
    return asked.in_effect(leaf.task.get_config("output_type"), leaf.own_shots)


def _prompt_words(asked: PromptingRecord | None) -> str:
    return "prompts as the task files say" if asked is None else f"prompts: {asked.in_words()}"


def _arguments(manifest: Manifest) -> str:
    """Say which arguments of the model may change its answers."""
    given = answering(manifest.model_args)
    return f"model arguments {canonical_json(given)}" if given else "no model arguments"
