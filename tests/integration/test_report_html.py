"""The report's page in a browser: sorting, filters, themes, phones, hostile texts, accessibility."""

from pathlib import Path

import pytest
from helpers.report_folders import HOSTILE, LAYERS, make_folder

from mwork_eval.application.report import write_reports

pytestmark = [pytest.mark.browser, pytest.mark.slow]
pytest_plugins = ["helpers.browser_fixtures"]

LONG = "x" * 100_000


def report_of(folder: Path, **made) -> Path:
    write_reports(make_folder(folder, **made), formats=("html",))
    return folder / "report.html"


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return report_of(tmp_path_factory.mktemp("plain") / "o")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    name = f"{HOSTILE} {LONG}"
    return report_of(tmp_path_factory.mktemp("hostile") / "o", model=name, task=name, text=name, documents=3)


def texts(page, selector):
    return page.locator(selector).all_text_contents()


def test_a_column_sorts_both_ways_with_mouse_and_keyboard(open_page, plain):
    page = open_page(plain)
    table = page.locator("table").first
    head = table.get_by_role("columnheader", name="∆n-Eng")
    place = texts(page, "table:first-of-type thead th").index("∆n-Eng")

    def column():
        cells = table.locator(f"tbody tr > :nth-child({place + 1})").all_text_contents()
        return [float(cell.split()[0]) for cell in cells]

    before = column()
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert column() == sorted(before)
    assert column() != sorted(before, reverse=True)
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert column() == sorted(before, reverse=True)
    name = table.get_by_role("columnheader", name="setting")
    name.get_by_role("button").click()
    assert head.get_attribute("aria-sort") is None
    assert table.locator("tbody th").all_text_contents() == ["LS gen", "LS under", "R under"]


def test_what_is_missing_sorts_last_either_way(open_page, plain):
    page = open_page(plain)
    table = page.locator("table").first
    head = table.get_by_role("columnheader", name="p", exact=True)
    for _ in range(2):
        head.get_by_role("button").click()
        assert table.locator("tbody th").first.text_content() == "LS under"


def test_answers_can_be_narrowed_to_changed_ones(open_page, plain):
    page = open_page(plain)
    count = page.locator(".count")
    assert "of 384 answers" in count.text_content()
    everything = page.locator(".answer")
    assert everything.count() == 25
    assert page.locator(".answer:not(.changed)").count() > 0
    page.get_by_label("only changed answers").check()
    assert page.locator(".answer:not(.changed)").count() == 0
    changed = int(count.text_content().split(" of ")[1].split()[0])
    assert 0 < changed < 384
    for article in everything.all():
        before, after = article.locator(".sides > div p").all_text_contents()[-2:]
        assert before != after
    page.get_by_role("combobox", name="Setting").select_option("LS under")
    page.get_by_role("combobox", name="Language").select_option("es")
    assert all("es, document" in text for text in texts(page, ".answer h3 bdi"))
    page.get_by_role("combobox", name="Language").select_option("en")
    assert count.text_content() == "Showing 0 answers, of which 0 changed."


def test_answers_are_shown_page_by_page(open_page, plain):
    page = open_page(plain)
    forward, back = page.get_by_role("button", name="Next"), page.get_by_role("button", name="Previous")
    assert back.is_disabled()
    first = page.locator(".answer").first.text_content()
    forward.click()
    assert "Showing 26 to 50" in page.locator(".count").text_content()
    assert page.locator(".answer").first.text_content() != first
    back.click()
    assert page.locator(".answer").first.text_content() == first


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_until_the_button_is_pressed(open_page, plain, scheme):
    page = open_page(plain, color_scheme=scheme)

    def is_dark():
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return int(colour.removeprefix("rgb(").split(",")[0]) < 128

    button = page.get_by_role("button", name="Dark theme")
    assert is_dark() == (scheme == "dark")
    assert button.get_attribute("aria-pressed") == str(is_dark()).lower()
    button.press("Space")
    assert is_dark() == (scheme == "light")
    assert button.get_attribute("aria-pressed") == str(is_dark()).lower()


@pytest.mark.parametrize("folder", ["plain", "hostile"])
@pytest.mark.parametrize("width", [390, 320, 1280])
def test_the_page_itself_never_scrolls_sideways(open_page, folder, width, request):
    page = open_page(request.getfixturevalue(folder), width)
    for details in page.locator("summary").all():
        details.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_hostile_names_and_texts_stay_text(open_page, hostile):
    page = open_page(hostile)
    assert page.title().startswith("mwork report: <script>")
    assert page.locator("h1").text_content().startswith(HOSTILE[:50])
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2
    prompt = page.locator(".answer .prompt").first.text_content()
    assert prompt.startswith(f"Question 0? {HOSTILE}")
    assert "characters left out…]" in prompt
    assert len(prompt) < 1000
    # A mark that turns the direction of text may not reach beyond its own element.
    assert page.evaluate("Array.from(document.querySelectorAll('.answer p'), p => p.dir).every(d => d === 'auto')")


def test_the_figures_show_every_layer_and_language(open_page, plain):
    page = open_page(plain)
    assert page.get_by_role("img", name="zh: share of neurons").locator("rect").count() == 3 * LAYERS
    assert page.get_by_role("img", name="Attention: neurons per layer").locator("polyline").count() == 2
    assert page.get_by_role("img", name="overlap of the sets").locator("rect").count() == 4
    assert page.get_by_role("img", name="LS under: change").locator("rect").count() == 4


def test_a_printed_page_has_no_controls_and_cuts_no_table(open_page, plain):
    page = open_page(plain, color_scheme="dark")
    page.emulate_media(media="print")
    assert not page.get_by_label("only changed answers").is_visible()
    assert page.locator("table").first.is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 33, 39)"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_serious(assert_accessible, open_page, plain, scheme, width):
    assert_accessible(open_page(plain, width, color_scheme=scheme))
