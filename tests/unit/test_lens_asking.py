"""What everything that shows a lens says of how the model was asked."""

import html
import io

import numpy as np
from rich.console import Console

from mwork_eval.analysis.lens_file import LensReport, lens_file, read_lens, write_lens
from mwork_eval.analysis.shares import Curves
from mwork_eval.application.lens_results import LensResults
from mwork_eval.reports.html.lens import lens_parts
from mwork_eval.statistics.resampling import Estimate
from mwork_eval.terminal.lens import print_lens


def test_tables_and_page_of_a_lens_say_how_the_model_was_asked(tmp_path):
    share = [Estimate(0.5, 0.4, 0.6, 0.1)] * 2
    curves = Curves("zh", None, ("english", "query"), [share] * 2, np.ones((2, 2)), None, 3)
    about = {"method": "tokens", "model": "m"}
    said = "Prompts: plain texts; system instruction 'S' (8de0b3c4). Model arguments: max_length=64."
    for more, asked in (({}, ""), ({"prompting": {"system_instruction": "S"}, "model_args": {"max_length": 64}}, said)):
        write_lens(LensReport(about | more, [curves]), tmp_path)
        report = read_lens(lens_file(tmp_path, "tokens"))
        assert report.about == about | more
        (part,) = lens_parts(tmp_path)
        assert part["asked"] == asked
        console = Console(width=200, record=True, file=io.StringIO())
        print_lens(report, console)
        assert (said in console.export_text()) == bool(more)
        assert (said in html.unescape(LensResults(report.about, report.curves)._repr_html_())) == bool(more)
