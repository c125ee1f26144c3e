"""Few-shot prompts: the question that is asked never stands in its own prompt with its answer."""

import json

import pytest
from lm_eval.tasks import TaskManager

from mwork_eval.benchmarks.answers.mgsm import strict_match
from mwork_eval.benchmarks.examples import check_examples
from mwork_eval.benchmarks.rows import BENCHMARKS
from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import prepare_tasks
from mwork_eval.evaluation.fewshot import OtherDocuments
from mwork_eval.resources import embedded_folder, tasks_folder


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


def drawn(name, shots, seed=1234, data="embedded"):
    """Return per document of a task its id and the ids of its examples."""
    task = build(name, 0, seed, {"data": str(data)})
    task.set_fewshot_seed(seed=seed)
    return {doc["id"]: [example["id"] for example in task.sampler.sample(shots, doc)] for doc in task.eval_docs}


EXEMPLARS = ["11", "29", "39", "9", "33", "8", "8", "5"]


@pytest.mark.parametrize("language", BENCHMARKS["mgsm"].languages)
def test_mgsm_has_its_published_exemplars_whatever_the_source(language, tmp_path):
    (tmp_path / f"mgsm_{language}.tsv").write_text("1 + 1?\t2\n2 + 3?\t5\n", encoding="utf-8")
    task = build(f"mgsm_{language}", 8, 1, {"data": str(tmp_path)})
    examples = task.sampler.sample(8, task.eval_docs[0])
    assert [example["id"] for example in examples] == ["1", "2", "3", "4", "5", "6", "7", "8"]
    assert [example["answer"] for example in examples] == EXEMPLARS
    # Every solution ends in the sentence that is read as the answer.
    solutions = [example["solution"] for example in examples]
    documents = [{"language": language}] * 8
    assert strict_match([[solution] for solution in solutions], documents) == [[answer] for answer in EXEMPLARS]
    prompts = [instance.args[0] for instance in task.instances]
    assert all(all(prompt.count(solution) == 1 for solution in solutions) for prompt in prompts)
    assert prompts[0].removesuffix(task.doc_to_text(task.eval_docs[0])) == prompts[1].removesuffix(
        task.doc_to_text(task.eval_docs[1])
    )


def test_a_prompt_with_published_exemplars():
    *examples, asked = build("mgsm_zh", 8, 3).instances[0].args[0].split("\n\n")
    assert examples[0] == (
        "问题： 罗杰有 5 个网球。他又买了 2 罐网球。每罐有 3 个网球。他现在有多少个网球？\n"
        "逐步解答: 罗杰一开始有 5 个球。2 罐各 3 个网球就是 6 个网球。5 + 6 = 11。答案是 11。"
    )
    assert len(examples) == 8
    assert asked.endswith("\n逐步解答:")


@pytest.mark.parametrize("name", ["xquad", "mgsm", "xcsqa", "xcsqa_letter", "xlsum"])
def test_embedded_examples_are_kept_apart_and_the_same_in_every_language(name):
    languages = [code for code in BENCHMARKS[name].languages if code in ("en", "de", "fr", "zh", "es", "ru")]
    found = {code: drawn(f"{name}_{code}", 3) for code in languages}
    first = found["en"]
    assert all(of_language == first for of_language in found.values())
    assert len({tuple(examples) for examples in first.values()}) == 1
    assert not {example for examples in first.values() for example in examples} & set(first)
    assert drawn(f"{name}_en", 3) == first
    assert any(drawn(f"{name}_en", 3, seed) != first for seed in range(5))


def squad(language, paragraphs=6):
    """Return a file in the published form: two questions a paragraph, and the same question in all of them."""
    entries = [
        {
            "context": f"{language} {number} tells of {number + 100}.",
            "qas": [
                {"id": f"q{number}-{part}", "question": question, "answers": [{"text": f"{number + 100}"}]}
                for part, question in enumerate([f"{language}: what of {number}?", f"{language}: what?"])
            ],
        }
        for number in range(paragraphs)
    ]
    return json.dumps({"data": [{"paragraphs": entries}]})


def test_published_examples_are_of_other_paragraphs_and_questions_and_parallel(tmp_path):
    for language in ("en", "zh"):
        (tmp_path / f"xquad.{language}.json").write_text(squad(language), encoding="utf-8")
    found = drawn("xquad_en", 4, data=tmp_path)
    assert found == drawn("xquad_zh", 4, data=tmp_path) == drawn("xquad_en", 4, data=tmp_path)
    for asked, examples in found.items():
        paragraph, part = asked.split("-")
        assert len(set(examples)) == 4
        assert not any(example.startswith(f"{paragraph}-") for example in examples)
        assert part == "0" or not any(example.endswith("-1") for example in examples)
    assert len({tuple(examples) for examples in found.values()}) > 6
    assert drawn("xquad_en", 4, 5, tmp_path) != found


def test_a_question_has_the_same_prompt_in_every_sample(tmp_path):
    (tmp_path / "xquad.en.json").write_text(squad("en"), encoding="utf-8")

    def prompts(indices):
        task = build("xquad_en", 0, 1, {"data": str(tmp_path)})
        task.set_config(key="num_fewshot", value=2)
        task.set_fewshot_seed(seed=1)
        task.build_all_requests(samples=indices, rank=0, world_size=1)
        return {instance.doc["id"]: instance.args for instance in task.instances}

    few, many = prompts([3, 8]), prompts(list(range(12)))
    assert all(many[asked] == prompt for asked, prompt in few.items())


def test_a_validation_file_beside_the_scored_one_gives_the_examples(tmp_path):
    row = '{{"id": "{0}", "text": "Text {0} is long.", "summary": "Sum {0}."}}\n'
    (tmp_path / "english_test.jsonl").write_text("".join(row.format(f"t{n}") for n in range(4)), encoding="utf-8")
    assert all(examples[0].startswith("t") for examples in drawn("xlsum_en", 1, data=tmp_path).values())
    (tmp_path / "english_val.jsonl").write_text(
        "".join(row.format(f"v{n}") for n in range(3)) + row.format("t1"), encoding="utf-8"
    )
    found = drawn("xlsum_en", 3, data=tmp_path)
    assert found["t0"] == found["t2"] == found["t3"]
    assert found["t1"] == ["v0", "v1", "v2"]  # the text asked about is in both files


def test_nothing_of_the_examples_is_read_for_zero_shots(tmp_path, monkeypatch):
    (tmp_path / "english_test.jsonl").write_text('{"id": "1", "text": "A b.", "summary": "C."}\n', encoding="utf-8")
    (tmp_path / "english_val.jsonl").write_text("no JSON", encoding="utf-8")
    assert len(build("xlsum_en", 0, 1, {"data": str(tmp_path)}).instances) == 1
    with pytest.raises(InputError, match=r"english_val\.jsonl, line 1: not JSON"):
        build("xlsum_en", 1, 1, {"data": str(tmp_path)})


def test_the_hub_gives_examples_of_its_validation_split(monkeypatch):
    asked = []

    def load_dataset(path, data_files, **more):
        asked.append((data_files, more))
        split = "validation" if "validation" in data_files else "test"
        return [{"id": f"{split}{n}", "text": f"Text {split} {n}.", "summary": "S."} for n in range(300)]

    monkeypatch.delenv("MWORK_DATA", raising=False)
    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    task = build("xlsum_en", 0, 1, {"data": ""})
    assert [file.rpartition("/english/")[2] for file, _ in asked] == ["test/*.parquet"]
    task.set_fewshot_seed(seed=1)
    examples = task.sampler.sample(200, task.eval_docs[0])
    assert [example["id"] for example in examples] == [f"validation{n}" for n in range(200)]
    assert asked[1][1] == {"split": "train", "streaming": True}


@pytest.mark.parametrize(
    ("tasks", "shots", "found"),
    [
        (["mgsm_en"], 8, None),
        (["bpb_en", "mgsm_en"], 9, 8),
        (["xquad_zh"], 6, 5),
        (["xcsqa_de"], 6, 5),
        (["xcsqa_letter_de"], 6, 5),
        (["xlsum_fr"], 6, 5),
        (["xlsum_fr", "wikitext"], 0, None),
    ],
)
def test_more_examples_than_there_are_is_one_error_before_a_model_loads(tasks, shots, found):
    if found is None:
        check_examples(tasks, "embedded", shots)
        return
    message = f"too few documents to draw few-shot examples from; found {found}; expected {shots}, of other texts"
    with pytest.raises(InputError, match=message):
        check_examples(tasks, "embedded", shots)
    with pytest.raises(InputError, match=message):
        build(tasks[-1], shots, 1)


def test_other_documents_that_are_too_few_are_an_error_before_a_model_loads(tmp_path):
    (tmp_path / "xquad.en.json").write_text(squad("en", 2), encoding="utf-8")
    check_examples(["xquad_en"], tmp_path, 3)
    with pytest.raises(InputError, match="too few documents to draw few-shot examples from; found 3; expected 4"):
        check_examples(["xquad_en"], tmp_path, 4)
    with pytest.raises(InputError, match="no file of XQuAD in German"):
        check_examples(["xquad_de"], tmp_path, 1)


ZERO_SHOT = {
    "xquad_en": "476a9e10c1999ba16cb2c474372d01b05013e450374f1b104ff0a7b81fcf05de",
    "xquad_zh": "7a11f74f28d3ad11f7c6391bbf851741e3968e32a21986ea3fe53a8c660a32ab",
    "xcsqa_de": "60455412c20f8516403659f6bfca23c706df522fa6e27cc8c50a5b7050a77b08",
    "xlsum_zh": "3ab1e6a71b17a80ee69b98aef5b3c5e15270600eec6486e7b3fc85c246d43fdb",
    "bpb_ru": "260993fb071ff7cad40669959b246f86a6a6ff215a220b08816c813f88941f51",
}


def test_zero_shot_requests_are_as_without_examples():
    """Digests of requests, of before there were examples, name the cells of stored folders."""
    digests = {name: task.digest for name, task in prepare_tasks(list(ZERO_SHOT), data="embedded").items()}
    assert digests == ZERO_SHOT


def test_what_lm_eval_writes_of_examples_is_the_same_in_every_process():
    for name in ("mgsm_en", "xquad_en", "xcsqa_en", "xcsqa_letter_en", "xlsum_en"):
        written = json.dumps(build(name, 0, 1).dump_config()["fewshot_config"], default=str)
        assert "ExamplesOf" in written
        assert " at 0x" not in written


def test_a_folder_may_have_examples_of_its_own(tmp_path):
    (tmp_path / "mgsm_de.tsv").write_text("1 + 1?\t2\n2 + 3?\t5\n", encoding="utf-8")
    own = tmp_path / "examples/mgsm/de.jsonl"
    own.parent.mkdir(parents=True)
    own.write_text(
        '{"id": "a", "question": "1 + 2?", "solution": "1 + 2 = 3. Die Antwort lautet 3.", "answer": "3"}\n',
        encoding="utf-8",
    )
    assert build("mgsm_de", 1, 1, {"data": str(tmp_path)}).instances[0].args[0] == (
        "Frage: 1 + 2?\nSchritt-für-Schritt-Antwort: 1 + 2 = 3. Die Antwort lautet 3.\n\n"
        "Frage: 1 + 1?\nSchritt-für-Schritt-Antwort:"
    )
    own.write_text('{"id": "a", "question": "1 + 2?", "solution": "3.", "answer": "three"}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"de\.jsonl, line 1: the answer 'three' is no number"):
        build("mgsm_de", 1, 1, {"data": str(tmp_path)})


@pytest.mark.parametrize("language", ["en", "de", "fr", "zh", "es", "ru"])
def test_embedded_examples_are_answerable_and_not_scored(language):
    folder = embedded_folder()
    squad = json.loads((folder / f"examples/xquad/xquad.{language}.json").read_text(encoding="utf-8"))
    scored = (folder / f"xquad/xquad.{language}.json").read_text(encoding="utf-8")
    for entry in squad["data"]:
        (paragraph,) = entry["paragraphs"]
        (question,) = paragraph["qas"]
        (answer,) = question["answers"]
        start, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
        assert paragraph["context"][start:end] == answer["text"]
        assert paragraph["context"] not in scored
        assert question["question"] not in scored
    lines = (folder / f"examples/xcsqa/{language}.jsonl").read_text(encoding="utf-8").splitlines()
    scored = (folder / f"xcsqa/{language}.jsonl").read_text(encoding="utf-8")
    # Every letter is right once.
    assert [json.loads(line)["answerKey"] for line in lines] == ["C", "B", "A", "D", "E"]
    assert not any(json.loads(line)["question"]["stem"] in scored for line in lines)
