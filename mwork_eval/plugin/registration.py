"""What an import of lm-eval is extended by: models, metrics, tasks, one-line errors, folder names.

Called by `mwork_eval.plugin.autoload` after the module concerned has been imported. Everything here works on the
released lm-eval 0.4.13, and steps back where a later release does the same itself.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

from mwork_eval.digests import digest_of, file_name
from mwork_eval.errors import InputError
from mwork_eval.models.default_model import NAME as DEFAULT_MODEL
from mwork_eval.resources import tasks_folder
from mwork_eval.versions import software_versions

MODELS = {"mwork-hf": "mwork_eval.lm.model:MworkHF", "mwork-vllm": "mwork_eval.lm.vllm.entry:MworkVLLM"}
"""The models by name, and where their classes are; none is imported before it is asked for."""
_MASK_ARGUMENTS = (
    "neurons",
    "positions",
    "count",
    "random_control",
    "controls",
    "understanding_layers",
    "generation_layers",
)


def extend(module: ModuleType) -> None:
    """Extend a freshly imported module of lm-eval."""
    _EXTENSIONS[module.__name__](module)


def _register_model(_: ModuleType) -> None:
    """Register the models by name, after the built-in ones: lm-eval loads those only into an empty registry."""
    from lm_eval.api import registry

    # Releases with `load_plugins` find the entry point of group `lm_eval.models` themselves.
    if not hasattr(registry, "load_plugins"):
        for name, target in MODELS.items():
            registry.model_registry.register(name, target=target)


def _register_metrics(_: ModuleType) -> None:
    """Register the metrics by importing them, as lm-eval does with its own."""
    from lm_eval.api import registry

    if not hasattr(registry, "load_plugins"):
        from mwork_eval.benchmarks import metrics  # noqa: F401


def _add_tasks(module: ModuleType) -> None:
    """Let the index of lm-eval's own tasks include ours, which win over its broken ones of the same name.

    `--include_path` still wins over both.
    """
    index_class: Any = module.TaskIndex
    build: Callable[..., dict[str, Any]] = index_class.build
    own = Path(str(module.__file__)).parent

    def build_with_ours(paths: Iterable[Path], **options: Any) -> dict[str, Any]:
        given = list(paths)
        if own not in given:
            return build(given, **options)
        shipped = tasks_folder().resolve()
        ours = [] if any(path.resolve() == shipped for path in given) else [shipped]
        index = build([own], **options)
        for path in [*ours, *(path for path in given if path != own)]:
            index |= build([path], **options)
        return index

    index_class.build = staticmethod(build_with_ours)


def _add_tasks_of_any_language(module: ModuleType) -> None:
    """Let lm-eval find a task of free text in any language when it is asked for by name, such as `bpb_yue`."""
    manager_class: Any = module.TaskManager
    match: Callable[..., list[str]] = manager_class.match_tasks
    load: Callable[..., Any] = manager_class.load

    def match_any_language(self: Any, task_list: list[str]) -> list[str]:
        _add_free_text_tasks(self, task_list)
        return match(self, task_list)

    def load_any_language(self: Any, task_list: Any) -> Any:
        _add_free_text_tasks(self, task_list)
        return load(self, task_list)

    manager_class.match_tasks, manager_class.load = match_any_language, load_any_language


def _add_free_text_tasks(manager: Any, asked: Any) -> None:
    names = [asked] if isinstance(asked, str) else asked if isinstance(asked, list) else []
    if missing := [name for name in names if isinstance(name, str) and name not in manager.task_index]:
        from mwork_eval.evaluation.free_text_tasks import add_free_text_tasks

        add_free_text_tasks(manager, missing)


def _check_task_data(module: ModuleType) -> None:
    """Let lm-eval check our tasks' data and examples when it resolves task names, which is before it loads a model."""
    config: Any = module.EvaluatorConfig
    resolve: Callable[..., Any] = config.process_tasks

    def resolve_and_check(self: Any, metadata: dict[str, Any] | None = None) -> Any:
        manager = resolve(self, metadata)
        index = manager.task_index
        entries = [index[name] for name in self.tasks if isinstance(name, str) and name in index]
        # Of what has no file, a tag has tasks; what has none is a task of free text, which is ours.
        names = {name for one in entries for name in ([one.name] if one.yaml_path or not one.tags else one.tags)}
        shipped = tasks_folder().resolve()
        paths = {name: index[name].yaml_path for name in sorted(names)}
        if ours := [name for name, path in paths.items() if not path or path.resolve().is_relative_to(shipped)]:
            from mwork_eval.benchmarks.data import check_data
            from mwork_eval.benchmarks.examples import check_examples

            data = (self.metadata or {}).get("data")
            check_data(ours, data)
            check_examples(ours, data, self.num_fewshot or 0)
        return manager

    config.process_tasks = resolve_and_check


def _report_errors_in_one_line(module: ModuleType) -> None:
    """Let the lm_eval command end on bad input as `mwork` does."""
    command: Any = module.Run
    execute: Callable[[Any], None] = command._execute

    def execute_or_exit(args: Any) -> None:
        try:
            execute(args)
        except InputError as error:
            print(f"Error: {error}", file=sys.stderr)
            sys.exit(error.exit_code)

    command._execute = staticmethod(execute_or_exit)


def _name_masked_results(module: ModuleType) -> None:
    """Give masked runs a results folder of their own; lm-eval names it after `pretrained` alone."""
    from lm_eval.utils import simple_parse_args_string

    tracker: Any = module.GeneralConfigTracker
    log: Callable[..., None] = tracker.log_experiment_args
    name_of: Callable[[Any], str | None] = tracker._get_model_name

    def log_with_mask(self: Any, model_source: str, model_args: Any, *args: Any, **options: Any) -> None:
        if model_source in MODELS:
            if isinstance(model_args, str):  # empty arguments arrive as "", whatever they were
                model_args = simple_parse_args_string(model_args)
            mask = {key: model_args[key] for key in _MASK_ARGUMENTS if key in model_args}
            name = name_of(model_args) or DEFAULT_MODEL
            if mask:
                # Short, because a file name has 255 bytes and paths of sets can be long.
                name += f"__masked-{Path(str(mask.get('neurons'))).stem}-{digest_of(mask)[:8]}"
            model_args = {"pretrained": name}
        log(self, model_source, model_args, *args, **options)
        if model_source in MODELS:
            # lm-eval catches the error of a name too long for a folder, says so in a log, and exits with 0.
            self.model_name_sanitized = file_name(self.model_name_sanitized)

    tracker.log_experiment_args = log_with_mask


def _key_request_caches(module: ModuleType) -> None:
    """Let `--cache_requests` tell data sets apart: lm-eval keys its cache by the name of a task alone.

    The prompts of other data, documents or versions would be asked, and scored against the answers of this task.
    """
    # What every task of lm-eval needs is imported while a failure is a warning.
    from mwork_eval.evaluation.fewshot import never_show_the_answer

    task_class: Any = module.Task
    build: Callable[..., None] = task_class.build_all_requests

    def build_keyed(self: Any, *, cache_requests: bool = False, tokenizer_name: str = "", **options: Any) -> None:
        never_show_the_answer(self)
        if cache_requests:
            tokenizer_name += f"-requests{_digest_of_requests(self, options.get('samples'))}"
        build(self, cache_requests=cache_requests, tokenizer_name=tokenizer_name, **options)

    task_class.build_all_requests = build_keyed


def _digest_of_requests(task: Any, samples: Any) -> str:
    """Return a digest of what a task's requests are made of: documents, shots, prompts, and our own version."""
    shots = task.fewshot_docs() if task.config.num_fewshot else None
    parts = [task.VERSION, software_versions(), samples, task.config.to_dict(), list(task.eval_docs), list(shots or ())]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _check_tasks_first(module: ModuleType) -> None:
    """Let the model refuse what it cannot do before lm-eval asks it anything."""
    evaluator: Any = module
    evaluate: Callable[..., Any] = evaluator.evaluate

    @wraps(evaluate)
    def check_and_evaluate(lm: Any, task_dict: Any, *args: Any, **options: Any) -> Any:
        if check := getattr(lm, "check_tasks", None):
            check(task_dict.get("tasks", task_dict).values())
        return evaluate(lm, task_dict, *args, **options)

    evaluator.evaluate = check_and_evaluate


_EXTENSIONS: dict[str, Callable[[ModuleType], None]] = {
    "lm_eval.models": _register_model,
    "lm_eval.api.metrics": _register_metrics,
    "lm_eval.tasks._index": _add_tasks,
    "lm_eval.tasks.manager": _add_tasks_of_any_language,
    "lm_eval.config.evaluate_config": _check_task_data,
    "lm_eval._cli.run": _report_errors_in_one_line,
    "lm_eval.loggers.evaluation_tracker": _name_masked_results,
    "lm_eval.api.task": _key_request_caches,
    "lm_eval.evaluator": _check_tasks_first,
}
