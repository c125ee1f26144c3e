"""The results of a folder with squares and dose curves, which the tests of a module share."""

import pytest

from helpers.square_folders import make_square_folder
from mwork_eval.results.doses import read_doses
from mwork_eval.results.squares import read_squares
from mwork_eval.results.tables import read_results


@pytest.fixture(scope="module")
def square_results(tmp_path_factory):
    return read_results(make_square_folder(tmp_path_factory.mktemp("square") / "o"))


@pytest.fixture(scope="module")
def square(square_results):
    (found,) = read_squares(square_results)
    return found


@pytest.fixture(scope="module")
def dose(square_results):
    (found,) = read_doses(square_results)
    return found
