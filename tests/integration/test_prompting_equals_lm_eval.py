"""A cell with a chat template, a system instruction, examples and arguments of generation is what lm_eval gives."""

import json
from pathlib import Path

import pytest
from helpers.chat_models import PLAIN, STRICT, save_chat_model
from helpers.commands import mwork
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from mwork_eval.lm.model import MworkHF
from mwork_eval.resources import tasks_folder
from mwork_eval.results.store import CellStore, load_manifest

SYSTEM = "Answer in one word; be brief."
WAYS = {
    "turns": {"apply_chat_template": True, "num_fewshot": 2},
    "one turn": {"apply_chat_template": True, "num_fewshot": 2, "fewshot_as_multiturn": False},
    "no template": {"num_fewshot": 2},
    "named": {"apply_chat_template": "strict"},
}
PARTS = ("doc", "prompt", "target")
GENERATION = {"max_gen_toks": 5, "until": ["\n", "x"], "repetition_penalty": 1.3}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return save_chat_model(tmp_path_factory.mktemp("chat") / "m", {"default": PLAIN, "strict": STRICT})


@pytest.fixture(scope="module")
def neurons(model, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("chat-neurons")
    mwork(
        "detect", "--model", model, "--languages", "en,zh", "--fraction", "0.4", "--max-docs", "4", "--max-tokens",
        "32", "--device", "cpu", "--out", out,
    )  # fmt: skip
    return out


def options(**given):
    """The options of a command for arguments in Python."""
    found = []
    for name, value in given.items():
        found.append("--" + name.replace("_", "-"))
        if value is not True:
            found.append(json.dumps(value) if isinstance(value, dict) else str(value))
    return found


@pytest.fixture(scope="module")
def lm(model) -> MworkHF:
    return MworkHF(str(model), device="cpu", dtype="float32", batch_size=8)


def by_lm_eval(lm, task, documents, **way):
    """The samples and metrics of lm-eval, whose command names the template to the model in this way, too."""
    lm.chat_template(way.get("apply_chat_template", False))
    found = simple_evaluate(
        model=lm,
        tasks=[task],
        samples={task: documents},
        system_instruction=SYSTEM,
        gen_kwargs=dict(GENERATION),
        log_samples=True,
        bootstrap_iters=0,
        task_manager=TaskManager(
            include_path=str(tasks_folder()), include_defaults=False, metadata={"data": "embedded"}
        ),
        **way,
    )
    return found["samples"][task], found["results"][task]


def stored(folder: Path) -> dict:
    """By task, a cell without a mask, and its samples."""
    manifest, store = load_manifest(folder), CellStore(folder)
    return {
        f"{entry.task}_{entry.language}": (store.read(entry.identity), list(store.samples(entry.identity)))
        for entry in manifest.cells
        if entry.setting is None
    }


def assert_same_answers(mine, other):
    if isinstance(mine, str):
        assert mine == other
    else:  # log-likelihoods with whether they are greedy
        assert [bool(greedy) for _, greedy in mine] == [bool(greedy) for _, greedy in other]
        assert [value for value, _ in mine] == pytest.approx([value for value, _ in other], rel=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_a_cell_is_what_lm_eval_gives(way, model, lm, neurons, tmp_path):
    given = WAYS[way] | {"system_instruction": SYSTEM, "gen_kwargs": GENERATION}
    mwork(
        "ablate", "--model", model, "--neurons", neurons, "--preset", "existence", "--tasks", "xquad,xcsqa",
        "--languages", "en,zh", "--data", "embedded", "--limit", "3", "--seeds", "1", "--dtype", "float32",
        "--device", "cpu", "--out", tmp_path / "o", *options(**given),
    )  # fmt: skip
    cells = stored(tmp_path / "o")
    assert cells.keys() == {"xquad_en", "xquad_zh", "xcsqa_en", "xcsqa_zh"}
    for task, (cell, samples) in cells.items():
        documents = sorted({sample["doc_id"] for sample in samples})
        theirs, reported = by_lm_eval(lm, task, documents, **WAYS[way])
        assert len(samples) == len(theirs) == 3
        pairs = zip(*(sorted(side, key=lambda sample: sample["doc_id"]) for side in (samples, theirs)), strict=True)
        for mine, other in pairs:
            assert mine["arguments"] == json.loads(json.dumps(other["arguments"]))
            assert [mine[f"{part}_hash"] for part in PARTS] == [other[f"{part}_hash"] for part in PARTS]
            for one, two in zip(mine["resps"], other["resps"], strict=True):
                assert_same_answers(
                    one[0] if isinstance(one[0], str) else one, two[0] if isinstance(two[0], str) else two
                )
        shared = cell.metrics.keys() & reported.keys()
        assert cell.metric in shared
        for name in shared:
            assert reported[name] == pytest.approx(cell.metrics[name], rel=1e-6), name
    (prompt, generation), *_ = cells["xquad_en"][1][0]["arguments"]
    assert generation["max_gen_toks"] == 5
    assert generation["until"] == ["\n", "x"]
    assert (SYSTEM in prompt) == (way != "named")  # that template takes no system message
    assert prompt.count("<assistant>") == {"turns": 3, "one turn": 1}.get(way, 0)
    assert prompt.count("[user]") == (way == "named")
