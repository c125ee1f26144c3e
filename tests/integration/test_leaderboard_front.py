"""The ranked table of the leaderboard's first page in a browser."""

import numpy as np
import pytest
from helpers.front_pages import column, contest, made_up_front, made_up_row, write_pages

pytestmark = [pytest.mark.browser, pytest.mark.slow]
pytest_plugins = ["helpers.browser_fixtures"]


def answers(right: int, documents: int = 40) -> np.ndarray:
    return np.arange(documents) < right


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    """Four models and a masked one: best and second are alike, zh turns them round, one has no zh."""
    rows = [
        made_up_row(0, name="good", layers={"zh": [1, 5, 2], "en": [0, 0, 9]}),
        made_up_row(1, name="fair"),
        made_up_row(2, name="poor"),
        made_up_row(3, name="english only"),
        made_up_row(0, name="good", mask="9 neurons of zh"),
    ]
    english = column("en", {0: answers(34), 1: answers(33), 2: answers(5), 3: answers(20), 4: answers(1)})
    chinese = column("zh", {0: answers(12), 1: answers(39), 2: answers(6), 4: answers(5)})
    change = {"label": "LS all", "pivot": "en", "unit": "points"}
    change["values"] = [
        [0, {"zh": 10.0, "es": 8.0}, 9.0, 2.0, 16.0, 0.0, -9.0],
        [1, {"zh": -1.0}, 1.0, -3.0, 5.0, 0.0, -1.0],
    ]
    front = {
        "rows": rows,
        "contests": [
            contest([english, chinese], label="40 documents", changes=[change]),
            contest([column("en", {0: answers(3), 1: answers(9)})], benchmark="mgsm", href="tasks/mgsm/index.html"),
        ],
    }
    return write_pages(tmp_path_factory.mktemp("four"), front)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return write_pages(tmp_path_factory.mktemp("many"), made_up_front(40))


@pytest.fixture
def page(open_page, four):
    return open_page(four / "index.html")


def ready(page):
    page.locator('#board[data-ranked="true"]').wait_for()
    return page


def shown(page, *columns: int) -> list[list[str]]:
    """Return the texts of some columns in all rows that are shown."""
    return [
        [row.locator("> *").nth(place).inner_text().strip() for place in columns]
        for row in ready(page).locator("#ranked tbody tr:visible").all()
    ]


def test_models_that_cannot_be_told_apart_share_their_ranks(page):
    page.get_by_label("Chinese").uncheck()
    assert shown(page, 0, 1) == [["1–2", "good"], ["1–2", "fair"], ["3", "english only"], ["4", "poor"]]
    assert page.locator(".count").text_content() == "4 of 5 rows; ranks among 4"


def test_ranks_are_over_the_languages_that_were_chosen(page):
    assert shown(page, 0, 1)[:3] == [["1", "fair"], ["2", "good"], ["3", "poor"]]
    page.get_by_label("English", exact=True).uncheck()
    assert shown(page, 0, 1, 4)[:2] == [["1", "fair", "97.5"], ["2", "good", "30.0"]]
    page.get_by_role("button", name="None").click()
    assert [row[0] for row in shown(page, 0)] == ["–"] * 4
    page.get_by_role("button", name="All", exact=True).click()
    assert page.get_by_label("English", exact=True).is_checked()


def test_a_model_without_one_of_the_languages_is_last_and_the_language_is_named(page):
    assert shown(page, 0, 1, 3)[-1] == ["–", "english only", "50.0 no zh"]


def test_masked_rows_are_ranked_on_request(page):
    page.get_by_label("also with neurons switched off").check()
    last_ranked = shown(page, 0, 1)[3]
    assert last_ranked[0].endswith("4")
    assert last_ranked[1].split() == ["good", "without", "9", "neurons", "of", "zh"]
    assert page.locator(".count").text_content() == "5 of 5 rows; ranks among 4"


def test_ties_of_a_row_are_marked_by_signs(page):
    page.get_by_label("Chinese").uncheck()
    assert [row[0] for row in shown(page, 2)] == ["●", "≈", "≠", "≠"]
    assert "cannot be told from good" in page.get_by_role("button", name="fair:").get_attribute("aria-label")
    page.get_by_role("button", name="poor:").press("Enter")
    assert [row[0] for row in shown(page, 2)] == ["≠", "≠", "≠", "●"]
    assert page.get_by_role("button", name="poor:").get_attribute("aria-pressed") == "true"
    assert "which you chose" in page.locator("#reference").text_content()


def test_a_model_that_is_told_from_all_others_is_said_to_be(page):
    ready(page)
    page.get_by_role("button", name="poor:").click()
    said = "All other ranked rows shown are told apart from poor, which you chose."
    assert page.locator("#reference").inner_text().startswith(said)
    page.get_by_label("Search").fill("poor")
    assert not page.locator("#reference").is_visible()
    page.get_by_label("Search").fill("oo")  # good and poor
    said = "The other ranked row shown is told apart from poor, which you chose."
    assert page.locator("#reference").inner_text().startswith(said)


def test_what_offers_no_choice_is_not_shown(page):
    ready(page)
    assert page.get_by_label("Benchmark").is_visible()
    assert page.get_by_label("Family").is_visible()
    for one in ("Asked", "Documents"):
        assert not page.get_by_label(one).is_visible()
    page.get_by_label("Benchmark").select_option("mgsm")
    ready(page)
    assert not page.get_by_role("group", name="Languages").is_visible()


def test_an_interval_that_includes_nothing_is_told(page):
    changes = {row[0]: row[1] for row in shown(page, 1, 6)}
    assert changes["good"] == "+9.0 [2.0, 16.0]"
    assert changes["fair"] == "+1.0 [−3.0, 5.0] incl. 0"
    cells = page.locator("#ranked tbody tr > :nth-child(7)")
    told = cells.evaluate_all("all => all.map(one => one.title)")
    assert sorted(filter(None, told)) == ["zh +10.0, es +8.0"]  # of one language there is nothing more to tell
    assert changes["poor"] == "–"


def test_neurons_by_layer_are_told_in_words(page):
    drawing = page.get_by_role("img", name="Neurons by layer")
    assert drawing.count() == 1
    assert "of 3 layers: en 9, most in layer 2; zh 8, most in layer 1" in drawing.get_attribute("aria-label")
    page.get_by_label("English", exact=True).uncheck()
    assert "layers: zh 8" in drawing.get_attribute("aria-label")


def test_every_column_sorts_with_what_is_missing_last(page):
    ready(page)
    for heading in ("Model", "Mean", "en", "zh", "∆ LS all"):
        button = page.locator("#ranked thead").get_by_role("button", name=heading, exact=True)
        button.click()
        head = page.locator("#ranked th[aria-sort]")
        assert head.count() == 1
        first = head.get_attribute("aria-sort")
        place = [one.strip() for one in page.locator("#ranked thead th").all_inner_texts()].index(heading)
        values = [row[0] for row in shown(page, place)]
        button.click()
        assert {first, head.get_attribute("aria-sort")} == {"ascending", "descending"}
        again = [row[0] for row in shown(page, place)]
        there = [value for value in values if value != "–" and "no zh" not in value]
        missing = values[len(there) :]
        assert again == there[::-1] + missing
        assert there == sorted(there, key=order, reverse=first == "descending")


def order(text: str):
    number = text.split()[0].replace("−", "-").replace("+", "")
    return (0, float(number), "") if number[-1].isdigit() else (1, 0.0, text)


def test_search_family_and_size_hide_rows_and_leave_ranks(page):
    whole = dict(shown(page, 1, 0))
    page.get_by_label("Search").fill("OO")
    assert dict(shown(page, 1, 0)) == {name: whole[name] for name in ("good", "poor")}
    page.get_by_label("Search").fill("")
    page.get_by_label("Family").select_option("llama")
    assert dict(shown(page, 1, 0)) == {"fair": whole["fair"]}
    page.get_by_label("Family").select_option("any")
    page.get_by_label("Size").select_option("4B to 15B")
    assert dict(shown(page, 1, 0)) == {"poor": whole["poor"]}
    assert page.locator(".count").text_content().startswith("1 of 5 rows")


def test_a_link_to_a_view_shows_it_again(open_page, page, four):
    page.get_by_label("English", exact=True).uncheck()
    page.get_by_label("also with neurons switched off").check()
    page.get_by_label("Search").fill("good")
    page.locator("#ranked thead").get_by_role("button", name="zh", exact=True).click()
    page.get_by_role("button", name="zh", exact=True).click()
    view, link = shown(page, 0, 1, 4), page.locator("#link").get_attribute("href")
    assert link == "#languages=zh&q=good&masked=1&sort=zh&dir=asc"
    assert page.url.endswith(link)
    other = open_page(four / "index.html")
    other.evaluate("hash => { location.hash = hash; }", link)
    other.get_by_label("English", exact=True).and_(other.locator(":not(:checked)")).wait_for()
    assert shown(other, 0, 1, 4) == view
    assert other.get_by_label("Search").input_value() == "good"


def test_back_and_forth_lead_through_the_views(page):
    before = shown(page, 0, 1)
    page.get_by_label("Chinese").uncheck()
    after = shown(page, 0, 1)
    assert after != before
    page.go_back()
    page.get_by_label("Chinese").and_(page.locator(":checked")).wait_for()
    assert shown(page, 0, 1) == before
    page.go_forward()
    page.get_by_label("Chinese").and_(page.locator(":not(:checked)")).wait_for()
    assert shown(page, 0, 1) == after


def test_what_a_link_says_and_the_board_does_not_know_is_ignored(page):
    before = shown(page, 0, 1)
    page.evaluate("location.hash = '#benchmark=none&languages=xx&sort=delta:none&size=giant&family=x&dir=up&view=3'")
    page.wait_for_function("location.hash.includes('giant')")
    assert shown(page, 0, 1) == before


def test_another_benchmark_can_be_chosen(page):
    page.get_by_label("Benchmark").select_option("mgsm")
    assert [row[1] for row in shown(page, 0, 1)] == ["fair", "good"]
    assert "benchmark=mgsm" in page.url


def test_the_link_can_be_copied_or_visited(page):
    page.get_by_role("button", name="Heat map").click()
    page.get_by_role("link", name="Link to this view").click()
    page.get_by_text("The link is copied").or_(page.get_by_text("The address bar has the link")).wait_for()
    assert page.url.endswith("#view=heat")


def test_the_heat_map_has_all_languages_and_keeps_filters_and_order(page):
    page.get_by_label("English", exact=True).uncheck()
    page.get_by_label("Search").fill("o")
    names = [row[0] for row in shown(page, 1)]
    page.get_by_role("button", name="Heat map").click()
    assert [row[0] for row in shown(page, 1)] == names
    heads = [text.strip() for text in page.locator("#ranked thead th").all_inner_texts()]
    assert heads == ["Rank", "Model", "en", "zh"]


CONTRAST = """cells => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((one) => {
      const share = one / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return cells.map((cell) => {
    const style = getComputedStyle(cell);
    const [dark, bright] = [light(style.backgroundColor), light(style.color)].sort((a, b) => a - b);
    return [style.backgroundColor, (bright + 0.05) / (dark + 0.05)];
  });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_stand_out_from_every_shade(open_page, many, scheme):
    page = open_page(many / "index.html", color_scheme=scheme)
    found = page.locator("#ranked td.shade").evaluate_all(CONTRAST)
    assert len({background for background, _ in found}) > 10
    assert min(contrast for _, contrast in found) >= 4.5


def test_numbers_lead_to_their_pages(page):
    row = ready(page).locator("#ranked tbody tr").first
    assert row.locator("td.shade a").first.get_attribute("href") == "tasks/xquad/index.html"
    assert row.locator("td", has_text="incl. 0").locator("a").get_attribute("href") == "models/m1/index.html"
    row.get_by_role("link", name="fair").click()
    assert page.url.endswith("models/m1/index.html")


def test_everything_can_be_done_with_the_keyboard_and_focus_is_seen(page):
    ready(page)
    reached, outlines = [], []
    page.keyboard.press("Tab")
    for _ in range(80):
        told = page.evaluate(
            """() => {
              const one = document.activeElement;
              const style = getComputedStyle(one);
              return [one === document.body ? null : one.textContent.trim() || one.dataset.state || one.value || one.id,
                      style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1];
            }"""
        )
        if told[0] is None:
            break
        reached.append(told[0])
        outlines.append(told[1])
        page.keyboard.press("Tab")
    else:
        pytest.fail(f"focus does not leave the page: {reached}")
    assert all(outlines)
    for expected in ("q", "masked", "zh", "Heat map", "Link to this view", "Compare two models", "Rank", "good", "≈"):
        assert any(expected in one for one in reached) or expected == "≈"
    page.locator('[value="zh"]').focus()
    page.keyboard.press("Space")
    assert [row[0] for row in shown(page, 0)][:2] == ["1–2", "1–2"]
    assert page.evaluate("document.activeElement.value") == "zh"
    page.locator("#ranked thead").get_by_role("button", name="Model").press("Space")
    assert [row[0] for row in shown(page, 1)] == ["english only", "fair", "good", "poor"]
    assert page.evaluate("document.activeElement.textContent") == "Model"
    page.get_by_role("button", name="Heat map").press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "Heat map"


@pytest.mark.parametrize("view", ["", "#view=heat", "#masked=1&sort=name"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
def test_axe_finds_nothing_serious_on_the_front_page(assert_accessible, open_page, many, view, scheme, width):
    page = open_page(many / "index.html", width, color_scheme=scheme)
    page.evaluate("hash => { location.hash = hash; }", view)
    ready(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert_accessible(page)


def test_without_javascript_the_page_leads_on(open_page, four):
    page = open_page(four / "index.html", java_script_enabled=False)
    assert "needs JavaScript" in page.locator("noscript p").inner_text()
    assert not page.locator("#board").is_visible()
    assert page.get_by_role("link", name="xquad").is_visible()


def test_answers_that_a_page_has_no_room_for_are_said_to_be_left_out(open_page, tmp_path):
    made = column("en", {0: answers(39), 1: answers(1)}, scores={})
    front = {"rows": [made_up_row(0), made_up_row(1)], "contests": [contest([made], unpaired=True)]}
    page = open_page(write_pages(tmp_path / "site", front) / "index.html")
    assert [row[0] for row in shown(page, 0)] == ["1", "2"]
    assert "their rows are compared by standard errors" in page.locator("#legend").inner_text()


def test_the_languages_chosen_at_first_are_those_that_rank_most_scores(open_page, tmp_path):
    rows = [made_up_row(number) for number in range(4)]
    english = column("en", {number: answers(10 * number) for number in range(4)})
    chinese = column("zh", {number: answers(9 * number) for number in range(4)})
    german = column("de", {0: answers(12)})
    front = {"rows": rows, "contests": [contest([german, english, chinese])]}
    page = open_page(write_pages(tmp_path / "site", front) / "index.html")
    chosen = page.locator(".choices input").evaluate_all("boxes => boxes.map(box => [box.value, box.checked])")
    assert chosen == [["de", False], ["en", True], ["zh", True]]
    assert page.get_by_label("Benchmark").is_visible()  # though it is the only one: nothing else names it
    assert page.locator("#link").get_attribute("href") == "#"
    page.get_by_role("button", name="All", exact=True).click()
    assert page.url.endswith("#languages=de,en,zh")
