"""A ranked table of more rows than a browser lays out at once."""

import pytest
from helpers.front_pages import made_up_front, write_pages

pytestmark = [pytest.mark.browser, pytest.mark.slow]
pytest_plugins = ["helpers.browser_fixtures"]

RANKED = '#board[data-ranked="true"]'


def test_ranks_of_many_models_fill_in_while_the_table_is_used(open_page, tmp_path):
    page = open_page(write_pages(tmp_path / "site", made_up_front(250)) / "index.html")
    page.get_by_label("Search").fill("model-002")
    assert page.locator("#ranked tbody tr:visible").count() == 10
    page.locator(RANKED).wait_for()
    ranges = page.locator("#ranked tbody tr:visible > .rank").all_inner_texts()
    assert "…" not in ranges
    assert "ranks among" in page.locator(".count").text_content()


def test_a_long_table_shows_its_first_rows_and_the_others_when_asked(open_page, tmp_path):
    page = open_page(write_pages(tmp_path / "site", made_up_front(250)) / "index.html")
    page.locator(RANKED).wait_for()
    rows = page.locator("#ranked tbody tr")
    assert rows.count() == 100
    page.get_by_role("button", name="Show the other 150 rows").press("Enter")
    assert rows.count() == 250
    assert page.evaluate("document.activeElement.closest('tr').rowIndex") == 101
    assert not page.locator("#more").is_visible()
    assert "…" not in rows.last.inner_text()


def test_one_row_more_is_counted_as_one(open_page, tmp_path):
    page = open_page(write_pages(tmp_path / "site", made_up_front(101)) / "index.html")
    page.locator(RANKED).wait_for()
    page.get_by_role("button", name="Show the other row", exact=True).click()
    assert page.locator("#ranked tbody tr").count() == 101
