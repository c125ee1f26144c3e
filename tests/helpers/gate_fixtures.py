"""Pairs of results folders for the gate."""

import pytest

from helpers.gate_folders import make_results


@pytest.fixture
def folders(tmp_path):
    """Make OLD and NEW from scores of the same tasks."""

    def make(old, new, *, old_texts=None, new_texts=None, **both):
        return (
            make_results(tmp_path / "old", old, **both, **(old_texts or {})),
            make_results(tmp_path / "new", new, **both, **(new_texts or {})),
        )

    return make
