"""The page of a comparison of detectors in a browser: it fits a screen and a phone, and everybody can read it."""

import pytest
from helpers.detector_folders import COSTS, make_detector_folder

from mwork_eval.application.report import write_reports

pytestmark = [pytest.mark.browser, pytest.mark.slow]
pytest_plugins = ["helpers.browser_fixtures"]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    folder = make_detector_folder(tmp_path_factory.mktemp("detectors"))
    write_reports(folder, formats=("html",))
    return folder / "report.html"


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_is_accessible(open_page, assert_accessible, page_file, width, scheme):
    page = open_page(page_file, width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert_accessible(page)


def test_the_table_and_the_plot_are_shown(open_page, page_file):
    page = open_page(page_file)
    table = page.get_by_role("region", name="Detectors on bpb, LS all", exact=True)
    assert table.locator("tbody tr").count() == 3 * len(COSTS)
    for panel in ("∆ = English - own", "the mask's language (own)", "English"):
        drawing = page.get_by_role("img", name=f"{panel}: change in bits per byte by number of neurons")
        assert drawing.is_visible()
        # The lines of two detectors differ in dashes or in the shape of their points.
        looks = drawing.evaluate(
            "svg => [...svg.querySelectorAll('polyline')].map(line => getComputedStyle(line).strokeDasharray + "
            "svg.querySelectorAll('path.mark.' + line.classList[1])[0].getAttribute('d'))"
        )
        assert len(set(looks)) == len(COSTS)
