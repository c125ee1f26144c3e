"""Score a model on tasks of lm-eval, with neurons deactivated or none."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from mwork_eval.application.arguments import (
    Names,
    names_of,
    one_of,
    positions_of,
    share_or_number,
    shown_value,
    whole_number,
)
from mwork_eval.application.model_args import check_known_in_memory, check_not_twice
from mwork_eval.application.model_source import find_model
from mwork_eval.application.object_arguments import check_one_set
from mwork_eval.application.progress import Advance, Progress, ProgressChoice, shown
from mwork_eval.application.prompting_arguments import prompting_of
from mwork_eval.errors import InputError
from mwork_eval.evaluation.simple import OPTIONS, evaluate_simply, find_evaluations
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.interventions.kinds import ZERO, parse_intervention
from mwork_eval.lm.model import MworkHF
from mwork_eval.models.fit import check_fit
from mwork_eval.neurons.choice import choose_neurons
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.random_control import CONTROLS
from mwork_eval.neurons.references import find_neurons
from mwork_eval.neurons.tuned_stages import stages_for

_OURS = {"model", "tasks", "task_manager", "limit", "num_fewshot", "batch_size", "metadata", "device"}
"""Arguments of `lm_eval.simple_evaluate` that have another name here, or none."""
_SETS_OWN = "the set's own"


def evaluate(
    model: Any,
    tokenizer: Any = None,
    tasks: Names = (),
    *,
    neurons: str | Path | NeuronSet | None = None,
    positions: str = "all",
    understanding_layers: int | None = None,
    generation_layers: int | None = None,
    count: int | None = None,
    random_control: int | None = None,
    controls: str = "any",
    intervention: str = "zero",
    force: bool = False,
    limit: int | float | None = None,
    num_fewshot: int | None = None,
    data: str | Path | None = None,
    log_samples: bool = False,
    batch_size: int = 8,
    fast: bool = True,
    device: str | None = None,
    dtype: Any = None,
    device_map: str | None = None,
    revision: str | None = None,
    model_args: Mapping[str, Any] | None = None,
    apply_chat_template: bool | str = False,
    system_instruction: str | None = None,
    fewshot_as_multiturn: bool | None = None,
    gen_kwargs: Mapping[str, Any] | str | None = None,
    progress: ProgressChoice = None,
    **options: Any,
) -> dict[str, Any]:
    """Evaluate a model on tasks of lm-eval, ours and any other, with neurons deactivated.

    The numbers are those of `lm_eval --model mwork-hf` on the same arguments. A model in memory is used where and as it
    is, neither copied nor loaded again, and has its weights back bit by bit in the end, also after Ctrl-C.

    Args:
        model: A causal language model of transformers, or the name of one: `gemma3-270m`, a local folder, a hub id.
        tokenizer: Its tokenizer; that of its name if not given.
        tasks: Names of tasks, groups or tags, such as `xquad_zh`, `mwork_zh` or `hellaswag`.
        neurons: What is deactivated: a set, or a reference to one such as `gemma3-270m/zh`; nothing if not given.
        positions: At which positions, joined by `+` (`under+s-attn+s-ffn+gen`), or `all`.
        understanding_layers: Number of first layers that understand; the set's number, else a quarter, if not given.
        generation_layers: Number of last layers that generate; the set's number, else an eighth, if not given.
        count: Deactivate only this many, the strongest.
        random_control: A seed: as many random neurons of the same layers and structures are deactivated instead.
        controls: What these are drawn from: `any` neurons outside the set, or only those `foreign` to the language.
        intervention: What is done to the neurons instead of deactivating them: `scale:FACTOR`, `mean`,
            `towards:LANGUAGE` or `residual:LANGUAGE`, as `intervened` has it.
        force: Accept a set made for other weights of the same sizes.
        limit: First documents of each task, or the share of them below 1; None for all.
        num_fewshot: Examples before each question; the task's own number if not given.
        data: Folder of the upstream files of our tasks, or `embedded`; what MWORK_DATA names or the hub if not given.
        log_samples: Whether the results hold every document's answers, too.
        batch_size: Requests at a time where lm-eval's own way is taken.
        fast: Whether to compute faster than lm-eval's `hf` where the scores stay the same.
        device: Where a model given by name is loaded to; the first accelerator or the CPU if not given.
        dtype: What it is loaded as; float32 on a CPU without native bfloat16.
        device_map: How it is spread over devices.
        revision: Branch, tag or commit of a hub model.
        model_args: Further arguments of `mwork-hf`, such as ``max_length``.
        apply_chat_template: Render prompts by the tokenizer's chat template; or the name of one of its several.
        system_instruction: What stands before the task's own description, as a system message where there are messages.
        fewshot_as_multiturn: Whether examples are turns of their own; so with a chat template if not given.
        gen_kwargs: Arguments of generation, as a mapping or as `top_k=5,...`; each wins over the task's own.
        progress: Where progress goes: bars if not given, nothing with False, or a `Progress`.
        **options: Further arguments of `lm_eval.simple_evaluate`, such as ``predict_only``.

    Returns:
        lm-eval's results: `results` by task and metric (shares of 1, or bits per byte), `configs`, `versions`,
        `n-shot`, `config` (with what was deactivated under `mwork`), and so on; `samples` if asked for.

    Raises:
        InputError: If a task is unknown, data cannot be had, or the set does not fit the model.

    Examples:
        >>> import mwork_eval as mw
        >>> model, tokenizer = mw.load_model("models/tiny-llama", device="cpu")
        >>> found = mw.evaluate(model, tokenizer, ["bpb_zh"], limit=2, data="embedded")
        >>> list(found["results"])
        ['bpb_zh']
    """
    names, source_of_data = names_of("tasks", tasks), None if data is None else str(data)
    say = shown(progress)
    _check_options(options, model_args, in_memory=not isinstance(model, str | Path))
    limit = share_or_number("limit", limit)
    prompting = prompting_of(apply_chat_template, system_instruction, num_fewshot, fewshot_as_multiturn, gen_kwargs)
    understanding_layers = whole_number("understanding_layers", understanding_layers, at_least=0, none_is=_SETS_OWN)
    generation_layers = whole_number("generation_layers", generation_layers, at_least=0, none_is=_SETS_OWN)
    count = whole_number("count", count, at_least=1, none_is="all")
    random_control = whole_number("random_control", random_control, at_least=0, none_is="the set itself")
    positions = positions_of(positions)
    one_of("controls", controls, CONTROLS)
    kind, _ = parse_intervention(intervention)
    chooses = {
        "positions": positions != "all",
        "count": count is not None,
        "random_control": random_control is not None,
        "controls": controls != "any",
        "intervention": kind != ZERO,
        "understanding_layers": understanding_layers is not None,
        "generation_layers": generation_layers is not None,
    }
    wanted = None
    if neurons is not None:
        wanted = check_one_set(find_neurons(str(neurons)) if isinstance(neurons, str | Path) else neurons, "evaluate")
        Intervention.of(wanted, intervention)  # raises where the set lacks what it needs, before a model is loaded
    elif asked := [name for name, is_asked in chooses.items() if is_asked]:
        raise InputError(f"{' and '.join(asked)} choose from a set", found="no neurons")
    if controls != "any" and random_control is None:
        raise InputError("controls is about random neurons", found=f"controls={controls!r}, no random_control")
    source = find_model(
        model,
        tokenizer,
        device=device,
        dtype=dtype,
        device_map=device_map,
        revision=revision,
        batch_size=batch_size,
        model_args=model_args,
        fast=fast,
    )
    prompting = source.asking(prompting)
    manager = find_evaluations(names, source_of_data, num_fewshot)
    with source.opened() as lm, _bars(lm, say):
        if wanted is not None:
            shape = lm.layout.shape
            stages = stages_for([wanted], shape.layers, understanding_layers, generation_layers)
            check_fit(wanted, shape, lm.fingerprint, lm.model_name, force=force)
            how: dict[str, Any] = {"positions": positions, "random_control": random_control, "count": count}
            chosen = choose_neurons(wanted, stages, **how, controls=controls)
            # In the words of `mwork-hf`, so that the results tell the same.
            reference = None if isinstance(neurons, NeuronSet) else str(neurons)
            lm.mask(Intervention.of(chosen, intervention), {"neurons": reference, **how, "stages": vars(stages)})
        return evaluate_simply(
            lm,
            names,
            manager,
            prompting,
            limit=limit,
            batch_size=batch_size,
            log_samples=log_samples,
            **options,
        )


def _check_options(options: Mapping[str, Any], model_args: Any, *, in_memory: bool) -> None:
    """Check the arguments that go on to lm-eval and to `mwork-hf`.

    Raises:
        InputError: If one is unknown there, or is an argument of `evaluate`, too.
    """
    if model_args is not None and not isinstance(model_args, Mapping):
        raise InputError("unusable model_args", found=shown_value(model_args), expected="a mapping")
    if not_ours := sorted(_OURS & options.keys()):
        raise InputError("unknown argument of evaluate", found=" ".join(not_ours), expected="its own names for these")
    own = {*signature(evaluate).parameters}
    known = OPTIONS - _OURS - own
    if unknown := sorted(options.keys() - known):
        expected = f"its own, or some of lm-eval's: {' '.join(sorted(known))}"
        raise InputError("unknown argument of evaluate", found=" ".join(unknown), expected=expected)
    check_not_twice(model_args or {}, {*own, "pretrained", "parallelize"})
    if in_memory:
        check_known_in_memory(model_args or {})


@contextmanager
def _bars(lm: MworkHF, progress: Progress) -> Iterator[None]:
    """Let a model show its progress in the caller's way."""

    @contextmanager
    def bar(*, total: int, desc: str, disable: bool) -> Iterator["_Bar"]:
        with progress.bar("evaluate", total, show=not disable) as advance:
            yield _Bar(advance, desc)

    lm.make_bar = bar
    try:
        yield
    finally:
        del lm.make_bar


@dataclass(frozen=True)
class _Bar:
    """A bar as the model moves it."""

    advance: Advance
    what: str

    def update(self, amount: int) -> None:
        """Move it on."""
        self.advance(self.what, amount)
