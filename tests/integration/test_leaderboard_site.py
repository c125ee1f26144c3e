"""The leaderboard in a browser."""

import pytest
from click.testing import CliRunner
from helpers.leaderboard_folders import make_results_file
from helpers.report_folders import HOSTILE, make_folder

from mwork_eval.cli.main import main
from mwork_eval.leaderboard.board import slug_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]
pytest_plugins = ["helpers.browser_fixtures"]

MASKED = {"neurons": "zh", "positions": "all", "total": 9, "digest": "ab" * 32}
LONG = "x" * 100_000


def site_of(folder, *, model="tiny", task="xquad"):
    """A matrix, a plain run of the same documents, a masked one, and one of other documents."""
    hashes = {f"{task}_en": f"{task} en 24"}
    make_folder(folder / "in" / "o", model=model, task=task)
    make_results_file(folder / "in" / "p", {f"{task}_en": 0.25}, hashes=hashes, model=f"plain {model}")
    make_results_file(folder / "in" / "m", {f"{task}_en": 0.5}, hashes=hashes, masked=MASKED, model=f"plain {model}")
    make_results_file(folder / "in" / "q", {f"{task}_en": 0.125}, model="few", documents=8)
    result = CliRunner().invoke(main, ["leaderboard", str(folder / "in"), "--out", str(folder / "site")])
    assert result.exit_code == 0, result.output
    return folder / "site"


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return site_of(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return site_of(tmp_path_factory.mktemp("hostile"), model=f"{HOSTILE} {LONG}", task=HOSTILE)


@pytest.fixture
def benchmark_page(open_page, plain):
    return open_page(plain / "tasks" / slug_of("xquad") / "index.html")


def test_a_column_of_scores_sorts_with_what_is_missing_last(benchmark_page):
    table = benchmark_page.locator("table").first
    head = table.get_by_role("columnheader", name="en (24)")
    place = table.locator("thead th").all_text_contents().index("en (24)")

    def column():
        return [
            text.split()[0] if text else ""
            for text in table.locator(f"tbody tr > :nth-child({place + 1})").all_text_contents()
        ]

    head.get_by_role("button").click()
    values = [float(text) for text in column() if text]
    assert values == sorted(values)
    assert column()[-1] == ""
    head.get_by_role("button").press("Enter")
    values = [float(text) for text in column() if text]
    assert values == sorted(values, reverse=True)
    assert column()[-1] == ""
    assert len(values) == 3


def test_rows_can_be_narrowed_by_text_and_to_unmasked_models(benchmark_page):
    rows = benchmark_page.locator("table").first.locator("tbody tr:visible")
    assert rows.count() == 4
    benchmark_page.get_by_label("only models without a mask").check()
    assert rows.count() == 3
    assert not any("without" in text for text in rows.all_text_contents())
    benchmark_page.get_by_label("Show rows with").fill("PLAIN")
    assert rows.count() == 1
    assert benchmark_page.locator(".count").text_content() == "1 row"


def test_a_models_filter_is_of_the_tables_below_it(open_page, plain):
    page = open_page(plain / "models" / slug_of("tiny") / "index.html")
    page.get_by_text("The numbers behind these figures").click()
    layers = page.get_by_role("region", name="Neurons of tiny by layer").locator("tbody tr:visible")
    before = layers.count()
    page.get_by_label("Show rows with").fill("xquad_en")
    assert page.get_by_role("region", name="Scores of tiny").locator("tbody tr:visible").count() == 1
    assert layers.count() == before > 0
    assert page.locator(".count").text_content() == "1 row"


def test_the_first_page_says_what_each_benchmark_has(open_page, plain):
    page = open_page(plain / "index.html")
    said = page.get_by_role("listitem").filter(has=page.get_by_role("link", name="xquad", exact=True)).last
    assert said.inner_text() == "xquad: 4 rows in English, Spanish, Chinese"


def test_links_lead_to_a_model_and_back(open_page, plain):
    page = open_page(plain / "index.html")
    page.locator("#ranked").get_by_role("link", name="tiny", exact=True).click()
    assert page.get_by_role("heading", level=1).text_content() == "tiny"
    page.get_by_role("link", name="xquad_zh").click()
    assert page.get_by_role("heading", level=1).text_content() == "xquad"
    page.get_by_role("link", name="mwork leaderboard").click()
    assert "Which model is best" in page.get_by_role("heading", level=1).text_content()


def test_a_model_is_compared_with_others_by_the_link_of_its_page(open_page, plain):
    page = open_page(plain / "index.html")
    page.locator("#ranked").get_by_role("link", name="plain tiny", exact=True).click()
    page.get_by_role("link", name="Compare with another model").click()
    assert page.get_by_label("A", exact=True).input_value() == "plain tiny"
    assert page.locator("table.differences tbody tr").count() > 0


def test_the_first_page_ranks_what_was_scored_on_the_same_documents(open_page, plain):
    page = open_page(plain / "index.html")
    page.get_by_label("also with neurons switched off").check()
    page.locator('#board[data-ranked="true"]').wait_for()
    assert page.locator("#ranked tbody tr").count() >= 2
    assert "ranks among" in page.locator(".count").text_content()


def test_the_theme_can_be_switched(benchmark_page):
    colour = "getComputedStyle(document.body).backgroundColor"
    before = benchmark_page.evaluate(colour)
    benchmark_page.get_by_role("button", name="Dark theme").click()
    assert benchmark_page.evaluate(colour) != before


def pages_of(site):
    return sorted(site.rglob("index.html"))


@pytest.mark.parametrize("which", ["plain", "hostile"])
def test_no_page_scrolls_sideways_on_a_phone(open_page, which, request):
    pages = pages_of(request.getfixturevalue(which))
    assert len(pages) == 6
    for path in pages:
        assert open_page(path, 390).evaluate("document.documentElement.scrollWidth") <= 390


def test_names_leave_room_for_the_scores_on_a_phone(open_page, hostile):
    page = open_page(hostile / "tasks" / slug_of(HOSTILE) / "index.html", 390)
    widths = page.locator("tbody th").evaluate_all("heads => heads.map(head => head.getBoundingClientRect().width)")
    assert widths
    assert max(widths) < 390 / 2


def test_hostile_names_stay_text(open_page, hostile):
    for path in pages_of(hostile):
        page = open_page(path)
        assert page.locator("img").count() == 0
        assert page.locator("script:not([type])").count() == 1
        assert page.title() != "broken"
        assert len(page.title()) < 300
    page = open_page(hostile / "index.html")
    assert HOSTILE[:40] in page.locator("main").text_content()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_serious(assert_accessible, open_page, plain, scheme, width):
    for path in pages_of(plain)[:3]:
        assert_accessible(open_page(path, width, color_scheme=scheme))
