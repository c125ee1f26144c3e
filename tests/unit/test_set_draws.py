"""Sets of random halves of the detection documents: which cells they make, what numbers, and how reports show it."""

import csv
import io
import json
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest
from helpers.matrix_plans import planned
from helpers.neuron_sets import ES, SHAPE, STAGES, ZH, make
from helpers.square_folders import LANGUAGES, LS, MASKS, damage_of, damage_of_draw, make_square_folder, score
from rich.console import Console

from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.errors import InputError
from mwork_eval.matrix.identity import ModelFacts
from mwork_eval.matrix.manifest import record_matrix
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.plan import plan_cells, plan_masks
from mwork_eval.matrix.presets import find_preset
from mwork_eval.matrix.whole import check_draws, draw_masks, plan_pairs
from mwork_eval.neurons.drawn_sets import find_drawn_sets, save_drawn_sets
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.reports.formats.csv import as_csv
from mwork_eval.reports.formats.json import as_json
from mwork_eval.reports.formats.latex import as_latex
from mwork_eval.reports.formats.markdown import as_markdown
from mwork_eval.reports.html.page import as_html
from mwork_eval.results.set_draws import read_set_draws
from mwork_eval.results.store import load_manifest
from mwork_eval.results.tables import read_results
from mwork_eval.terminal.matrix import print_results

SETS = {"zh": ZH, "es": ES}
EXISTENCE, UNDERSTANDING = find_preset("existence"), find_preset("understanding")
ALL = TaskFamily("bpb", ("en", "zh", "es"))
OTHER_ZH = make(q0=[1, 0], up1=[2, 5, 7], q3=[1], up3=[4, 5, 6, 7], v7=[2, 3], up7=[3, 4])
DRAWS = ({"zh": OTHER_ZH, "es": ES}, {"zh": ZH, "es": ES})
NUMBER = 4


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return read_results(make_square_folder(tmp_path_factory.mktemp("drawn") / "o", draws=NUMBER))


@pytest.fixture(scope="module")
def table(results):
    (found,) = read_set_draws(results)
    return found


def test_draws_deactivate_as_many_neurons_as_the_table_in_every_language_specific_row():
    masks = plan_masks(UNDERSTANDING, SETS, STAGES, seeds=(1, 2))
    drawn = draw_masks(masks, DRAWS, STAGES)
    specific = [mask for mask in masks["zh"] if not mask.setting.random]
    assert len(specific) > 1
    assert [(m.setting, m.draw, m.seed) for m in drawn["zh"]] == [
        (m.setting, d, None) for m in specific for d in (1, 2)
    ]
    for language, of_language in drawn.items():
        for mask in of_language:
            at = DRAWS[mask.draw - 1][language].at(STAGES, mask.setting.positions)
            assert mask.neurons == at.strongest(len(masks[language][0].neurons))
    cells = list(plan_pairs(drawn, [ALL]))
    assert {cell.part for cell in cells} == {"draws"}
    wanted = {(m, row.setting.name, d, lang) for m in SETS for row in specific for d in (1, 2) for lang in (m, "en")}
    assert {(c.mask.language, c.mask.setting.name, c.mask.draw, c.language) for c in cells} == wanted
    assert len(cells) == len(wanted)
    assert list(plan_pairs(drawn, [TaskFamily("x", ("en", "es"), ("zh",))])) == [
        replace(c, family=TaskFamily("x", ("en", "es"), ("zh",))) for c in cells if c.mask.language == "es"
    ]
    assert cells[0].label == f"{specific[0].setting.name} set draw 1 · zh · bpb_zh"


def test_a_draw_of_the_same_neurons_shares_the_tables_cells():
    masks = plan_masks(EXISTENCE, SETS, STAGES, seeds=(1,))
    first, second = draw_masks(masks, DRAWS, STAGES)["zh"]
    (whole,) = (mask for mask in masks["zh"] if not mask.setting.random)
    assert second.neurons.digest_unordered == whole.neurons.digest_unordered != first.neurons.digest_unordered


def test_a_draw_of_few_neurons_deactivates_all_and_one_of_none_is_named_before_anything_loads():
    few, none = make(q0=[1, 2], up1=[2], q3=[4], up3=[0, 1, 2], v7=[1]), make(q0=[1], q3=[4])
    stages = {"understanding_layers": STAGES.understanding, "generation_layers": STAGES.generation}
    (whole,) = plan_masks(EXISTENCE, {"zh": ZH}, STAGES, seeds=())["zh"][-1:]
    (fewer,) = draw_masks({"zh": [whole]}, [{"zh": few}], STAGES)["zh"]
    assert fewer.neurons == few
    assert len(few) < len(whole.neurons)
    drawn = (*DRAWS, {"zh": few, "es": ES})
    rows = MatrixOptions((UNDERSTANDING,), ("bpb",), ("en", "zh", "es"), set_draws=drawn, **stages)
    check_draws(SETS, rows)
    with pytest.raises(InputError, match=r"draw 3 of the documents has no neuron of zh for LS gen; found .*`fraction`"):
        check_draws(SETS, replace(rows, set_draws=(*DRAWS, {"zh": none, "es": ES})))


def described(neurons, **more):
    return neurons.described(fingerprint="f", corpus={"digest": "c"}, selection={"fraction": 0.1}, **more)


def test_drawn_sets_lie_beside_the_sets_and_belong_to_them(tmp_path):
    sets = {language: described(neurons) for language, neurons in SETS.items()}
    for language, neurons in sets.items():
        save_neuron_set(neurons, tmp_path / f"{language}.safetensors")
    hint = r"make both with `detect\(set_draws=2, out=FOLDER\)`"
    with pytest.raises(InputError, match=rf"no zh, es in .*draws/1; expected 2 draws; {hint}"):
        find_drawn_sets(str(tmp_path), sets, 2)
    draws = [{code: described(n, set_draw={"draw": d}) for code, n in of.items()} for d, of in enumerate(DRAWS, 1)]
    assert save_drawn_sets(draws, tmp_path) == tmp_path / "draws"
    found = find_drawn_sets(str(tmp_path), sets, 2)
    assert [list(of_draw) for of_draw in found] == [["zh", "es"]] * 2
    assert found[0]["zh"] == OTHER_ZH
    assert found[1]["zh"].about["set_draw"] == {"draw": 2}
    with pytest.raises(InputError, match=r"no zh, es in .*draws/3; expected 3 draws"):
        find_drawn_sets(str(tmp_path), sets, 3)
    anew = sets | {"es": sets["es"].described(selection={"fraction": 0.2})}
    with pytest.raises(InputError, match=r"2?/es.safetensors is no draw of the set es .*found another selection"):
        find_drawn_sets(str(tmp_path), anew, 2)


def test_the_manifest_says_the_draw_and_what_it_shares_with_the_table(tmp_path):
    masks = plan_masks(EXISTENCE, SETS, STAGES, seeds=(1,))
    cells = [*plan_cells(masks, [ALL]), *plan_pairs(draw_masks(masks, DRAWS, STAGES), [ALL])]
    options = MatrixOptions((EXISTENCE,), ("bpb",), ("en", "zh", "es"), seeds=(1,), set_draws=DRAWS)
    plan = planned(cells, masks, options)
    record_matrix(tmp_path, ModelFacts("m", "i", "f", "float32", SHAPE), SETS, options, plan)
    manifest = load_manifest(tmp_path)
    assert (len(manifest.cells), len(manifest.draws)) == (3 + 8, 8)
    assert [(e.mask_language, e.draw, e.language) for e in manifest.draws] == [
        (mask, draw, language) for mask in SETS for draw in (1, 2) for language in (mask, "en")
    ]
    first, whole = (
        {(place, index) for *place, members in neurons.switches() for index in members for place in [tuple(place)]}
        for neurons in (OTHER_ZH.strongest(len(ZH)), ZH)
    )
    jaccard = len(first & whole) / len(first | whole)
    assert 0 < jaccard < 1
    assert manifest.presets[0].draw_overlaps == {"LS all": {"zh": (pytest.approx(jaccard), 1.0), "es": (1.0, 1.0)}}


def slow_delta(damage):
    """∆ the slow way: sums of bits and bytes, one mask and language at a time."""
    deltas = []
    for mask in MASKS:
        changes = {}
        for language in (mask, "en"):
            before, after = (score(language, d) for d in (0.0, damage(mask, language)))
            bits = [sum(b for b, _ in s.documents) / sum(n for _, n in s.documents) for s in (before, after)]
            changes[language] = bits[0] - bits[1]  # fewer bits are better
        deltas.append(changes["en"] - changes[mask])
    return sum(deltas) / len(deltas)


def slow_numbers(draws):
    whole = slow_delta(lambda mask, language: damage_of(LS, mask, None, language))
    deltas = [slow_delta(lambda mask, language, d=d: damage_of_draw(mask, d, language)) for d in draws]
    squares = 0.0
    for delta in deltas:
        squares += (delta - whole) ** 2
    return whole, deltas, (squares / len(deltas)) ** 0.5


def test_numbers_are_those_of_a_slow_computation(table):
    whole, deltas, error = slow_numbers(range(1, NUMBER + 1))
    (row,) = table.rows
    assert (row.setting, table.task, table.unit, table.languages) == ("LS all", "bpb", "bits per byte", MASKS)
    assert row.delta.value == pytest.approx(whole)
    assert row.sets.by_draw == pytest.approx(deltas)
    assert (row.sets.spread.low, row.sets.spread.high) == pytest.approx((min(deltas), max(deltas)))
    assert row.sets.standard_error == pytest.approx(error)
    assert error > 0.01
    overlaps = [0.5 + 0.1 * place / draw for place in range(len(MASKS)) for draw in range(1, NUMBER + 1)]
    assert row.overlap == pytest.approx(sum(overlaps) / len(overlaps))


def test_only_draws_that_are_computed_count(tmp_path):
    found = read_results(make_square_folder(tmp_path, draws=3, later=2))
    _, deltas, error = slow_numbers((1, 3))
    ((row,),) = (table.rows for table in read_set_draws(found))
    assert row.sets.by_draw == pytest.approx(deltas)
    assert row.sets.standard_error == pytest.approx(error)
    assert row.overlap == pytest.approx(sum(0.5 + 0.1 * p / d for p in range(len(MASKS)) for d in (1, 3)) / 6)
    assert found.unfinished == len(MASKS) * 2
    assert list(read_set_draws(read_results(make_square_folder(tmp_path / "none")))) == []


def test_json_and_csv_have_every_number(results, table):
    schema = json.loads((files("mwork_eval.reports") / "report.schema.json").read_text())
    report = json.loads(as_json(results))
    jsonschema.Draft202012Validator(schema).validate(report)
    (row,) = table.rows
    ((shown,),) = (draws["rows"] for draws in report["set_draws"])
    assert shown["sets"]["standard_error"] == row.sets.standard_error
    assert shown["sets"]["by_draw"] == list(row.sets.by_draw)
    cells = [cell for cell in report["cells"] if cell["draw"] is not None]
    assert {(c["mask_language"], c["draw"], c["language"]) for c in cells} == {
        (mask, draw, language) for mask in MASKS for draw in range(1, NUMBER + 1) for language in (mask, LANGUAGES[0])
    }
    rows = list(csv.DictReader(io.StringIO(as_csv(results))))
    one = {r["quantity"]: r for r in rows if "set" in r["quantity"]}
    spread = row.sets.spread
    assert [float(one["delta_of_set_draws"][k]) for k in ("value", "low", "high")] == [
        spread.mean,
        spread.low,
        spread.high,
    ]
    assert float(one["standard_error_over_sets"]["value"]) == row.sets.standard_error
    assert (one["set_draws"]["value"], one["set_draws"]["unit"]) == (str(NUMBER), "draws")
    assert float(one["set_overlap"]["value"]) == row.overlap
    assert {r["setting"] for r in one.values()} == {"LS all"}
    assert sum(r["quantity"] == "score" and r["draw"] == "2" for r in rows) == 2 * len(MASKS)


def test_texts_show_the_spread_and_say_that_intervals_lack_it(results, table):
    (row,) = table.rows
    spread = row.sets.spread
    console = Console(width=120, record=True, file=io.StringIO())
    print_results(results, console)
    said = " ".join(console.export_text().split())
    cells = [f"{row.sets.standard_error:.3f}", f"{spread.low:+.3f}..{spread.high:+.3f}", str(NUMBER)]
    assert " ".join([*cells, f"{100 * row.overlap:.0f} %"]) in said
    title = "existence on bpb: ∆ by the documents that the neurons were detected in"
    limits = "Intervals and p-values are for the sets detected: they do not contain this spread."
    assert title in said
    assert limits in said
    markdown, latex, page = as_markdown(results), as_latex(results), as_html(results)
    assert f"## {title}" in markdown
    assert f"| {' | '.join(cells)} |" in markdown
    assert "LS all, set draw 2" in markdown
    assert r"\label{tab:draws-existence-bpb}" in latex
    assert " & ".join(cells) in latex
    assert title in page
    assert all(limits in text for text in (markdown, latex, page))
    assert all(f">{cell}<" in page for cell in cells[:2])
