"""The style and the scripts of a page, and the hashes that let it use them."""

import base64
import hashlib
from importlib.resources import files

import pytest

from mwork_eval.reports.html.environment import HERE, assets


def read(name):
    return (files(HERE) / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("styles", [(), ((HERE, "base.html"),), ((HERE, "base.html"), (HERE, "lens.html"))])
def test_a_pages_own_styles_come_after_the_shared_one_and_the_hash_is_over_all(styles):
    made = assets((HERE, "answers.js"), styles=styles)
    assert made["style"] == "\n".join([read("style.css"), *(read(name) for _, name in styles)])
    assert made["script"] == read("page.js") + "\n" + read("answers.js")
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(made[kind].encode()).digest()).decode()
        assert made[f"{kind}_hash"] == f"sha256-{digest}"
