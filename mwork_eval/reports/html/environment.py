"""What all pages share: templates that escape, and the style and scripts they may use, each with its hash."""

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mwork_eval.results.sample_text import shorten

HERE = "mwork_eval.reports.html"
_NAME_LENGTH = 120


def page_environment(*packages: str) -> Environment:
    """Return our templates and those of packages; they escape every text and fail on a name that is not given."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, ".") for package in (*packages, HERE)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"json": embedded_json, "short": shown_short}
    return environment


@cache
def assets(*scripts: tuple[str, str], styles: tuple[tuple[str, str], ...] = ()) -> dict[str, Any]:
    """Return the style and the script of a page with the hashes that its content security policy allows.

    Args:
        *scripts: Packages and names of files; the theme button and sortable tables come first by themselves.
        styles: Packages and names of files that come after the style all pages share.
    """
    script = "\n".join(_source(package, name) for package, name in ((HERE, "page.js"), *scripts))
    style = "\n".join(_source(package, name) for package, name in ((HERE, "style.css"), *styles))
    return {
        "script": Markup(script),
        "script_hash": _hash(script),
        "style": Markup(style),
        "style_hash": _hash(style),
    }


def shown_short(text: object) -> str:
    """Return a name as pages show it: with its middle left out if it is very long."""
    return shorten(str(text), _NAME_LENGTH)


def embedded_json(value: Any) -> Markup:
    """Return JSON for a script element of the page: no sign in it can end the element or begin another."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).replace("<", "\\u003c")
    return Markup(text.encode("utf-8", "replace").decode())


def _source(package: str, name: str) -> str:
    return (files(package) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return what a content security policy calls a script or style by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
