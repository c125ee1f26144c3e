"""Reports on narrow screens and on paper: what goes on sideways says so, and nothing is cut by a page's edge."""

import pytest
from helpers.detector_folders import make_detector_folder
from helpers.report_folders import make_folder
from helpers.square_folders import make_square_folder

from mwork_eval.application.report import write_reports

pytestmark = [pytest.mark.browser, pytest.mark.slow]
pytest_plugins = ["helpers.browser_fixtures"]

MILLIMETRES = 96 / 25.4
UPRIGHT, ACROSS = (round((side - 24) * MILLIMETRES) for side in (210, 297))  # A4 without its margins, in CSS pixels
REGIONS = """() => [...document.querySelectorAll(".scroll")]
  .filter(one => one.checkVisibility({contentVisibilityAuto: true}))
  .map(one => ({
    name: one.getAttribute("aria-label"),
    over: one.scrollWidth > one.clientWidth,
    sign: parseFloat(getComputedStyle(one, "::before").maxHeight),
  }))"""
WIDTHS = """() => [...document.querySelectorAll("table, svg, pre")].filter(one => one.checkVisibility())
  .map(one => [getComputedStyle(one.closest(".scroll") ?? one).page, Math.ceil(one.getBoundingClientRect().width)])"""


@pytest.fixture(scope="module", params=[make_folder, make_square_folder, make_detector_folder])
def page_file(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("print") / "o"
    request.param(folder)
    write_reports(folder, formats=("html",))
    return folder / "report.html"


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scripts", [True, False])
def test_the_sign_is_there_exactly_where_something_is_wider(open_page, page_file, width, scripts):
    page = open_page(page_file, width, java_script_enabled=scripts)
    regions = page.evaluate(REGIONS)
    assert len(regions) >= 3
    if width == 390:
        assert any(one["over"] for one in regions)
    for one in regions:
        assert (one["sign"] > 0) == one["over"], one


def test_the_first_column_stays_while_the_others_move(open_page, page_file):
    page = open_page(page_file, 390)
    region = page.locator(".scroll:has(table)").first
    cells = [region.locator(f"{part} th").first for part in ("thead", "tbody")]
    before = [cell.bounding_box()["x"] for cell in cells]
    last = region.locator("thead th").last
    moved = last.bounding_box()["x"]
    region.focus()
    region.evaluate("one => one.scrollLeft = 150")
    assert [cell.bounding_box()["x"] for cell in cells] == before
    assert last.bounding_box()["x"] == moved - 150
    assert region.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"


def test_nothing_is_wider_than_its_page(open_page, page_file):
    page = open_page(page_file, UPRIGHT)
    page.emulate_media(media="print")
    upright = [wide for name, wide in page.evaluate(WIDTHS) if name == "auto"]
    page.set_viewport_size({"width": ACROSS, "height": 700})
    across = [wide for name, wide in page.evaluate(WIDTHS) if name == "wide"]
    assert across
    assert max(upright) <= UPRIGHT
    assert max(across) <= ACROSS


def test_paper_has_the_numbers_behind_figures_and_no_controls(open_page, page_file):
    page = open_page(page_file, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("details:not(:has(pre)) > :not(summary)").first.is_visible()
    assert not page.locator("details > pre").first.is_visible()
    for selector in ("#theme", "nav", ".skip"):
        assert not page.locator(selector).first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_a_wide_table_turns_its_page(open_page, page_file):
    page = open_page(page_file)
    paper = page.pdf(prefer_css_page_size=True)
    # Chromium writes a box for each page, in points.
    assert b"/MediaBox [0 0 841" in paper
    assert b"/MediaBox [0 0 59" in paper
