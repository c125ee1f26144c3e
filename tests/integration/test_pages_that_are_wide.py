"""Pages with what is wider than a screen or a sheet: a sign tells of what is out of sight, and paper cuts nothing."""

import re

import pytest
from click.testing import CliRunner
from helpers.leaderboard_folders import make_results_file
from helpers.report_folders import HOSTILE, make_folder
from helpers.square_folders import make_square_folder

from mwork_eval.application.report import write_reports
from mwork_eval.cli.main import main

pytestmark = [pytest.mark.browser, pytest.mark.slow]
pytest_plugins = ["helpers.browser_fixtures"]

LANGUAGES = ("en", "zh", "es", "de", "ru", "sw", "th")
SCORED = ("en", "zh", "es", "de", "ru", "th", "fr", "ar", "vi", "tr", "hi", "el", "ro")
# Paper less its margins of 12 mm, in CSS pixels of 1/96 inch.
PORTRAIT, LANDSCAPE = int((210 - 24) / 25.4 * 96), int((297 - 24) / 25.4 * 96)

REGIONS = """() => [...document.querySelectorAll('.scroll')].filter(region => region.checkVisibility()).map(region => ({
  name: region.getAttribute('aria-label'),
  wide: Math.max(...[...region.children].map(child => child.getBoundingClientRect().width)) > region.clientWidth + .5,
  hint: getComputedStyle(region, '::before').display !== 'none',
  right: getComputedStyle(region, '::after').opacity,
  left: getComputedStyle(region).getPropertyValue('--left').trim(),
  track: parseFloat(getComputedStyle(region).gridTemplateColumns),
  content: Math.max(...[...region.children].map(child => child.getBoundingClientRect().width)),
}))"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """A report of tables and deep heat maps, and one of squares; and one whose texts are hostile and long."""
    folder = tmp_path_factory.mktemp("wide")
    name = f"{HOSTILE} {'x' * 1000}"
    make_folder(folder / "tables", languages=LANGUAGES, layers=80)
    make_folder(folder / "hostile", model=name, task=name, text=name, documents=3)
    make_square_folder(folder / "squares", languages=LANGUAGES, draws=2)
    for one in folder.iterdir():
        write_reports(one, formats=("html",))
    return {one.name: one / "report.html" for one in folder.iterdir()}


@pytest.fixture(scope="module")
def boards(tmp_path_factory):
    """Pages of a benchmark with 14 columns, with 27, and with 53."""
    pages = {}
    for name, limits in {"few": (24,), "many": (24, 8), "most": (24, 16, 12, 8)}.items():
        folder = tmp_path_factory.mktemp(name)
        for model in ("org/a-model-of-7b", "some-organisation/another-long-name-of-a-model-70b-instruct-v0.2"):
            for limit in limits:
                scores = {f"belebele_{language}": 0.125 for language in SCORED}
                make_results_file(folder / f"{limit} {len(model)}", scores, model=model, documents=limit)
        result = CliRunner().invoke(main, ["leaderboard", str(folder), "--out", str(folder / "site")])
        assert result.exit_code == 0, result.output
        (pages[name],) = (folder / "site" / "tasks").rglob("index.html")
    return pages


@pytest.fixture
def without_timelines(reports):
    """The reports as a browser reads them that knows no scroll timelines."""
    pages = {}
    for name, path in reports.items():
        pages[name] = path.with_name("older.html")
        text = path.read_text(encoding="utf-8")
        assert text.count("animation-timeline: scroll(self inline)") == 3
        pages[name].write_text(text.replace("animation-timeline:", "animation-timeline-unknown:"), encoding="utf-8")
    return pages


def unfolded(page):
    for details in page.locator("summary").all():
        details.click()
    settle(page)
    return page


def settle(page):
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def check_signs(page):
    """Return whether some regions scroll and some do not, after a check that just those that do have the sign."""
    found = page.evaluate(REGIONS)
    assert [one["name"] for one in found if one["wide"] != one["hint"]] == []
    assert [one["name"] for one in found if one["right"] != ("1" if one["wide"] else "0")] == []
    assert all(one["left"] in ("", "0") for one in found)
    # The edge keeps to the right as far as the track of its content reaches.
    assert [one["name"] for one in found if one["track"] < one["content"] - 0.5] == []
    return {one["wide"] for one in found}


@pytest.mark.parametrize("name", ["tables", "squares", "hostile"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_sign_stands_just_where_something_is_out_of_sight(open_page, reports, name, width):
    assert True in check_signs(unfolded(open_page(reports[name], width)))


@pytest.mark.parametrize("least", ["auto", "100%"])
def test_a_page_has_regions_with_the_sign_and_without(open_page, reports, least):
    page = unfolded(open_page(reports["squares"]))
    page.evaluate("least => document.querySelectorAll('table').forEach(t => { t.style.minWidth = least; })", least)
    assert check_signs(page) == {True, False}
    fills = page.locator(".scroll > table").evaluate_all(
        "tables => tables.map(t => t.offsetWidth >= t.parentNode.clientWidth)"
    )
    assert all(fills) == (least == "100%")


def test_the_sign_needs_no_script(open_page, reports):
    page = open_page(reports["tables"], 390, java_script_enabled=False)
    assert check_signs(page) >= {True}


@pytest.mark.parametrize("name", ["tables", "squares"])
def test_the_sign_stands_in_browsers_without_scroll_timelines(open_page, without_timelines, name):
    page = unfolded(open_page(without_timelines[name], bypass_csp=True))
    assert page.evaluate("getComputedStyle(document.querySelector('.scroll')).animationName") == "none"
    assert check_signs(page) == {True, False}
    page.set_viewport_size({"width": 390, "height": 900})
    settle(page)
    check_signs(page)


@pytest.mark.parametrize("known", [True, False])
def test_the_edges_tell_which_way_there_is_more(open_page, reports, without_timelines, known):
    page = open_page(reports["tables"] if known else without_timelines["tables"], 390, bypass_csp=not known)
    region = page.locator(".scroll").first
    edges = []
    for place in (0, 100, 100_000):
        region.evaluate("(region, place) => { region.scrollLeft = place; }", place)
        settle(page)
        first = page.evaluate(REGIONS)[0]
        edges.append((first["left"], first["right"]))
        assert first["hint"]
    assert edges == [("0", "1"), ("1", "1"), ("1", "0")]


def test_the_first_column_and_the_heads_stay_in_sight(open_page, reports):
    page = open_page(reports["tables"], 390)
    region = page.get_by_role("region", name="Every cell")
    region.scroll_into_view_if_needed()
    region.evaluate("region => region.scrollTo(region.scrollWidth, region.scrollHeight)")
    assert region.evaluate("region => region.scrollLeft * region.scrollTop") > 0
    box = region.bounding_box()
    last = region.locator("tbody tr").last.locator("th").bounding_box()
    heads = [head.bounding_box() for head in (region.locator("thead th").first, region.locator("thead th").last)]
    assert last["x"] == heads[0]["x"] == box["x"]
    assert heads[0]["y"] == heads[1]["y"] == box["y"]
    # What sticks covers what passes below it.
    for cell, (x, y) in {"th": (box["x"] + 3, last["y"] + 3), "thead th": (heads[1]["x"] + 3, box["y"] + 3)}.items():
        script = "([x, y, what]) => document.elementFromPoint(x, y).closest(what) !== null"
        assert page.evaluate(script, [x, y, cell])


def test_a_region_scrolls_by_keyboard_and_shows_that_it_has_the_focus(open_page, reports):
    page = open_page(reports["tables"], 390)
    region = page.locator(".scroll").first
    page.get_by_role("link", name="Manifest").focus()
    page.keyboard.press("Tab")
    assert region.evaluate("region => region === document.activeElement")
    assert region.evaluate("region => getComputedStyle(region).outlineStyle") == "solid"
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.activeElement.scrollLeft > 0")


def out_of_the_page(page, width):
    """Return what reaches beyond the right edge of a sheet of this width, or out of its own cell."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(media="print")
    return page.evaluate(
        """width => [...document.querySelectorAll('main *')]
        .filter(part => part.checkVisibility() && part.getBoundingClientRect().right > width + .5
          || ['TH', 'TD'].includes(part.tagName) && part.scrollWidth > part.clientWidth + 1)
        .map(part => part.outerHTML.slice(0, 200))""",
        width,
    )


@pytest.mark.parametrize("name", ["tables", "squares", "hostile"])
def test_nothing_of_a_report_reaches_beyond_a_sheet(open_page, reports, name):
    page = open_page(reports[name])
    assert out_of_the_page(page, PORTRAIT) == []
    assert page.evaluate("getComputedStyle(document.body).page") == "auto"


@pytest.mark.parametrize(("name", "columns"), [("few", 14), ("many", 27), ("most", 53)])
def test_no_table_of_the_leaderboard_reaches_beyond_a_sheet(open_page, boards, name, columns):
    page = open_page(boards[name])
    assert page.locator("table").first.locator("thead th").count() == columns
    assert out_of_the_page(page, PORTRAIT if name == "few" else LANDSCAPE) == []


@pytest.mark.parametrize(("name", "upright"), [("few", True), ("many", False)])
def test_sheets_with_very_wide_tables_lie_on_their_side(open_page, boards, name, upright):
    written = open_page(boards[name]).pdf(format="A4", prefer_css_page_size=True)
    sheets = [tuple(map(float, box.split())) for box in re.findall(rb"/MediaBox \[0 0 ([\d. ]+)\]", written)]
    assert sheets
    assert all((width < height) == upright for width, height in sheets)


def test_paper_unfolds_what_is_folded_and_says_what_it_leaves_out(open_page, reports):
    page = open_page(reports["tables"], color_scheme="dark")
    legend, numbers = (
        page.get_by_text("✗ deactivated"),
        page.get_by_role("region", name="Neurons by language and layer"),
    )
    manifest = page.get_by_role("region", name="Manifest")
    visible = "part => part.checkVisibility({contentVisibilityAuto: true})"
    assert not legend.evaluate(visible)
    page.emulate_media(media="print")
    assert legend.evaluate(visible)
    assert manifest.evaluate(visible)
    assert not page.locator("details.long .scroll").evaluate(visible)
    left_out = "getComputedStyle(document.querySelector('details.long summary'), '::after').content"
    assert "not printed" in page.evaluate(left_out)
    page.emulate_media(media="screen")
    page.get_by_text("The numbers behind these figures").click()
    page.emulate_media(media="print")
    assert numbers.evaluate(visible)
    assert page.evaluate(left_out) == "none"


def test_paper_has_no_controls_no_signs_and_plain_links(open_page, boards):
    page = open_page(boards["many"], color_scheme="dark")
    page.emulate_media(media="print")
    assert not page.get_by_label("Show rows with").is_visible()
    assert not page.get_by_role("button", name="Dark theme").is_visible()
    # It does tell how many rows a narrowed page shows.
    assert page.get_by_role("status").is_visible()
    region = page.evaluate(REGIONS)[0]
    assert not region["hint"]
    colour = "getComputedStyle(a).color === getComputedStyle(a.parentNode).color"
    assert page.evaluate(f"[...document.querySelectorAll('a[href]')].every(a => {colour})")
    # Chromium repeats the heads on every sheet, but paints no button in them.
    assert page.evaluate("getComputedStyle(document.querySelector('thead button')).display") == "contents"
