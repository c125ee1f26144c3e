"""How files write a text: as it is, and as JSON, HTML, LaTeX and Markdown have it."""

import json
from collections.abc import Sequence

from markupsafe import escape as in_html

from mwork_eval.reports.formats import latex
from mwork_eval.reports.html.environment import embedded_json, shown_short
from mwork_eval.reports.markdown_text import escape as in_markdown


def written(text: str) -> Sequence[str]:
    """Return the forms in which reports, results and descriptions write a text; for every text in the same order."""
    plain = [text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]]
    pages = [str(in_html(one)) for one in (*plain, shown_short(text))]
    return [
        *plain,
        *pages,
        str(embedded_json(text))[1:-1],
        latex.escape(text),
        in_markdown(text),
        in_markdown(text, everywhere=True),
    ]
