"""Which documents are taken: spread, nested, the same in every language, seedable."""

import numpy as np
import pytest

from mwork_eval.errors import InputError
from mwork_eval.harness.evaluate import prepare_tasks
from mwork_eval.harness.sampling import FILE, Sample, document_order


def choose(sample, items, documents=None):
    documents = documents or {name: [{"text": item} for item in own] for name, own in items.items()}
    return sample.choose(documents, items)


@pytest.mark.parametrize("total", [1, 2, 3, 14, 240, 1190])
@pytest.mark.parametrize("order", ["even", "file", 0, 7])
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


def test_tuning_documents_of_any_order_are_left_out():
    items = {"xquad_zh": [str(n) for n in range(8)]}
    skip = {"xquad_zh": [(2, FILE), (3, "even")]}
    assert choose(Sample(skip=skip), items) == {"xquad_zh": [3, 5, 6, 7]}  # 0 1, and 0 4 2
    with pytest.raises(InputError, match="no document of xquad_zh is left; found 8, all of which are left out"):
        choose(Sample(skip={"xquad_zh": [(8, FILE)]}), items)


def test_tables_take_the_same_spread_questions_in_every_language():
    tasks = prepare_tasks(["xquad_en", "xquad_zh", "bpb_en"], data="embedded", sample=Sample(4))
    assert tasks["xquad_en"].documents == tasks["xquad_zh"].documents == [0, 4, 8, 16]
    assert len(set(tasks["xquad_en"].clusters.values())) == 4
    other = prepare_tasks(["xquad_en", "xquad_zh"], data="embedded", sample=Sample(4, order=1))
    assert other["xquad_en"].documents == other["xquad_zh"].documents != tasks["xquad_en"].documents
