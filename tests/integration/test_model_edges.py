"""Models and data at the edge, in lm-eval and in the matrix: one line where it cannot work, the right number else."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from conftest import CONFIGS, make_model, make_tokenizer
from helpers.commands import mwork
from lm_eval import simple_evaluate
from lm_eval.caching import cache
from lm_eval.tasks import TaskManager

from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import evaluate_task, prepare_tasks
from mwork_eval.evaluation.known_answers import request_key
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.lm.model import MworkHF
from mwork_eval.matrix.identity import identity_of
from mwork_eval.matrix.reuse import known_answers
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.resources import tasks_folder
from mwork_eval.results.summaries.lm_eval_file import read_results_file

CONTEXT = 128


@pytest.fixture(scope="module")
def narrow(tmp_path_factory) -> Path:
    """A model with a context of 128 tokens, whose tokenizer knows no BOS, EOS, padding or chat template."""
    folder = tmp_path_factory.mktemp("narrow") / "model"
    config = CONFIGS["llama"]()
    config.max_position_embeddings = CONTEXT
    config.eos_token_id = config.bos_token_id = config.pad_token_id = None
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    backend = make_tokenizer().backend_tokenizer
    transformers.PreTrainedTokenizerFast(tokenizer_object=backend).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def neurons(narrow, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    shape = Layout.of(transformers.AutoModelForCausalLM.from_pretrained(narrow)).shape
    indices = {(layer, "up"): np.arange(4) for layer in range(shape.layers)}
    save_neuron_set(NeuronSet(shape, indices, {"model": "narrow", "language": "zh"}), folder / "zh.safetensors")
    return folder


def lm_eval(model: Path, *tasks: str, **options) -> dict:
    manager = TaskManager(include_path=str(tasks_folder()), include_defaults=False, metadata={"data": "embedded"})
    return simple_evaluate(
        model="mwork-hf", model_args={"pretrained": str(model), "device": "cpu"}, tasks=list(tasks), limit=2,
        bootstrap_iters=0, task_manager=manager, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tasks", "options", "said"),
    [
        ("xcsqa_zh mgsm_zh", {}, "the model has no room for the answers of mgsm_zh; found a context of 128 tokens"),
        ("xcsqa_zh bpb_zh", {}, "bpb_zh, which scores whole texts, needs a token to begin with"),
        ("xcsqa_zh", {"apply_chat_template": True}, "the tokenizer has no chat template"),
    ],
)
def test_lm_eval_says_at_once_what_a_model_cannot_do(narrow, monkeypatch, tasks, options, said):
    monkeypatch.setattr(MworkHF, "loglikelihood", None)  # nothing is asked before
    with pytest.raises(InputError, match=said):
        lm_eval(narrow, *tasks.split(), **options)


def test_lm_eval_gives_what_a_model_can_do(narrow):
    results = lm_eval(narrow, "xcsqa_zh", "xquad_zh")
    assert results["config"]["mwork"]["truncated"] == {"xquad_zh": 2}
    assert len(results["config"]["mwork"]["fingerprint"]) == 32


def test_the_matrix_says_at_once_what_a_model_cannot_do(narrow, neurons, tmp_path):
    def ablate(tasks: str, code: int) -> str:
        return mwork(
            "ablate", "--model", narrow, "--neurons", neurons, "--preset", "existence", "--tasks", tasks,
            "--seeds", "1", "--languages", "en,zh", "--data", "embedded", "--limit", "2", "--force", "--device", "cpu",
            "--out", tmp_path / tasks, code=code,
        )  # fmt: skip

    for tasks, said in (
        ("xcsqa,mgsm", "no room for the answers of mgsm_"),
        ("xcsqa,bpb", "whole texts, needs a token"),
    ):
        assert said in ablate(tasks, 2).splitlines()[-1]
        assert not list((tmp_path / tasks).glob("cells/*.jsonl"))
    ablate("xquad", 0)
    headers = [json.loads(path.open().readline()) for path in (tmp_path / "xquad/cells").glob("*.jsonl")]
    assert headers
    assert {header["metrics"]["truncated,none"] for header in headers} == {2.0}


def test_cut_prompts_are_counted_also_where_the_answer_is_known():
    tokenizer, tasks = make_tokenizer(), prepare_tasks(["xcsqa_zh", "xquad_zh"], data="embedded", sample=Sample(6))
    requests = tasks["xquad_zh"].task.instances
    lengths = sorted(len(tokenizer(request.args[0]).input_ids) for request in requests)
    room = lengths[2]
    model = MworkHF(make_model("llama"), tokenizer=tokenizer, max_length=room + requests[0].args[1]["max_gen_toks"])
    expected = sum(length > room for length in lengths)
    assert 0 < expected < 6
    score, samples, _ = evaluate_task(model, tasks["xquad_zh"])
    assert score.metrics["truncated,none"] == expected
    known = {request_key("generate_until", sample["arguments"][0]): sample["resps"][0][0] for sample in samples}
    assert len(known) == 6
    model.generate_until = None
    assert evaluate_task(model, tasks["xquad_zh"], known)[0].metrics["truncated,none"] == expected
    assert evaluate_task(model, tasks["xcsqa_zh"])[0].metrics["truncated,none"] == 0


def test_cells_of_whole_texts_are_named_anew_and_no_others(monkeypatch):
    tasks = prepare_tasks(["bpb_zh", "xcsqa_zh"], data="embedded", sample=Sample(2))
    seen = []
    monkeypatch.setattr("mwork_eval.matrix.identity.digest_of", lambda what: seen.append(dict(what)) or "0" * 64)
    for task in tasks.values():
        identity_of("model", None, task)
    assert [sources.get("beginning") for sources in seen] == ["one", "one", None, None]


def test_an_answer_of_no_token_is_not_known():
    (task,) = prepare_tasks(["xcsqa_zh"], data="embedded", sample=Sample(1)).values()
    arguments = [list(instance.args) for instance in task.task.instances]

    class Store:
        def related_samples(self, identity):
            yield {"arguments": arguments, "resps": [[[0.0, False]], *([[-1.5, False]] for _ in arguments[1:])]}

    known = known_answers(Store(), "cell", task)
    assert list(known) == [request_key("loglikelihood", one) for one in arguments[1:]]


def write_xquad(folder: Path) -> Path:
    question = {"id": "1", "question": "谁写了这本书？", "answers": [{"text": "老舍", "answer_start": 0}]}
    paragraph = {"context": "老舍写了这本书。", "qas": [question]}
    (folder / "xquad").mkdir(parents=True)
    (folder / "xquad/xquad.zh.json").write_text(json.dumps({"data": [{"title": "t", "paragraphs": [paragraph]}]}))
    return folder


def test_a_cache_of_requests_keeps_data_sets_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "PATH", str(tmp_path / "cache"))
    elsewhere = write_xquad(tmp_path / "data")

    def build(data: object, **options) -> list[str]:
        manager = TaskManager(include_path=str(tasks_folder()), include_defaults=False, metadata={"data": str(data)})
        task = manager.load(["xquad_zh"])["tasks"]["xquad_zh"]
        task.set_config(key="num_fewshot", value=0)
        task.build_all_requests(rank=0, world_size=1, cache_requests=True, **options)
        assert all(instance.doc in list(task.eval_docs) for instance in task.instances)
        return [instance.args[0] for instance in task.instances]

    embedded = build("embedded")
    assert len(build("embedded", samples=[1, 3])) == 2
    assert len(build(elsewhere)) == 1
    assert len(list((tmp_path / "cache").iterdir())) == 3
    monkeypatch.setattr("lm_eval.api.task.ConfigurableTask.fewshot_context", None)  # nothing is built again
    assert build("embedded") == embedded
    assert "老舍" in build(elsewhere)[0]


def test_two_checkpoints_at_one_path_are_two_models(tmp_path):
    make_tokenizer().save_pretrained(tmp_path / "model")
    contenders = []
    for seed in (0, 1, 1):
        make_model("llama", seed).save_pretrained(tmp_path / "model")
        path = tmp_path / "results_1.json"
        path.write_text(json.dumps(lm_eval(tmp_path / "model", "xcsqa_zh"), default=str))
        contenders.append(read_results_file(path).scores[0].contender)
    assert len({contender.model for contender in contenders}) == 1
    assert contenders[0] != contenders[1] == contenders[2]


def test_results_without_a_fingerprint_are_results():
    model = MworkHF(make_model("llama"), tokenizer=make_tokenizer())
    model.model.lm_head.to("meta")
    assert model.get_model_info()["mwork"]["fingerprint"] is None
