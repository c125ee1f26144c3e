"""Which documents are taken: spread, nested, the same in every language, seedable."""

import numpy as np
import pytest

from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import prepare_tasks
from mwork_eval.evaluation.sampling import Sample, document_order
from mwork_eval.neurons.tuned_stages import TunedOn


def choose(sample, items, documents=None):
    documents = documents or {name: [{"text": item} for item in own] for name, own in items.items()}
    return sample.choose(documents, items)


@pytest.mark.parametrize("total", [1, 2, 3, 14, 240, 1190])
@pytest.mark.parametrize("order", ["even", 0, 7])
def test_an_order_holds_every_document_once(total, order):
    assert sorted(document_order(total, order)) == list(range(total))


def test_the_even_order_leaves_no_gap_of_more_than_twice_the_even_one():
    for total in (100, 1190):
        for limit in (4, 16, 33, 64):
            taken = sorted(document_order(total, "even")[:limit])
            assert np.diff([*taken, total]).max() <= 2 * np.ceil(total / limit) + 1


def test_64_questions_of_xquad_are_about_64_paragraphs():
    # Five questions a paragraph, as in the published file's mean; its first 64 are about 13 paragraphs.
    taken = document_order(1190, "even")[:64]
    assert len({index // 5 for index in taken}) == 64


def test_a_smaller_sample_is_part_of_a_larger_one():
    items = {"bpb_en": [str(n) for n in range(50)]}
    for order in ("even", 3):
        small, large = (set(choose(Sample(limit, order), items)["bpb_en"]) for limit in (7, 20))
        assert small < large


def test_parallel_tasks_get_the_same_items_though_one_lacks_some():
    items = {"xquad_en": [f"q{n}" for n in range(30)], "xquad_zh": [f"q{n}" for n in range(30) if n not in (0, 4, 16)]}
    for order in ("even", 5):
        chosen = choose(Sample(8, order), items)
        assert [items["xquad_en"][i] for i in chosen["xquad_en"]] == [items["xquad_zh"][i] for i in chosen["xquad_zh"]]


def test_unrelated_tasks_are_spread_each_over_itself():
    items = {"xlsum_en": [f"en {n}" for n in range(64)], "xlsum_zh": [f"zh {n}" for n in range(8)]}
    assert choose(Sample(4), items) == {"xlsum_en": [0, 16, 32, 48], "xlsum_zh": [0, 2, 4, 6]}


def test_what_is_left_out_in_one_language_is_left_out_in_all():
    items = {"bpb_en": ["0", "1", "2", "3"], "bpb_zh": ["0", "1", "2", "3"]}
    documents = {"bpb_en": [{"text": "a"}] * 4, "bpb_zh": [{"text": "seen"}, *[{"text": "b"}] * 3]}
    sample = Sample(unwanted=lambda document: document["text"] == "seen")
    assert choose(sample, items, documents) == {"bpb_en": [1, 2, 3], "bpb_zh": [1, 2, 3]}


def test_tuning_documents_are_left_out_by_what_they_are():
    items = {"xquad_zh": [str(n) for n in range(8)], "xquad_es": [str(n) for n in range(3, 8)]}
    skip = dict.fromkeys(items, TunedOn(3, frozenset({"0", "4", "2"})))
    # Spanish lacks items, which changes which ones the languages share, but not which ones were tuned on.
    assert choose(Sample(skip=skip), items) == {"xquad_zh": [1, 3, 5, 6, 7], "xquad_es": [0, 2, 3, 4]}
    early = {"xquad_zh": TunedOn(2, first=2)}
    assert choose(Sample(skip=early), {"xquad_zh": items["xquad_zh"]}) == {"xquad_zh": [2, 3, 4, 5, 6, 7]}
    with pytest.raises(InputError, match="no document of xquad_zh is left; found 8, all of which are left out"):
        choose(Sample(skip={"xquad_zh": TunedOn(8, first=8)}), {"xquad_zh": items["xquad_zh"]})


def test_tables_take_the_same_spread_questions_in_every_language():
    tasks = prepare_tasks(["xquad_en", "xquad_zh", "bpb_en"], data="embedded", sample=Sample(4))
    assert tasks["xquad_en"].documents == tasks["xquad_zh"].documents == [0, 4, 8, 16]
    assert len(set(tasks["xquad_en"].clusters.values())) == 4
    other = prepare_tasks(["xquad_en", "xquad_zh"], data="embedded", sample=Sample(4, order=1))
    assert other["xquad_en"].documents == other["xquad_zh"].documents != tasks["xquad_en"].documents


def test_a_task_may_have_a_limit_of_its_own():
    items = {"xlsum_en": [f"en {n}" for n in range(64)], "xlsum_zh": [f"zh {n}" for n in range(8)]}
    assert choose(Sample(limits={"xlsum_en": 2}), items) == {"xlsum_en": [0, 32], "xlsum_zh": list(range(8))}
    assert choose(Sample(3, limits={"xlsum_zh": 1}), items) == {"xlsum_en": [0, 16, 32], "xlsum_zh": [0]}
    assert choose(Sample(limits={"xquad_en": 2}), items) == {"xlsum_en": None, "xlsum_zh": None}
