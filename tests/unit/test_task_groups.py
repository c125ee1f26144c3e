"""Groups of tasks as one task: which document is which, and what is shared between languages."""

from types import SimpleNamespace

import pytest

from mwork_eval.application.task_arguments import metrics_of, tasks_of
from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import _choose
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.evaluation.task_group import TaskGroup, parallel_items, skip_shared
from mwork_eval.matrix.options import EVERY, MatrixOptions, find_family
from mwork_eval.matrix.task_file import read_task_file
from mwork_eval.neurons.tuned_stages import TunedOn


def group(name, sizes):
    leaves = {
        f"{name}_{part}": SimpleNamespace(eval_docs=[{"n": f"{part}{number}"} for number in range(size)])
        for part, size in sizes.items()
    }
    return TaskGroup(name, leaves)


def test_documents_are_numbered_over_all_tasks():
    of_zh = group("quiz_zh", {"law": 3, "art": 0, "sums": 2})
    assert [document["n"] for document in of_zh.eval_docs] == ["law0", "law1", "law2", "sums0", "sums1"]
    assert of_zh.offsets == {"quiz_zh_law": 0, "quiz_zh_art": 3, "quiz_zh_sums": 3}
    assert of_zh.split([0, 2, 4]) == {"quiz_zh_law": [0, 2], "quiz_zh_sums": [1]}
    assert of_zh.split([3]) == {"quiz_zh_sums": [0]}
    assert of_zh.split(None) == {"quiz_zh_law": None, "quiz_zh_art": None, "quiz_zh_sums": None}
    assert list(of_zh.renumber("quiz_zh_sums", [{"doc_id": 1, "filter": "none"}])) == [
        {"doc_id": 4, "filter": "none", "subtask": "quiz_zh_sums"}
    ]


def test_parts_of_one_size_are_the_same_documents_in_every_language():
    groups = {
        "quiz_en": group("quiz_en", {"law": 2, "sums": 3}),
        "quiz_zh": group("quiz_zh", {"law": 1, "sums": 3}),
    }
    items = parallel_items(groups)
    assert items == {
        "quiz_en": ["quiz_en_law 0", "quiz_en_law 1", "_sums 0", "_sums 1", "_sums 2"],
        "quiz_zh": ["quiz_zh_law 0", "_sums 0", "_sums 1", "_sums 2"],
    }
    chosen = Sample(limit=3).choose({name: one.eval_docs for name, one in groups.items()}, items)
    assert chosen == {"quiz_en": [2, 3, 4], "quiz_zh": [1, 2, 3]}  # what they share comes first


@pytest.mark.parametrize(
    ("given", "metrics"),
    [
        (None, {}),
        ("acc_norm", {EVERY: "acc_norm"}),
        ("belebele=acc_norm, xnli=acc", {"belebele": "acc_norm", "xnli": "acc"}),
        (
            ("acc_norm", "mgsm=exact_match:flexible-extract"),
            {EVERY: "acc_norm", "mgsm": "exact_match,flexible-extract"},
        ),
        ({"mgsm": "exact_match"}, {"mgsm": "exact_match"}),
        ("mlqa=f1,none", {"mlqa": "f1,none"}),  # as tables show it
        ("acc , none,mlqa=f1", {EVERY: "acc,none", "mlqa": "f1"}),
        (["mlqa=f1,none", "acc"], {EVERY: "acc", "mlqa": "f1,none"}),
        ({"mlqa": "f1,none"}, {"mlqa": "f1,none"}),
    ],
)
def test_metrics_as_users_write_them(given, metrics):
    assert metrics_of(given) == metrics


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "cannot read `metric`"),
        ("a=", "cannot read `metric`; found a="),
        ("=acc", "cannot read `metric`; found =acc"),
        ("a=acc,a=f1", "two metrics of a; found acc f1"),
        (3, "unusable metric; found 3"),
        ([3], "unusable metric"),
    ],
)
def test_metrics_that_are_none(given, said):
    with pytest.raises(InputError, match=said):
        metrics_of(given)


def test_a_metric_of_all_others_needs_others():
    families = [TaskFamily("mgsm", ("en", "zh"))]
    asked = {"mgsm": "exact_match", EVERY: "flexible-extract"}
    with pytest.raises(InputError, match=r"of which there are none; found flexible-extract.*behind a colon"):
        MatrixOptions((), (), ("en", "zh"), metrics=asked).metrics_by_task(families)
    options = MatrixOptions((), (), ("en", "zh"), metrics={EVERY: "acc"})
    assert options.metrics_by_task(families) == {"mgsm_en": "acc", "mgsm_zh": "acc"}


def test_own_tasks_without_the_languages_say_which_they_have():
    with pytest.raises(InputError, match=r"mine has none of the languages.*expected de sw"):
        find_family("mine", ["en", "zh"], {"de": "a", "sw": "b"})


def test_tasks_by_language(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("mine: {en: a, no: b, Chinese: c}\nother: {en: d, zh: e}\n")
    assert tasks_of(["xquad", str(path)]) == (
        ("xquad", "mine", "other"),
        {"mine": {"en": "a", "no": "b", "zh": "c"}, "other": {"en": "d", "zh": "e"}},
    )
    assert tasks_of({"mine": {"English": "a"}}) == (("mine",), {"mine": {"en": "a"}})
    assert tasks_of("xquad,bpb") == (("xquad", "bpb"), {})
    with pytest.raises(InputError, match="unusable tasks of mine; found 'a'"):
        tasks_of({"mine": "a"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", " names no tasks"),
        ("- a\n", " names no tasks"),
        ("mine: a\n", ":1: mine; found a text or number"),
        ("mine:\n  en:\n", ":2: no name of a task"),
        ("mine:\n  en: [a]\n", ":2: no name of a task"),
        ("mine:\n  qq-1-: a\n", ":2: unknown language"),
        ("mine:\n  zh: a\n  Chinese: b\n", ":3: a language stands twice; found zh"),
    ],
)
def test_files_of_tasks_that_are_wrong(text, said, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_task_file(path)
    assert str(error.value).startswith(f"{path}{said}"), error.value


def test_tuned_documents_of_groups_are_left_out_in_every_language():
    groups = {name: group(name, {"law": 2, "sums": 4}) for name in ("quiz_en", "quiz_zh", "quiz_ja")}
    items = {
        name: [f"{leaf} {number}" for leaf, task in one.leaves.items() for number in range(len(task.eval_docs))]
        for name, one in groups.items()
    }
    skip = dict.fromkeys(groups, TunedOn(2, frozenset({"quiz_zh_law 1", "quiz_zh_sums 2"})))
    shared = parallel_items(groups)
    documents = {name: one.eval_docs for name, one in groups.items()}
    chosen = Sample(skip=skip_shared(skip, items, shared)).choose(documents, shared)
    assert chosen == {name: [0, 2, 3, 5] for name in groups}


def test_a_companion_family_with_like_parts_changes_no_document():
    small = {name: group(name, {"law": 1, "sums": 4}) for name in ("little_en", "little_zh")}
    large = {name: group(name, {"law": 3, "sums": 4}) for name in ("quiz_en", "quiz_zh")}
    families = {name: name.partition("_")[0] for name in (*small, *large)}
    alone, both = (_choose(tasks, None, Sample(limit=3), families) for tasks in (large, small | large))
    assert {name: both[name] for name in large} == alone


def test_a_document_that_is_unwanted_in_one_family_stays_in_another():
    tasks = {name: group(name, {"law": 2}) for name in ("little_en", "little_zh", "quiz_en", "quiz_zh")}
    seen = tasks["little_en"].eval_docs[0]
    families = {name: name.partition("_")[0] for name in tasks}
    chosen = _choose(tasks, None, Sample(unwanted=lambda document: document is seen), families)
    assert chosen == {"little_en": [1], "little_zh": [1], "quiz_en": [0, 1], "quiz_zh": [0, 1]}
