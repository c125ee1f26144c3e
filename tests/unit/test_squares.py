"""Squares and dose curves: which cells, what numbers, which intervals, and how reports show them."""

import csv
import io
import json
from dataclasses import replace
from importlib.resources import files

import jsonschema
import numpy as np
import pytest
from rich.console import Console
from square_folders import COUNTS, LANGUAGES, LS, MASKS, SEEDS, R, damage_of, make_square_folder, score
from test_ablation import ES, ZH
from test_neuron_set import SHAPE, STAGES

from mwork_eval.benchmarks.rows import BENCHMARKS, draws_of
from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.errors import InputError
from mwork_eval.matrix.cell_plan import TaskSource
from mwork_eval.matrix.identity import ModelFacts
from mwork_eval.matrix.manifest import record_matrix
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.plan import plan_cells, plan_masks
from mwork_eval.matrix.planning import MatrixPlan
from mwork_eval.matrix.presets import find_preset
from mwork_eval.matrix.whole import check_counts, dose_masks, plan_cross, plan_pairs
from mwork_eval.reports import square_wording
from mwork_eval.reports.formats.csv import as_csv
from mwork_eval.reports.formats.json import as_json
from mwork_eval.reports.formats.latex import as_latex
from mwork_eval.reports.formats.markdown import as_markdown
from mwork_eval.reports.html.page import as_html
from mwork_eval.results.cross import cross_effects
from mwork_eval.results.doses import read_doses
from mwork_eval.results.manifest import PARTS
from mwork_eval.results.scale import Scale
from mwork_eval.results.squares import read_squares
from mwork_eval.results.store import load_manifest
from mwork_eval.results.tables import read_results
from mwork_eval.terminal.matrix import print_results

SETS = {"zh": ZH, "es": ES}
EXISTENCE = find_preset("existence")
ALL = TaskFamily("bpb", ("en", "zh", "es"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_square_folder(tmp_path_factory.mktemp("square") / "o")


@pytest.fixture(scope="module")
def results(folder):
    return read_results(folder)


@pytest.fixture(scope="module")
def square(results):
    (found,) = read_squares(results)
    return found


@pytest.fixture(scope="module")
def dose(results):
    (found,) = read_doses(results)
    return found


def places(cells):
    return [(c.mask.setting.name, c.mask.language, c.mask.seed, c.task) for c in cells]


def test_a_square_adds_only_what_the_tables_lack():
    masks = plan_masks(EXISTENCE, SETS, STAGES, seeds=(1, 2))
    ordinary = [cell for cell in plan_cells(masks, [ALL]) if cell.mask is not None]
    cross = list(plan_cross(masks, [ALL]))
    both = places(ordinary) + places(cross)
    wanted = [
        (setting, mask, seed, f"bpb_{language}")
        for setting, seeds in (("LS all", (None,)), ("R all", (1, 2)))
        for seed in seeds
        for mask in SETS
        for language in ALL.languages
    ]
    assert sorted(both, key=str) == sorted(wanted, key=str)
    assert {cell.part for cell in ordinary} == {"cells"}
    assert {cell.part for cell in cross} == {"cross"}
    # What a table deactivates is the very mask that is tried on the others, so that cells are shared by identity.
    assert {id(cell.mask) for cell in cross} == {id(cell.mask) for cell in ordinary}
    assert next(cell.label for cell in cross) == "LS all · zh · bpb_es"


def test_a_language_that_a_benchmark_lacks_has_no_place_in_the_square():
    masks = plan_masks(EXISTENCE, SETS, STAGES, seeds=(1,))
    assert list(plan_cross(masks, [TaskFamily("x", ("en", "zh"), ("es",))])) == []
    with_russian = TaskFamily("x", ("en", "zh", "ru"), ("es",))
    assert {(c.mask.language, c.language) for c in plan_cross(masks, [with_russian])} == {("zh", "ru")}


def test_doses_take_the_strongest_neurons_and_as_many_random_ones():
    masks = dose_masks(EXISTENCE, SETS, STAGES, (1, 2), (1, 3))
    assert [(m.count, m.setting.name, m.seed) for m in masks["zh"]] == [
        *((1, "R all", 1), (1, "R all", 2), (1, "LS all", None)),
        *((3, "R all", 1), (3, "R all", 2), (3, "LS all", None)),
    ]
    assert [mask.neurons for mask in masks["zh"] if not mask.setting.random] == [ZH.strongest(1), ZH.strongest(3)]
    assert all(len(mask.neurons) == mask.count for of_language in masks.values() for mask in of_language)
    cells = list(plan_pairs(masks, [ALL]))
    assert len(cells) == 2 * 2 * 3 * 2  # languages, counts, masks, own and English documents
    assert {cell.part for cell in cells} == {"dose"}
    assert cells[0].label == "LS all 1 neurons · zh · bpb_zh"


def test_a_dose_of_the_tables_own_number_is_the_tables_mask():
    table = plan_masks(EXISTENCE, {"es": ES}, STAGES, (1,))["es"]
    same = dose_masks(EXISTENCE, {"es": ES}, STAGES, (1,), (len(ES),))["es"]
    assert [mask.neurons.digest_unordered for mask in same] == [mask.neurons.digest_unordered for mask in table]


def test_more_neurons_than_a_set_has_are_named_before_anything_loads():
    options = MatrixOptions((EXISTENCE,), ("bpb",), ("en", "zh", "es"), counts=(3, len(ES) + 1))
    with pytest.raises(
        InputError, match=rf"than es has .* found {len(ES) + 1}; expected at most {len(ES)}; .*`fraction`"
    ):
        check_counts(SETS, options)
    stages = {"understanding_layers": STAGES.understanding, "generation_layers": STAGES.generation}
    rows = MatrixOptions((find_preset("understanding"),), ("bpb",), ("en", "zh", "es"), counts=(2,), **stages)
    with pytest.raises(InputError, match=r"than es has for LS gen of understanding; found 2; expected at most 1"):
        check_counts(SETS, rows)


def test_the_squares_and_doses_of_other_tables_stay_in_the_manifest(tmp_path):
    masks = plan_masks(EXISTENCE, SETS, STAGES, seeds=(1,))
    cells = [*plan_cells(masks, [ALL]), *plan_cross(masks, [ALL])]
    cells += plan_pairs(dose_masks(EXISTENCE, SETS, STAGES, (1,), (1,)), [ALL])
    facts = ModelFacts("m", "i", "f", "float32", SHAPE)

    def record(preset):
        options = MatrixOptions((preset,), ("bpb",), ("en", "zh", "es"), seeds=(1,), cross=True, counts=(1,))
        plan = MatrixPlan(
            cells=cells,
            identities=[f"{number}" for number in range(len(cells))],
            source=TaskSource((), None, None),
            tasks={},
            stages=STAGES,
            masks={preset.name: masks},
            families=options.families(preset),
            presets=[preset.name] * len(cells),
        )
        record_matrix(tmp_path, facts, SETS, options, plan)
        return load_manifest(tmp_path)

    first = record(EXISTENCE)
    assert (len(first.cells), len(first.cross), len(first.dose)) == (3 + 8, 4, 8)
    assert {entry.count for entry in first.dose} == {1}
    assert first.presets[0].seeds == {"bpb": (1,)}
    both = record(replace(EXISTENCE, name="mine"))
    for part in PARTS:
        assert tuple(e for e in both.part(part) if e.preset == "existence") == first.part(part)
        assert len(both.part(part)) == 2 * len(first.part(part))


def test_cheap_benchmarks_have_more_draws_unless_seeds_are_given():
    languages, tasks = ("en", "zh", "es"), ("xquad", "bpb", "bpb_{l}", "other_{l}")
    families = MatrixOptions((EXISTENCE,), tasks, languages).families(EXISTENCE)
    assert [len(family.seeds) for family in families] == [3, 20, 20, 3]
    assert families[1].seeds == tuple(range(1, 21))
    given = MatrixOptions((EXISTENCE,), tasks, languages, seeds=(7,)).families(EXISTENCE)
    assert [family.seeds for family in given] == [(7,)] * 4
    masks = plan_masks(EXISTENCE, SETS, STAGES, seeds=families[1].seeds)
    drawn = {name: set() for name in tasks}
    for cell in plan_cells(masks, families):
        if cell.mask is not None and cell.mask.setting.random:
            drawn[cell.family.name].add(cell.mask.seed)
    assert {name: len(seeds) for name, seeds in drawn.items()} == dict(zip(tasks, (3, 20, 20, 3), strict=True))


def test_the_help_of_seeds_says_the_default():
    from mwork_eval.cli.ablate import ablate

    (option,) = [parameter for parameter in ablate.params if parameter.name == "seeds"]
    more = {name: row.draws for name, row in BENCHMARKS.items() if row.draws != draws_of("any_other")}
    assert more == {"bpb": 20}
    assert option.help.endswith("[default: 1 to 20 for bpb, else to 3]")
    assert draws_of("any_other") == 3


def expected_changes(setting, seeds):
    """Changes the slow way: sums of bits and bytes, one mask, seed and language at a time."""
    found = {}
    for mask in MASKS:
        for language in LANGUAGES:
            changes = []
            for seed in seeds:
                scores = [score(language, d) for d in (0.0, damage_of(setting, mask, seed, language))]
                before, after = (sum(bits for bits, _ in s.documents) / sum(b for _, b in s.documents) for s in scores)
                changes.append(before - after)  # fewer bits are better
            found[mask, language] = changes
    return found


def expected_specificity(changes, mask, seed):
    others = [changes[mask, language][seed] for language in LANGUAGES if language != mask]
    return sum(others) / len(others) - changes[mask, mask][seed]


def test_changes_and_specificity_are_those_of_a_slow_computation(square):
    changes = expected_changes(LS, (None,))
    for (mask, language), (value,) in changes.items():
        assert square.effects.changes[mask][language].value == pytest.approx(value)
    specificity = [expected_specificity(changes, mask, 0) for mask in MASKS]
    assert [square.effects.specificity[mask].value for mask in MASKS] == pytest.approx(specificity)
    assert square.effects.mean_specificity.value == pytest.approx(sum(specificity) / len(specificity))
    assert min(specificity) > 0.3  # damage to itself counts as positive
    assert (square.masks, square.languages, square.unit) == (MASKS, LANGUAGES, "bits per byte")


def test_random_controls_are_compared_one_by_one(square):
    changes = expected_changes(R, SEEDS)
    for mask in MASKS:
        for language in LANGUAGES:
            mean = sum(changes[mask, language]) / len(SEEDS)
            assert square.random.changes[mask][language].value == pytest.approx(mean)
    for language in LANGUAGES:
        single = [value for mask in MASKS for value in changes[mask, language]]
        spread = square.spread.changes[language]
        assert (spread.mean, spread.low, spread.high) == pytest.approx((np.mean(single), min(single), max(single)))
    specific = [expected_specificity(changes, mask, seed) for mask in MASKS for seed in range(len(SEEDS))]
    assert square.spread.specificity.low == pytest.approx(min(specific))
    assert square.spread.specificity.high == pytest.approx(max(specific))
    assert square.spread.draws == len(SEEDS)


def damaged(noise, clusters=None):
    """Scores of two languages under one mask; texts are hit alike in both, but for noise."""
    baseline = {language: score(language, 0.0, 40, noise) for language in ("en", "zh")}
    after = {language: score(language, 0.5, 40, noise) for language in ("en", "zh")}
    if clusters is not None:
        for scores in (baseline, after):
            for language, one in scores.items():
                keys = tuple(clusters(language, number) for number in range(40))
                scores[language] = type(one)(**{**vars(one), "clusters": keys})
    return cross_effects(baseline, {"zh": {k: [v] for k, v in after.items()}}, Scale.of(baseline["en"]))


def width(estimate):
    return estimate.high - estimate.low


def test_parallel_texts_are_drawn_together():
    together = damaged(0.02)
    apart = damaged(0.02, lambda language, number: f"{language} {number}")
    # Texts are hit alike in both languages: drawn together that cancels in the difference, drawn apart it does not.
    assert width(together.mean_specificity) < 0.5 * width(apart.mean_specificity)
    assert width(together.changes["zh"]["en"]) == pytest.approx(width(apart.changes["zh"]["en"]), rel=0.15)
    for effects in (together, apart):
        assert effects.specificity["zh"] == effects.mean_specificity  # there is one mask
        change = effects.changes["zh"]["zh"]
        assert change.low < change.value < change.high < 0


def test_questions_about_one_paragraph_are_drawn_together():
    # Ten neighbours each: what is left are four independent observations.
    few = damaged(0.02, lambda language, number: f"paragraph {number // 10}")
    many = damaged(0.02)
    assert width(few.changes["zh"]["zh"]) > 1.1 * width(many.changes["zh"]["zh"])


def test_dose_curves_are_those_of_a_slow_computation(dose):
    def change(setting, mask, seed, language, count):
        scores = [score(language, d) for d in (0.0, damage_of(setting, mask, seed, language) * count / 100)]
        before, after = (sum(bits for bits, _ in s.documents) / sum(b for _, b in s.documents) for s in scores)
        return before - after

    assert [(p.language, p.count) for p in dose.points[: len(MASKS) + 1]] == [(m, 10) for m in (None, *MASKS)]
    for point in dose.points:
        masks = MASKS if point.language is None else (point.language,)
        own = np.mean([change(LS, mask, None, mask, point.count) for mask in masks])
        english = np.mean([change(LS, mask, None, "en", point.count) for mask in masks])
        assert (point.own.value, point.english.value) == pytest.approx((own, english))
        assert point.delta.value == pytest.approx(english - own)
        by_seed = [
            np.mean([change(R, m, s, "en", point.count) - change(R, m, s, m, point.count) for m in masks])
            for s in SEEDS
        ]
        band = point.control.delta
        assert (band.low, band.high, point.control.draws) == pytest.approx((min(by_seed), max(by_seed), len(SEEDS)))
    assert [p.count for p in dose.curve("zh")] == list(COUNTS)


def test_tables_are_shown_while_the_rest_is_missing(tmp_path, results):
    found = read_results(make_square_folder(tmp_path, without="LS all"))
    assert found.tables == results.tables
    assert list(read_squares(found)) == []
    assert found.unfinished == len(MASKS) * 2
    without_control = read_results(make_square_folder(tmp_path / "r", without="R all"))
    (square,) = read_squares(without_control)
    assert square.random is None
    assert square.spread is None
    assert [row.name for row in square_wording.rows(square, intervals=False)] == [*MASKS, "mean"]
    assert "andom" not in square_wording.notes(square)
    assert as_html(without_control).count('class="damage frame"') == len(MASKS)


def test_json_follows_its_schema(results):
    schema = json.loads((files("mwork_eval.reports") / "report.schema.json").read_text())
    report = json.loads(as_json(results))
    jsonschema.Draft202012Validator(schema).validate(report)
    (square,), (dose,) = report["squares"], report["doses"]
    assert set(square["effects"]["changes"]["zh"]) == set(LANGUAGES)
    assert len(dose["points"]) == len(COUNTS) * (len(MASKS) + 1)
    assert {cell["neurons"] for cell in report["cells"]} == {None, *COUNTS}
    assert len(report["cells"]) == len(LANGUAGES) + len(MASKS) * 4 * (len(LANGUAGES) + 2 * len(COUNTS))


def test_csv_has_every_number_with_its_interval(results, square, dose):
    rows = list(csv.DictReader(io.StringIO(as_csv(results))))

    def one(**wanted):
        (row,) = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
        return tuple(float(row[key]) for key in ("value", "low", "high"))

    change = square.effects.changes["zh"]["es"]
    found = one(quantity="cross_change", setting="LS all", mask_language="zh", language="es")
    assert found == pytest.approx((change.value, change.low, change.high))
    mean = square.effects.mean_specificity
    found = one(quantity="specificity", setting="LS all", mask_language="")
    assert found == pytest.approx((mean.value, mean.low, mean.high))
    spread = square.spread.changes["es"]
    found = one(quantity="cross_change_range", setting="R all", language="es")
    assert found == pytest.approx((spread.mean, spread.low, spread.high))
    point = dose.curve("de")[1]
    found = one(quantity="dose_delta", mask_language="de", neurons="30")
    assert found == pytest.approx((point.delta.value, point.delta.low, point.delta.high))
    found = one(quantity="dose_delta_range", setting="R all", mask_language="de", neurons="30")
    assert found[1:] == pytest.approx((point.control.delta.low, point.control.delta.high))


def test_texts_show_the_square_and_the_curves(results, square):
    own = square.effects.changes["zh"]["zh"].value
    markdown, latex = as_markdown(results), as_latex(results)
    assert "## existence on bpb: every mask on every language, LS all" in markdown
    assert f"**{own:+.3f} [" in markdown
    assert "| mask | en | zh | es | de | specificity |" in markdown
    assert "| zh | 30 |" in markdown
    assert f"\\textbf{{{own:+.3f}}}" in latex
    assert r"\label{tab:cross-existence-bpb-LS-all}" in latex
    assert r"\label{tab:dose-existence-bpb-LS-all}" in latex
    console = Console(width=120, record=True, file=io.StringIO())
    print_results(results, console)
    said = console.export_text()
    assert f"{own:+.3f}" in said
    assert "random, range" in said
    assert "bpb (existence, LS all): on average a mask damages its own language more than the others" in flat(said)


def flat(text):
    return " ".join(text.split())


def test_the_page_draws_them(results, square):
    page = as_html(results)
    assert "<p>bpb (existence, LS all): on average a mask damages" in flat(page).partition("how sure")[0]
    assert page.count('class="damage frame"') == len(MASKS)
    assert page.count("dose-delta") > len(MASKS)
    assert "zh masked, es documents:" in page
    assert 'aria-label="LS all on bpb: change in bits per byte of every language under every mask"' in page
    assert '"nan"' not in page


def test_figures_are_files(results, tmp_path):
    pytest.importorskip("matplotlib")
    from mwork_eval.reports.files import write_report_figures

    names = {path.name for path in write_report_figures(results, ("svg",), tmp_path)}
    assert {"cross-existence-bpb-LS-all.svg", "dose-existence-bpb-LS-all.svg"} <= names
    drawn = (tmp_path / "cross-existence-bpb-LS-all.svg").read_text()
    (square,) = read_squares(results)
    for of_mask in square.effects.changes.values():
        assert all(f">{change.value:+.3f}<" in drawn for change in of_mask.values())
