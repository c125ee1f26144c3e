"""Tables of scores: the statistics of all documents, and their file."""

import numpy as np
import pytest
from helpers.detections import SHAPE, SIZES, ScoreAccumulator, table

from mwork_eval.detection.score_table import ScoreTable
from mwork_eval.errors import InputError


def test_running_statistics_equal_those_of_all_documents():
    generator = np.random.default_rng(5)
    scores = generator.random((7, 6)).astype(np.float32)
    accumulator = ScoreAccumulator(SHAPE)
    for row in scores:
        accumulator.add({(layer, s): row[:n] for layer in (0, 1) for s, n in SIZES.items()})
    found = accumulator.table({})
    ranks = (-scores).argsort(1, kind="stable").argsort(1, kind="stable")
    np.testing.assert_array_equal(found.minimum[0, "q"], scores.min(0))
    np.testing.assert_allclose(found.mean[1, "q"], scores.mean(0), rtol=1e-6)
    np.testing.assert_array_equal(found.worst_rank[0, "q"], ranks.max(0))
    assert found.about["documents"] == 7


def test_scores_that_are_not_finite_are_refused():
    bad = {(layer, s): np.full(n, np.nan, np.float32) for layer in (0, 1) for s, n in SIZES.items()}
    with pytest.raises(ValueError, match="not finite"):
        ScoreAccumulator(SHAPE).add(bad)
    with pytest.raises(ValueError, match="no document"):
        ScoreAccumulator(SHAPE).table({})


def test_a_score_file_keeps_everything_and_a_damaged_one_is_an_error(tmp_path):
    original = table(corpus={"name": "语料"})
    original.save(tmp_path / "zh.safetensors")
    loaded = ScoreTable.load(tmp_path / "zh.safetensors")
    assert dict(loaded.about) == dict(original.about)
    for statistic in ("minimum", "mean", "worst_rank"):
        for place, values in getattr(original, statistic).items():
            np.testing.assert_array_equal(getattr(loaded, statistic)[place], values)
    (tmp_path / "zh.safetensors").write_bytes((tmp_path / "zh.safetensors").read_bytes()[:-3])
    with pytest.raises(InputError, match="cannot be read"):
        ScoreTable.load(tmp_path / "zh.safetensors")
