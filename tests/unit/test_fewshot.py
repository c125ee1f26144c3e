"""Few-shot prompts: the question that is asked never stands in its own prompt with its answer."""

import pytest
from lm_eval.tasks import TaskManager

from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import prepare_tasks
from mwork_eval.evaluation.fewshot import OtherDocuments
from mwork_eval.resources import tasks_folder


def build(name, shots, seed, metadata=None):
    """Build a task's requests as `lm_eval --num_fewshot` does."""
    manager = TaskManager(
        include_path=str(tasks_folder()), include_defaults=False, metadata=metadata or {"data": "embedded"}
    )
    task = manager.load([name])["tasks"][name]
    task.set_config(key="num_fewshot", value=shots)
    task.set_fewshot_seed(seed=seed)
    task.build_all_requests(rank=0, world_size=1)
    return task


@pytest.mark.parametrize("name", ["xquad_en", "mgsm_zh", "xcsqa_de", "xlsum_zh"])
@pytest.mark.parametrize("seed", [1, 1234])
def test_no_prompt_holds_its_own_document_twice(name, seed):
    task = build(name, 4, seed)
    key = "text" if name.startswith("xlsum") else "question"
    for instance in task.instances:
        assert str(instance.args[0]).count(instance.doc[key]) == 1
        if name.startswith("xquad"):
            assert str(instance.args[0]).count(instance.doc["context"]) == 1


def test_too_few_other_documents_are_one_error():
    sampler = OtherDocuments([{"question": "a"}, {"question": "b"}])
    assert sampler.sample(1, eval_doc={"question": "a"}) == [{"question": "b"}]
    with pytest.raises(InputError, match="too few documents to draw few-shot examples from; found 1; expected 2"):
        sampler.sample(2, eval_doc={"question": "a"})


FOREIGN = """
task: foreign_{how}
dataset_path: json
dataset_kwargs: {{data_files: {{{split}: {path}}}}}
{split}_split: {split}
{extra}
output_type: generate_until
doc_to_text: "Q: {{{{q}}}} A:"
doc_to_target: "{{{{a}}}}"
num_fewshot: 3
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
"""


@pytest.mark.parametrize(
    ("how", "split", "extra"),
    [("fallback", "test", ""), ("validation", "validation", "fewshot_split: validation")],
)
def test_tasks_of_others_do_not_show_the_answer_in_the_matrix(how, split, extra, tmp_path, monkeypatch):
    rows = "".join(f'{{"q": "question {n}.", "a": "{n}"}}\n' for n in range(6))
    (tmp_path / "rows.jsonl").write_text(rows)
    text = FOREIGN.format(how=how, split=split, extra=extra, path=tmp_path / "rows.jsonl")
    (tmp_path / f"foreign_{how}.yaml").write_text(text)
    monkeypatch.setattr("mwork_eval.evaluation.task_manager.tasks_folder", lambda: tmp_path)
    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    monkeypatch.setattr("mwork_eval.evaluation.evaluate.find_tasks", lambda names, data: manager)
    task = prepare_tasks([f"foreign_{how}"], data=None)[f"foreign_{how}"].task
    for instance in task.instances:
        assert instance.args[0].count(f"Q: {instance.doc['q']}") == 1
        assert instance.args[0].count("Q: ") == 4
    # And in lm_eval, which builds the requests itself.
    other = manager.load([f"foreign_{how}"])["tasks"][f"foreign_{how}"]
    other.set_config(key="num_fewshot", value=4)
    other.set_fewshot_seed(seed=5)
    other.build_all_requests(rank=0, world_size=1)
    for instance in other.instances:
        assert instance.args[0].count(f"Q: {instance.doc['q']}") == 1
        assert instance.args[0].count("Q: ") == 5
