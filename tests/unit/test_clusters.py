"""Which documents are about one thing, and so are drawn together."""

import pytest

from mwork_eval.benchmarks.clusters import cluster_keys
from mwork_eval.benchmarks.data import load
from mwork_eval.errors import InputError

pytestmark = pytest.mark.usefixtures("no_other_source")


@pytest.mark.parametrize(("data", "task", "key"), [("embedded", "bpb_zh", "line 3"), (None, "bpb_zh", "bpb_zh line 3")])
def test_cluster_keys_are_shared_between_languages_only_where_documents_are_parallel(data, task, key, monkeypatch):
    monkeypatch.delenv("MWORK_DATA", raising=False)
    assert cluster_keys(task, [{"id": "line 3", "text": "x"}], data) == (key,)


def test_questions_about_one_paragraph_are_one_cluster_in_every_language():
    keys = {}
    for language in ("en", "zh"):
        documents = load("xquad", language, "embedded")["test"]
        keys[language] = cluster_keys(f"xquad_{language}", list(documents), "embedded")
    assert keys["en"] == keys["zh"] == tuple(str(1 + number // 3) for number in range(24))


def test_other_tasks_cluster_by_a_named_field_or_not_at_all():
    documents = [{"passage": "a"}, {"passage": "a"}]
    assert cluster_keys("belebele_zho", documents, by="passage") == ("a", "a")
    assert len(set(cluster_keys("belebele_zho", documents))) == 2
    with pytest.raises(InputError, match="no field 'link'"):
        cluster_keys("belebele_zho", documents, by="link")
