"""What tables of one results folder have in common: what changes their requests or answers, and nothing else."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from mwork_eval.errors import InputError
from mwork_eval.lm.model_identity import answering
from mwork_eval.matrix.earlier_tables import with_earlier_tables
from mwork_eval.results.manifest import PARTS, Manifest
from mwork_eval.results.prompting_record import PromptingRecord
from mwork_eval.results.store import save_manifest

GOLDEN = Path(__file__).parents[1] / "data" / "manifest_v1.json"


def of_preset(name, **more):
    """Return the part of a manifest that is about one preset, with more said."""
    manifest = Manifest.read(GOLDEN)
    parts = {part: tuple(cell for cell in manifest.part(part) if cell.preset == name) for part in PARTS}
    presets = tuple(preset for preset in manifest.presets if preset.name == name)
    return manifest.model_copy(update={"presets": presets, **parts, **more})


def plan(*tasks):
    """Return a plan of tasks, given as name, output type and the number of examples of the file."""
    return SimpleNamespace(
        tasks={
            name: SimpleNamespace(
                parts=(), own_shots=own, task=SimpleNamespace(get_config={"output_type": kind}.__getitem__)
            )
            for name, kind, own in tasks
        }
    )


TEXTS = plan(("bpb_zh", "loglikelihood_rolling", None))
ANSWERS, CHOICES = plan(("bpb_zh", "generate_until", None)), plan(("bpb_zh", "multiple_choice", None))
OBEYED, FIVE = plan(("bpb_zh", "generate_until", 0)), plan(("bpb_zh", "generate_until", 5))


def join(folder, was, now, tasks=TEXTS):
    save_manifest(folder, of_preset("existence", **was))
    return with_earlier_tables(of_preset("mine", **now), folder, tasks, repair=False)


def asked(**how):
    return {"prompting": PromptingRecord(**how)}


TURNS = {"chat_template": "t", "fewshot_as_multiturn": True}


@pytest.mark.parametrize(
    ("was", "now", "tasks"),
    [
        ({}, asked(num_fewshot=0), ANSWERS),
        (asked(num_fewshot=0), {}, ANSWERS),
        ({}, asked(num_fewshot=3), OBEYED),
        (asked(num_fewshot=5), {}, FIVE),
        (asked(**TURNS), asked(chat_template="t"), ANSWERS),
        (asked(gen_kwargs={"top_k": 1}), {}, CHOICES),
        (asked(system_instruction="S"), {}, TEXTS),
    ],
)
def test_tables_asked_in_one_way_share_a_folder_however_that_was_said(was, now, tasks, tmp_path):
    joined = join(tmp_path, was, now, tasks)
    assert [preset.name for preset in joined.presets] == ["existence", "mine"]
    # It goes on saying what holds for the tables that it had.
    assert joined.prompting == was.get("prompting")
    assert ("prompting" in joined.to_values()) == bool(was)


@pytest.mark.parametrize(
    ("was", "now", "tasks", "message"),
    [
        ({}, asked(num_fewshot=3), ANSWERS, "found prompts as the task files say; expected prompts: plain texts; 3 ex"),
        ({}, asked(num_fewshot=0), FIVE, "found prompts as the task files say; expected prompts: plain texts; 0 ex"),
        (asked(**TURNS), asked(chat_template="t"), FIVE, "examples as turns; expected prompts: the chat template"),
        (asked(gen_kwargs={"top_k": 1}), {}, ANSWERS, "found prompts: plain texts; generation top_k=1; expected promp"),
        (asked(system_instruction="S"), {}, CHOICES, "found prompts: plain texts; system instruction 'S'"),
    ],
)
def test_tables_asked_in_two_ways_share_no_folder(was, now, tasks, message, tmp_path):
    with pytest.raises(InputError, match="made otherwise") as error:
        join(tmp_path, was, now, tasks)
    assert message in str(error.value)


def test_arguments_of_a_model_that_change_no_answer_may_differ(tmp_path):
    fast = {"max_batch_size": 4, "cache_dir": "x", "logits_cache": False, "peft": None}
    assert join(tmp_path, {"model_args": fast | {"max_length": 9}}, {"model_args": {"max_length": 9}})
    assert answering(fast | {"peft": "a", "softmax_dtype": "float32"}) == {"peft": "a", "softmax_dtype": "float32"}
    for given in ({"max_length": 8}, {"peft": "a"}, {"softmax_dtype": "float32"}, {"enable_thinking": False}):
        with pytest.raises(InputError, match="found no model arguments; expected model arguments"):
            join(tmp_path, {}, {"model_args": given})


def test_a_task_is_judged_by_one_metric_in_a_folder(tmp_path):
    with pytest.raises(InputError, match="found bpb_zh judged by its main metric; expected bpb_zh judged by acc_norm"):
        join(tmp_path, {}, {"metrics": {"bpb_zh": "acc_norm"}})
    with pytest.raises(InputError, match="found bpb_zh judged by acc; expected bpb_zh judged by its main metric"):
        join(tmp_path, {"metrics": {"bpb_zh": "acc"}}, {})
    one = {"metrics": {"bpb_zh": "acc", "bpb_en": "acc"}}
    assert join(tmp_path, one, {"metrics": {"bpb_zh": "acc"}}).metrics == one["metrics"]
    # What is said of a task that no table has any more is not kept.
    assert "metrics" not in join(tmp_path, {"metrics": {"gone_zh": "acc"}}, {}).to_values()


def test_a_table_that_is_replaced_by_one_asked_otherwise_is_told(tmp_path, caplog):
    save_manifest(tmp_path, of_preset("existence", pivot="zh"))
    with_earlier_tables(of_preset("existence"), tmp_path, TEXTS, repair=False)
    (message,) = caplog.messages
    assert message.endswith("those of existence are replaced, with pivot en, prompts as the task files say")
    caplog.clear()
    save_manifest(tmp_path, of_preset("existence"))
    with_earlier_tables(of_preset("existence"), tmp_path, TEXTS, repair=False)
    assert not caplog.messages
