"""Sets of parts of the documents: of random halves, and of the first ones, which say how early a set is stable."""

import numpy as np
import pytest
from conftest import make_model
from helpers.detections import stream_of

from mwork_eval.detection.detect import DetectOptions, score_languages
from mwork_eval.detection.selection import Selection, select_specific
from mwork_eval.detection.set_draws import draw_sets
from mwork_eval.detection.stability import measure_stability
from mwork_eval.errors import InputError
from mwork_eval.models.layout import Layout


def test_set_draws_are_the_sets_of_random_halves(tmp_path, tokenizer):
    layout = Layout.of(make_model("llama"))
    streams = [stream_of(tokenizer, code, documents=12) for code in ("en", "zh")]
    rule = Selection(fraction=0.4)
    found = score_languages(layout, "tiny", streams, tmp_path, DetectOptions(groups="draws"))
    draws = draw_sets(found.parts, rule, 3)
    assert [list(sets) for sets in draws] == [["zh"]] * 3
    assert [sets["zh"].about["set_draw"] for sets in draws] == [
        {"draw": n, "documents": 6, "of": 12} for n in (1, 2, 3)
    ]
    assert len({sets["zh"].digest_unordered for sets in draws}) > 1
    again = draw_sets(found.parts, rule, 3)
    assert [sets["zh"].digest for sets in draws] == [sets["zh"].digest for sets in again]
    # The halves are of the documents, so a set of a half is what these documents alone select.
    part = found.parts["zh"]
    picked = np.random.default_rng([2, 1]).permutation(12)[:6]
    tables = [found.parts["en"].joined(*(f"{n:02d}" for n in np.random.default_rng([2, 0]).permutation(12)[:6]))]
    tables.append(part.joined(*(f"{n:02d}" for n in picked)))
    abouts = [found.parts["en"].table().about, part.table().about]
    slow = select_specific([t.table(about) for t, about in zip(tables, abouts, strict=True)], rule)["zh"]
    assert slow == draws[1]["zh"]
    # Groups do not change the scores of all documents.
    plain = score_languages(layout, "tiny", streams, tmp_path / "plain").tables[1]
    np.testing.assert_array_equal(plain.worst_rank[0, "q"], found.tables[1].worst_rank[0, "q"])
    few = [stream_of(tokenizer, code, documents=4) for code in ("en", "zh")]
    parts = score_languages(layout, "tiny", few, tmp_path / "few", DetectOptions(groups="draws")).parts
    with pytest.raises(
        InputError, match="too few documents of en to draw halves of them; found 4; expected at least 8"
    ):
        draw_sets(parts, rule, 3)


def test_stability_is_the_overlap_with_the_final_set(tmp_path, tokenizer):
    layout = Layout.of(make_model("llama"))
    streams = [stream_of(tokenizer, code, documents=6) for code in ("en", "zh")]
    rule = Selection(fraction=0.4)
    found = score_languages(layout, "tiny", streams, tmp_path, DetectOptions(groups="stability"))
    rows = measure_stability(found.parts, rule)
    assert set(rows) == {"zh"}
    assert [row.documents for row in rows["zh"]] == [1, 2, 4, 6]
    assert rows["zh"][-1].with_final == 1.0
    assert rows["zh"][0].of_halves is None
    final = select_specific(found.tables, rule)["zh"]
    few = [stream_of(tokenizer, code, documents=4) for code in ("en", "zh")]
    early = select_specific(score_languages(layout, "tiny", few, tmp_path / "few").tables, rule)["zh"]
    assert rows["zh"][2].neurons == len(early)
    assert rows["zh"][2].with_final == pytest.approx(len(early & final) / len(early | final))
    plain = score_languages(layout, "tiny", streams, tmp_path / "plain").tables[1]
    np.testing.assert_array_equal(plain.minimum[0, "q"], found.tables[1].minimum[0, "q"])
