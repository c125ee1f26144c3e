"""A results folder that the tests of a module share."""

import pytest

from helpers.report_folders import make_folder
from mwork_eval.results.tables import read_results


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("results") / "o")


@pytest.fixture(scope="module")
def results(folder):
    return read_results(folder)
