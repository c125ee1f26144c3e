"""The page that compares two models in a browser."""

import numpy as np
import pytest
from helpers.front_pages import column, contest, made_up_front, made_up_row, write_pages

from mwork_eval.statistics.clustered import Clustering, estimate

pytestmark = [pytest.mark.browser, pytest.mark.slow]
pytest_plugins = ["helpers.browser_fixtures"]

DOCUMENTS = 40
GOOD = np.arange(DOCUMENTS) % 4 > 0
POOR = np.arange(DOCUMENTS) % 4 == 3
POOR[:2] = True
SAME = [document // 2 for document in range(DOCUMENTS)]
ALSO_SAME = [7 + document // 2 for document in range(DOCUMENTS)]
OTHERS = [document // 4 for document in range(DOCUMENTS)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Two models on one benchmark; the first also asked in another way, there with one language of other documents."""
    rows = [made_up_row(0, name="good", layers={"zh": [1, 5, 2]}), made_up_row(1, name="poor"), made_up_row(2)]
    rows.append(made_up_row(0, name="good", mask="9 neurons of zh"))
    change = {
        "label": "LS all",
        "pivot": "en",
        "unit": "points",
        "values": [[0, {"zh": 12.0, "es": 6.0}, 9.0, -2.0, 16.0, 0.0, -9.0]],
    }
    front = {
        "rows": rows,
        "contests": [
            contest(
                [
                    column("en", {0: GOOD, 1: POOR, 3: POOR}, clusters=SAME),
                    column("zh", {0: GOOD, 1: GOOD}, clusters=SAME),
                ],
                changes=[change],
            ),
            contest(
                [
                    column("en", {0: POOR, 2: GOOD}, clusters=ALSO_SAME),
                    column("zh", {0: POOR}, clusters=OTHERS),
                ],
                prompting="chat template; 2 shots",
            ),
        ],
    }
    return write_pages(tmp_path_factory.mktemp("compare"), front)


def compare(open_page, site, hash_: str = ""):
    """Come to the page by the link of the first page, whose folder the other pages are in."""
    page = open_page(site / "index.html")
    page.get_by_role("link", name="Compare two models").click()
    page.get_by_role("heading", name="Compare two models").wait_for()
    if hash_:
        page.evaluate("hash => { location.hash = hash; }", hash_)
        page.wait_for_function("hash => location.hash === hash", arg=hash_)
    return page


def rows_of(page, table: int = 0) -> list[list[str]]:
    rows = page.locator("table.differences").nth(table).locator("tbody tr, tfoot tr").all()
    return [[cell.inner_text().strip() for cell in row.locator("> *").all()] for row in rows]


def interval(own: np.ndarray, other: np.ndarray) -> str:
    shares = np.full(DOCUMENTS, 1 / DOCUMENTS)
    difference = own.astype(float) - other
    value = 100 * difference.mean()
    contributions = 100 * (difference - difference.mean()) * shares
    found = estimate(value, Clustering([shares], [list(map(str, SAME))]), [contributions], [difference])
    return f"[{found.low:.1f}, {found.high:.1f}]".replace("-", "−")


def test_two_models_are_compared_document_by_document(open_page, site):
    page = compare(open_page, site, "#a=m0&b=m1")
    english, chinese, mean = rows_of(page)
    better, worse = int((GOOD & ~POOR).sum()), int((POOR & ~GOOD).sum())
    equal = DOCUMENTS - better - worse
    difference = 100 * (GOOD.mean() - POOR.mean())
    assert english[:4] == ["English", "75.0", f"{100 * POOR.mean():.1f}", f"+{difference:.1f}"]
    assert english[4:] == [interval(GOOD, POOR), "A is better", str(better), str(worse), str(equal)]
    assert chinese[3:] == ["0.0", "no interval", "≈ cannot tell", "0", "0", str(DOCUMENTS)]
    assert mean[0] == "Mean of 2"
    assert mean[3] == f"+{difference / 2:.1f}"
    assert mean[6:] == [str(better), str(worse), str(equal + DOCUMENTS)]


def test_changes_and_layers_stand_side_by_side(open_page, site):
    page = compare(open_page, site, "#a=m0&b=m1")
    assert rows_of(page, 1) == [["∆ LS all", "+9.0 [−2.0, 16.0] incl. 0\nzh +12.0, es +6.0", "–"]]
    assert "zh 8" in page.get_by_role("img").get_attribute("aria-label")


def test_models_are_chosen_by_name_and_the_address_tells_them(open_page, site):
    page = compare(open_page, site, "#a=m0&b=m1")
    page.get_by_label("B", exact=True).fill("good without 9 neurons of zh")
    page.get_by_label("B", exact=True).press("Tab")
    assert page.url.endswith("#a=m0&b=m0-masked")
    assert rows_of(page)[0][:2] == ["English", "75.0"]
    page.get_by_role("button", name="Swap").click()
    assert rows_of(page)[0][5] == "B is better"
    page.go_back()
    page.wait_for_function("location.hash.endsWith('b=m0-masked')")
    assert rows_of(page)[0][5] == "A is better"


def test_a_name_that_no_model_has_is_told(open_page, site):
    page = compare(open_page, site, "#a=m0&b=m1")
    page.get_by_label("A", exact=True).fill("nobody")
    page.get_by_label("A", exact=True).press("Enter")
    assert "No model is called “nobody”" in page.get_by_role("status").text_content()
    assert len(rows_of(page)) == 3


def test_one_model_asked_in_two_ways_is_compared_where_documents_agree(open_page, site):
    page = compare(open_page, site, "#a=m0&b=m0")
    rows = rows_of(page)
    assert [row[0] for row in rows] == ["English"]
    assert rows[0][4] == interval(GOOD, POOR)
    assert "A: as the task says; B: chat template; 2 shots" in page.locator("#tables .caption").text_content()
    assert "Their prompts differ" in page.locator("#tables .caption").text_content()


def test_two_models_without_a_common_benchmark_say_so_or_are_compared_across_prompts(open_page, site):
    page = compare(open_page, site, "#a=m1&b=m2")
    assert "Their prompts differ" in page.locator("#tables .caption").text_content()
    page.evaluate("location.hash = '#a=m2&b=m2'")
    page.get_by_text("A and B are the same;").wait_for()
    assert page.locator("table.differences").count() == 0


def test_tables_of_one_benchmark_are_told_apart_by_their_heads(open_page, tmp_path):
    rows = [made_up_row(0), made_up_row(1)]
    answered = {number: np.arange(40) < 10 + 10 * number for number in range(2)}
    ways = ("as the task says", "2 examples")
    contests = [contest([column("en", answered)], prompting=way, label="40 documents") for way in ways]
    other = contest([column("en", answered)], benchmark="mgsm")
    folder = write_pages(tmp_path / "ways", {"rows": rows, "contests": [*contests, other]})
    page = open_page(folder / "compare" / "index.html")
    heads = page.locator("#tables h2").all_inner_texts()
    assert heads == ["xquad · as the task says; 40 documents", "xquad · 2 examples; 40 documents", "mgsm"]
    labels = page.locator("#tables .scroll").evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    assert len(set(labels)) == 3


def test_models_of_different_benchmarks_are_not_compared(open_page, tmp_path):
    answered = np.arange(40) < 9
    contests = [contest([column("en", {row: answered})], benchmark=f"b{row}") for row in range(2)]
    folder = write_pages(tmp_path / "apart", {"rows": [made_up_row(0), made_up_row(1)], "contests": contests})
    page = open_page(folder / "compare" / "index.html")
    assert page.get_by_role("status").text_content().startswith("A and B are the same;")
    page.evaluate("location.hash = '#a=m0&b=m1'")
    page.get_by_text("No benchmark has scores of both").wait_for()


def test_rows_of_one_name_are_both_to_be_chosen(open_page, tmp_path):
    rows = [made_up_row(0, name="twin"), made_up_row(1, name="twin"), made_up_row(2, name="other")]
    answered = {number: np.arange(40) < 10 * number for number in range(3)}
    folder = write_pages(tmp_path / "twins", {"rows": rows, "contests": [contest([column("en", answered)])]})
    page = open_page(folder / "compare" / "index.html")
    assert len(set(page.locator("#rows option").evaluate_all("all => all.map(one => one.value)"))) == 3
    for slug, name in (("m0", "twin"), ("m1", "twin · m1")):
        page = open_page(folder / "compare" / "index.html")
        page.goto(f"{page.url}#a={slug}&b=m2")
        page.reload()
        assert page.get_by_label("A", exact=True).input_value() == name


def test_links_lead_back_and_to_the_models(open_page, site):
    page = compare(open_page, site, "#a=m0&b=m1")
    page.locator("#sides").get_by_role("link", name="poor").click()
    assert page.url.endswith("models/m1/index.html")
    page.go_back()
    page.locator("table.differences").first.get_by_role("link", name="Chinese").click()
    assert page.url.endswith("tasks/xquad/index.html")
    page.go_back()
    page.get_by_role("link", name="mwork leaderboard").click()
    assert page.url.split("#")[0] == (site / "index.html").as_uri()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
def test_axe_finds_nothing_serious_where_models_are_compared(assert_accessible, open_page, tmp_path, scheme, width):
    write_pages(tmp_path / "site", made_up_front(12))
    page = open_page(tmp_path / "site" / "index.html", width, color_scheme=scheme)
    page.get_by_role("link", name="Compare two models").click()
    page.locator("table.differences").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert_accessible(page)


def test_at_first_two_models_are_compared_that_can_be(open_page, site):
    page = compare(open_page, site)
    page.evaluate("location.hash = '#benchmark=xquad'")
    page.wait_for_function("location.hash === '#benchmark=xquad'")
    chosen = {page.get_by_label(side, exact=True).input_value() for side in "AB"}
    assert chosen == {"good", "poor"}
    assert rows_of(page)
