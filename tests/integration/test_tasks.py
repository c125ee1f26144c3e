import json
import math
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mwork_eval.benchmarks.data import locate
from mwork_eval.benchmarks.rows import BENCHMARKS, task_of
from mwork_eval.languages.table import rows
from mwork_eval.resources import embedded_folder, tasks_folder

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import lm_eval
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml

PAPER = list(rows())[:10]
ALL = [f"{benchmark}_{language}" for benchmark in BENCHMARKS for language in BENCHMARKS[benchmark].languages]
MAIN = {
    "xquad": "acc,none",
    "mgsm": "exact_match,flexible-extract",
    "xcsqa": "acc,none",
    "xcsqa_letter": "acc,none",
    "xlsum": "rougeL,none",
    "bpb": "bits_per_byte,none",
}
UPSTREAM = Path(os.environ.get("MWORK_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")


def manager(data: str | Path) -> TaskManager:
    return TaskManager(include_path=str(tasks_folder()), include_defaults=False, metadata={"data": str(data)})


def files_in(data: Path) -> list[str]:
    """The tasks whose file is below ``data``; the others cannot be loaded from there."""
    return [
        name
        for name in ALL
        for benchmark, language in [name.rsplit("_", 1)]
        if any((data / BENCHMARKS[benchmark].fill(file, language)).is_file() for file in BENCHMARKS[benchmark].files)
    ]


def load_task(name: str, data: str | Path) -> Any:
    return manager(data).load(name)["tasks"][name]


def answer_with(task: Any, doc: dict[str, Any], text: str) -> dict[str, dict[str, float]]:
    """Score one generated text as the evaluator does: through every filter, then ``process_results``."""
    instance = Instance(request_type="generate_until", doc=doc, arguments=("", {}), idx=0, resps=[text])
    task._instances = [instance]
    task.apply_filters()
    return {key: task.process_results(doc, [found]) for key, found in instance.filtered_resps.items()}


def check_first_documents(name: str, data: str | Path) -> None:
    benchmark, language = name.rsplit("_", 1)
    task = load_task(name, data)
    for doc in task.eval_docs.select(range(min(5, len(task.eval_docs)))):
        prompt = task.fewshot_context(doc, 0)
        target = task.doc_to_target(doc)
        assert doc["language"] == language
        if benchmark == "bpb":
            assert prompt == ""
            assert target == doc["text"].strip() != ""
            scores = task.process_results(doc, [-8.0])
            value = task.aggregation()["bits_per_byte"]([scores["bits_per_byte"]])
            assert value == pytest.approx(8 / math.log(2) / len(target.encode()))
            assert not task.higher_is_better()["bits_per_byte"]
            continue
        assert prompt.strip()
        assert prompt.rstrip() == prompt
        if benchmark in ("xcsqa", "xcsqa_letter"):
            assert len(task.doc_to_choice(doc)) >= 2
            for guess in range(len(task.doc_to_choice(doc))):
                # Far enough apart that no length can turn the order round.
                results = [(-1.0 if index == guess else -1e6, False) for index in range(len(doc["choices"]))]
                right = float(guess == target)
                expected = {"acc": right} | ({"acc_norm": right} if benchmark == "xcsqa" else {})
                assert task.process_results(doc, results) == expected
        elif benchmark == "mgsm":
            best = answer_with(task, doc, f"7 + 7 = 14. {target}")
            assert best == {"strict-match": {"exact_match": 1.0}, "flexible-extract": {"exact_match": 1.0}}
            worst = answer_with(task, doc, "-0.123")
            assert worst == {"strict-match": {"exact_match": 0.0}, "flexible-extract": {"exact_match": 0.0}}
        else:
            gold = target[0] if isinstance(target, list) else target
            assert all(score == pytest.approx(1) for score in answer_with(task, doc, f" {gold}")["none"].values())
            assert all(score == 0 for score in answer_with(task, doc, "")["none"].values())


def test_task_files_are_the_languages_of_each_benchmark() -> None:
    found = manager("embedded")
    assert found.all_subtasks == sorted(ALL)
    assert len(list(tasks_folder().glob("*/*.yaml"))) == len(ALL)
    assert all(task_of(name) for name in ALL)


def test_tags_are_the_tasks_of_a_benchmark_and_of_a_language() -> None:
    index = manager("embedded").task_index
    for benchmark in BENCHMARKS:
        assert index[benchmark].tags == {name for name in ALL if name.rpartition("_")[0] == benchmark}
    asked_as_in_the_paper = [name for name in ALL if not name.startswith("xcsqa_letter")]
    of_the_paper = {name for name in asked_as_in_the_paper if name.partition("_")[2] in PAPER}
    for language in PAPER:
        of_language = {name for name in asked_as_in_the_paper if name.endswith(f"_{language}")}
        assert index[f"mwork_{language}"].tags == of_language
    assert index["mwork"].tags == of_the_paper


# Stored cells are keyed by it: it goes up with every change of a score.
VERSIONS = {"xquad": 2.0, "mgsm": 3.0, "xcsqa": 1.0, "xcsqa_letter": 1.0, "xlsum": 2.0, "bpb": 2.0}


@pytest.mark.parametrize("name", ALL)
def test_a_task_file_names_its_data_version_and_metrics(name: str) -> None:
    benchmark, language = name.rsplit("_", 1)
    config = load_yaml(tasks_folder() / benchmark / f"{name}.yaml")
    assert config["task"] == name
    assert config["dataset_kwargs"] == {"benchmark": benchmark, "language": language}
    assert config["metadata"] == {"version": VERSIONS[benchmark]}
    metric, filter_name = MAIN[benchmark].split(",")
    assert config["metric_list"][0]["metric"] == metric
    assert (filter_name == "none") == ("filter_list" not in config)
    for entry in config["metric_list"]:
        assert entry["higher_is_better"] is (benchmark != "bpb")
    if "generation_kwargs" in config:
        assert config["generation_kwargs"]["do_sample"] is False
        assert all(config["generation_kwargs"]["until"])


def test_xquad_prompts_are_those_of_lm_eval() -> None:
    theirs = Path(lm_eval.__file__).parent / "tasks" / "xquad"
    for language in BENCHMARKS["xquad"].languages:
        expected = yaml.safe_load((theirs / f"xquad_{language}.yaml").read_text(encoding="utf-8"))["doc_to_text"]
        ours = load_yaml(tasks_folder() / "xquad" / f"xquad_{language}.yaml")["doc_to_text"]
        # Their Arabic word for context lacks its last letter.
        assert ours == expected.replace("سيا:", "سياق:"), language


TURNS = ["</s>", "<|im_end|>", "<|eot_id|>", "<end_of_turn>"]
STOPS = {
    "en": ["Question:", "Question：", *TURNS],
    "de": ["Frage:", "Frage：", *TURNS],
    "fr": ["Question :", "Question\u00a0:", "Question\u202f:", "Question:", "Question：", *TURNS],
    "zh": ["问题：", "问题:", *TURNS],
    "es": ["Pregunta:", "Pregunta：", *TURNS],
    "ru": ["Задача:", "Задача：", *TURNS],
    "th": ["โจทย์:", "โจทย์：", *TURNS],
    "sw": ["Swali:", "Swali：", *TURNS],
}


@pytest.mark.parametrize("name", [name for name in ALL if not name.startswith(("xcsqa", "bpb"))])
def test_the_next_question_stops_a_generation_whatever_its_colon(name: str) -> None:
    """In the form of the prompt, of a few-shot prompt, and with the other colon."""
    config = load_yaml(tasks_folder() / name.rpartition("_")[0] / f"{name}.yaml")
    (first,) = re.findall(r"^[^{]*", config["doc_to_text"])
    word = first.strip().rstrip(":：").strip()
    assert word
    assert first.strip()[-1] in ":："
    for colon in (":", "："):
        generated = f" 18.\n\n{word}{colon} 2 + 2?"
        cut = min(generated.find(stop) for stop in config["generation_kwargs"]["until"] if stop in generated)
        assert generated[:cut].strip() == "18."


LETTERS = {
    "en": """Question: What barks?
A. a cat
B. a dog
Answer with the letter of the right option.
Answer:""",
    "zh": """问题：What barks?
A. a cat
B. a dog
请用正确选项的字母回答。
答案：""",
    "ar": """سؤال: What barks?
A. a cat
B. a dog
أجب بحرف الخيار الصحيح.
إجابة:""",
}


@pytest.mark.parametrize("language", LETTERS)
def test_a_letter_is_asked_for(language: str, tmp_path: Path) -> None:
    options = [{"label": "A", "text": "a cat"}, {"label": "B", "text": " a dog "}]
    record = {"id": "1", "question": {"stem": "What barks?", "choices": options}, "answerKey": "B"}
    (tmp_path / "xcsqa").mkdir()
    (tmp_path / f"xcsqa/{language}.jsonl").write_text(json.dumps(record), encoding="utf-8")
    task = load_task(f"xcsqa_letter_{language}", tmp_path)
    task.set_config(key="num_fewshot", value=0)
    task.build_all_requests(rank=0, world_size=1)
    delimiter = "" if language == "zh" else " "
    assert [instance.args for instance in task.instances] == [
        (LETTERS[language], f"{delimiter}A"),
        (LETTERS[language], f"{delimiter}B"),
    ]
    assert task.doc_to_target(task.eval_docs[0]) == 1


def test_the_letter_tasks_share_rows_and_documents_with_the_others() -> None:
    row, by_letter = BENCHMARKS["xcsqa"], BENCHMARKS["xcsqa_letter"]
    for field in ("languages", "files", "hub", "reader", "metric", "cluster", "parallel", "examples", "draws"):
        assert getattr(row, field) == getattr(by_letter, field)
    assert (by_letter.title, by_letter.generated) == ("X-CSQA by letter", False)
    for language in ("en", "zh"):
        plain, asked = (load_task(f"{name}_{language}", "embedded").eval_docs for name in ("xcsqa", "xcsqa_letter"))
        assert [doc["id"] for doc in plain] == [doc["id"] for doc in asked]


def test_mgsm_prompts_are_those_of_lm_eval() -> None:
    from lm_eval.tasks.mgsm.utils import LANGUAGES

    for language in BENCHMARKS["mgsm"].languages:
        config = load_yaml(tasks_folder() / "mgsm" / f"mgsm_{language}.yaml")
        theirs = LANGUAGES[language]
        # Their Russian words for "step-by-step solution" run together.
        answer = theirs["ANSWER"].replace("Пошаговоерешение", "Пошаговое решение")
        assert config["doc_to_text"] == f"{theirs['QUESTION']} {{{{question}}}}\n{answer}"
        assert config["generation_kwargs"]["until"] == STOPS[language]
        assert {theirs["QUESTION"], "</s>", "<|im_end|>"} <= set(STOPS[language])
        # A target in their sentence is what a few-shot example shows.
        assert re.search(theirs["REGEX"], config["doc_to_target"].replace("{{answer}}", "18"))


def test_every_benchmark_is_embedded_in_its_languages_among_the_six() -> None:
    six = ("en", "de", "fr", "zh", "es", "ru")
    assert files_in(embedded_folder()) == [name for name in ALL if name.endswith(six)]


@pytest.mark.parametrize("name", files_in(embedded_folder()))
def test_the_embedded_documents_make_prompts(name: str) -> None:
    assert locate(*name.rsplit("_", 1), "embedded")
    check_first_documents(name, "embedded")


@pytest.mark.data
@pytest.mark.parametrize(
    "name", files_in(UPSTREAM) or [pytest.param("none", marks=pytest.mark.skip("no upstream files"))]
)
def test_the_published_documents_make_prompts(name: str) -> None:
    check_first_documents(name, UPSTREAM)


class Parrot(LM):
    """A model that says the same sentence to everything and finds long texts unlikely."""

    def generate_until(self, requests: list[Instance], **kwargs: Any) -> list[str]:
        return ["这座桥长 2,000 米。答案是 2,000。"] * len(requests)

    def loglikelihood(self, requests: list[Instance], **kwargs: Any) -> list[tuple[float, bool]]:
        return [(-float(len(request.args[1])), False) for request in requests]

    def loglikelihood_rolling(self, requests: list[Instance], **kwargs: Any) -> list[float]:
        return [-float(len(request.args[0])) for request in requests]


def test_lm_eval_reports_the_main_score_of_each_benchmark(tmp_path: Path) -> None:
    """The evaluator reports each benchmark's main score under the name that callers use."""
    passage = {
        "context": "这座桥长2000米。",
        "qas": [{"id": "1", "question": "多长？", "answers": [{"text": "2000米"}]}],
    }
    options = [{"label": "A", "text": "很长的答案"}, {"label": "B", "text": "桥"}]
    files = {
        "heldout/zh.txt": "一座桥\n两座桥",
        "mgsm/mgsm_zh.tsv": "一千加一千？\t2,000\n一加一？\t2",
        "xquad/xquad.zh.json": json.dumps({"data": [{"paragraphs": [passage]}]}),
        "xcsqa/zh.jsonl": json.dumps({"id": "1", "question": {"stem": "？", "choices": options}, "answerKey": "B"}),
        "xlsum/zh.jsonl": json.dumps({"id": "1", "text": "桥", "summary": "这座桥长 2,000 米。答案是 2,000。"}),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    results = lm_eval.simple_evaluate(
        model=Parrot(), tasks=["mwork_zh"], task_manager=manager(tmp_path), bootstrap_iters=0, log_samples=False
    )["results"]
    tagged = [benchmark for benchmark in BENCHMARKS if benchmark != "xcsqa_letter"]
    assert set(results) == {f"{benchmark}_zh" for benchmark in tagged}
    assert {benchmark: results[f"{benchmark}_zh"][MAIN[benchmark]] for benchmark in tagged} == pytest.approx(
        # Three characters of three bytes each, at one nat a character.
        {"xquad": 1.0, "mgsm": 0.5, "xcsqa": 1.0, "xlsum": 1.0, "bpb": 1 / math.log(2) / 3}
    )
    assert results["mgsm_zh"]["exact_match,strict-match"] == 0.5
    assert results["xquad_zh"]["exact_match,none"] == 0
    assert 0 < results["xquad_zh"]["f1,none"] < 1
    assert {"rouge1,none", "rouge2,none", "chrf,none"} <= set(results["xlsum_zh"])
    assert "acc_norm,none" in results["xcsqa_zh"]
