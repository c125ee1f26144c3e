"""Which cells squares and dose curves add to those of the tables, and how many draws they have."""

from dataclasses import replace

import pytest
from helpers.matrix_plans import planned
from helpers.neuron_sets import ES, SHAPE, STAGES, ZH

from mwork_eval.benchmarks.rows import BENCHMARKS, draws_of
from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.errors import InputError
from mwork_eval.matrix.identity import ModelFacts
from mwork_eval.matrix.manifest import record_matrix
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.plan import plan_cells, plan_masks
from mwork_eval.matrix.presets import find_preset
from mwork_eval.matrix.whole import check_counts, dose_masks, plan_cross, plan_pairs
from mwork_eval.results.manifest import PARTS
from mwork_eval.results.store import load_manifest

SETS = {"zh": ZH, "es": ES}
EXISTENCE = find_preset("existence")
ALL = TaskFamily("bpb", ("en", "zh", "es"))


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
        plan = planned(cells, masks, options)
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
    more = {name: row.draws for name, row in BENCHMARKS.items() if row.draws != draws_of(["any_other"])}
    assert more == {"bpb": 20}
    assert option.help.endswith("[default: 1 to 20 for bpb, else to 3]")
    assert draws_of(["any_other"]) == 3
