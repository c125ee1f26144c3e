"""Figures show in a notebook by themselves, whether or not pyplot was imported there."""

import pytest

pytest.importorskip("matplotlib")

from mwork_eval.reports.plots import new_figure


def test_a_figure_is_a_picture():
    figure = new_figure(3, 2)
    figure.subplots().plot([1, 2])
    assert figure._repr_png_().startswith(b"\x89PNG")
