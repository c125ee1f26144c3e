"""Matrices, sweeps and their folders with another pivot than English."""

import json

import pytest
from helpers.commands import invoke
from helpers.neuron_sets import STAGES, make
from helpers.task_scores import accuracy

import mwork_eval as mw
from mwork_eval.application.enhancement_results import mean_changes
from mwork_eval.application.matrix_arguments import find_sets, make_matrix_options
from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.errors import InputError
from mwork_eval.matrix.plan import Cell, Mask, plan_cells, plan_masks
from mwork_eval.matrix.settings import Preset, Setting
from mwork_eval.matrix.tuning import GridPoint, judge_grid
from mwork_eval.matrix.whole import plan_cross, plan_pairs
from mwork_eval.neurons.stages import POSITIONS, Stages
from mwork_eval.results.manifest import Manifest
from mwork_eval.results.store import load_manifest

LS = Setting(False, POSITIONS)
PRESET = Preset("p", None, "", "bpb", (LS,))
FAMILY = TaskFamily("bpb", ("zh", "en", "es"))
SETS = {"en": make(q0=[1, 2], up1=[2, 5]), "es": make(q0=[3], up3=[0, 1, 2])}


@pytest.fixture(scope="module")
def tiny(tiny_llama):
    model, tokenizer = mw.load_model(str(tiny_llama), device="cpu")
    return model, tokenizer


@pytest.fixture(scope="module")
def found(tiny):
    return mw.detect(*tiny, dict.fromkeys(("en", "zh", "es"), "embedded"), max_docs=4, max_tokens=32, progress=False)


@pytest.fixture(scope="module")
def sets(found):
    return found.select(fraction=0.4, specific="pivot", pivot="zh")


@pytest.fixture(scope="module")
def folder(tiny, sets, tmp_path_factory):
    """A table with the pivot zh."""
    out = tmp_path_factory.mktemp("pivot") / "o"
    mw.ablate(*tiny, sets, pivot="zh", tasks="bpb", limit=4, data="embedded", seeds=[1], out=out, progress=False)
    return out


def where(cells: list[Cell]) -> list[tuple[str | None, str, str]]:
    return [(cell.mask and cell.mask.language, cell.language, cell.part) for cell in cells]


def test_every_mask_is_scored_on_its_own_language_and_on_the_pivot():
    masks = plan_masks(PRESET, SETS, STAGES, (), pivot="zh")
    assert where(list(plan_cells(masks, [FAMILY], "zh"))) == [
        (None, "zh", "cells"),
        (None, "en", "cells"),
        (None, "es", "cells"),
        ("en", "en", "cells"),
        ("en", "zh", "cells"),
        ("es", "es", "cells"),
        ("es", "zh", "cells"),
    ]
    assert where(list(plan_cross(masks, [FAMILY]))) == [("en", "es", "cross"), ("es", "en", "cross")]
    (mask,) = masks["es"]
    sized = Mask(mask.setting, "es", None, mask.neurons, count=2, pivot="zh")
    assert where(list(plan_pairs({"es": [sized]}, [FAMILY]))) == [("es", "es", "dose"), ("es", "zh", "dose")]


def test_a_matrix_from_python(folder, tiny, sets):
    assert set(sets) == {"en", "es"}
    manifest = load_manifest(folder)
    assert (manifest.pivot, manifest.languages) == ("zh", ("zh", "en", "es"))
    assert {(cell.mask_language, cell.language) for cell in manifest.cells} == {
        (None, "zh"), (None, "en"), (None, "es"), ("en", "en"), ("en", "zh"), ("es", "es"), ("es", "zh"),
    }  # fmt: skip
    table = mw.read_results(folder).table()
    assert (table.pivot, table.languages) == ("zh", ("en", "es"))
    row = next(row for row in table.rows if not row.random)
    scores = {
        (cell.setting, cell.mask_language, cell.language): score.score
        for cell in manifest.cells
        if (score := mw.read_results(folder).results.scores[cell.identity]) is not None and cell.seed is None
    }
    # bits per byte: lower is better, so a fall counts as a gain
    changes = {
        (mask, language): scores[None, None, language] - scores[row.name, mask, language]
        for mask in ("en", "es")
        for language in (mask, "zh")
    }
    of_pivot = (changes["en", "zh"] + changes["es", "zh"]) / 2
    of_others = (changes["en", "en"] + changes["es", "es"]) / 2
    assert row.delta.delta_eng.value == pytest.approx(of_pivot)
    assert row.delta.delta_non_eng.value == pytest.approx(of_others)
    assert row.delta.delta.value == pytest.approx(of_pivot - of_others)
    assert "∆zh" in repr(table)
    again = {"preset": "understanding", "tasks": "bpb", "limit": 4, "data": "embedded", "seeds": [1]}
    with pytest.raises(InputError, match="holds the tables existence, which were made otherwise; found pivot zh; exp"):
        mw.ablate(*tiny, sets, **again, languages="en,es", force=True, out=folder, progress=False)


def test_a_folder_with_english_says_nothing_of_a_pivot(tiny, found, tmp_path):
    english = found.select(fraction=0.4)
    mw.ablate(*tiny, english, tasks="bpb", limit=2, data="embedded", seeds=[1], out=tmp_path / "o", progress=False)
    values = json.loads((tmp_path / "o" / "manifest.json").read_text(encoding="utf-8"))
    assert "pivot" not in values
    assert load_manifest(tmp_path / "o").pivot == "en" == Manifest.model_fields["pivot"].default


def test_sets_of_another_pivot_are_refused_before_anything_is_computed(tiny, sets, found, tmp_path):
    common = {"tasks": "bpb", "limit": 2, "data": "embedded", "seeds": [1], "progress": False}
    with pytest.raises(InputError, match="the set of es lacks neurons of English, and ∆ compares with Chinese; found"):
        mw.ablate(*tiny, {"es": found.select(fraction=0.4)["es"]}, pivot="zh", **common)
    with pytest.raises(InputError, match="the set of es lacks neurons of Chinese, and ∆ compares with English; found"):
        mw.ablate(*tiny, {"es": sets["es"]}, **common)
    with pytest.raises(InputError, match="the set of en lacks neurons of Chinese, and ∆ compares with Spanish"):
        mw.tune_layers(*tiny, sets, task="bpb", language="en", limit=2, pivot="es", data="embedded", progress=False)


def test_a_sets_language_is_no_pivot():
    assert find_sets(SETS, None, "zh") == (SETS, ["zh", "en", "es"])
    assert find_sets({**SETS, "zh": SETS["en"]}, None, "zh") == (SETS, ["zh", "en", "es"])
    with pytest.raises(InputError, match="compared with es, whose own neurons stay; found a set of es alone"):
        find_sets({"es": SETS["es"]}, None, "es")
    with pytest.raises(InputError, match="∆ compares Chinese with other languages; found en,es; expected zh and at"):
        find_sets(SETS, ["en", "es"], "zh")
    with pytest.raises(InputError, match="languages without a neuron set; found de"):
        find_sets(SETS, ["zh", "de"], "zh")


def test_a_benchmark_must_have_the_pivot():
    options = make_matrix_options("existence", languages=["th", "en", "zh"], tasks="xcsqa", pivot="th")
    with pytest.raises(InputError, match="xcsqa has no th, which the others are compared with; found `pivot=th`"):
        options.families(options.presets[0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--pivot", "nothing"), "unknown language"),
        (("--pivot", "fr", "--languages", "en,zh"), "∆ compares French with other languages; found en,zh; expected fr"),
        (("--pivot", "zh", "--languages", "zh"), "expected zh and at least one other language"),
        (("--pivot", "zh", "--languages", "zh,es"), "the set of es lacks neurons of English, and ∆ compares with Chi"),
    ],
)
def test_bad_pivots_end_in_a_line(tmp_path, arguments, said):
    result = invoke(
        "ablate", "--model", tmp_path / "nowhere", "--neurons", "gemma3-270m", "--preset", "existence",
        "--tasks", "bpb", "--data", "embedded", "--out", tmp_path / "o", *arguments, code=2,
    )  # fmt: skip
    assert said in result.output.replace("\n", " ")
    assert not (tmp_path / "o").exists()


def test_tuning_compares_with_the_pivot():
    points = [GridPoint(Stages(4, n, 1), 2, SETS["es"], 2) for n in (1, 2)]
    baseline = {"zh": accuracy(1, 1, 1, 1), "es": accuracy(1, 1, 1, 1)}
    masked = {
        (1, 1): {"zh": accuracy(1, 1, 1, 0), "es": accuracy(0, 0, 1, 1)},  # -25 + 50
        (2, 1): {"zh": accuracy(1, 1, 1, 1), "es": accuracy(0, 1, 1, 1)},  # 0 + 25
    }
    tuning = judge_grid(points, baseline, masked, task="xquad", positions=("under",), pivot="zh")
    assert (tuning.language, tuning.pivot) == ("es", "zh")
    assert [round(one.delta.value) for one in tuning.deltas.values()] == [25, 25]
    assert tuning.tuned_on["pivot"] == "zh"
    swapped = {point: {{"zh": "en"}.get(c, c): s for c, s in scores.items()} for point, scores in masked.items()}
    english = judge_grid(
        points, {"en": baseline["zh"], "es": baseline["es"]}, swapped, task="xquad", positions=("under",)
    )
    assert {at: one.delta for at, one in english.deltas.items()} == {at: one.delta for at, one in tuning.deltas.items()}
    assert "pivot" not in english.tuned_on


def test_tuning_by_hand_in_a_folder(tiny, sets, tmp_path):
    common = {"task": "bpb", "language": "es", "limit": 2, "data": "embedded", "pivot": "zh", "progress": False}
    grid = {"understanding": [1], "generation": [1]}
    tuned = mw.tune_layers(*tiny, sets, out=tmp_path / "o", **common, **grid)
    assert set(tuned.tuning.baseline) == {"zh", "es"}
    said = json.loads((tmp_path / "o" / "tuning.json").read_text(encoding="utf-8"))
    assert said["pivot"] == "zh"
    assert {"delta_zh", "delta_non_zh"} <= said["grid"][0]["delta"].keys()
    with pytest.raises(InputError, match="∆ compares a language with Chinese; found `language=zh`"):
        mw.tune_layers(*tiny, sets, **{**common, "language": "zh"})


def test_everything_in_one_go(tiny_llama, tmp_path):
    invoke(
        "run", "--model", tiny_llama, "--device", "cpu", "--languages", "en,zh,es", "--pivot", "zh",
        "--fraction", 0.4, "--max-docs", 4, "--max-tokens", 32, "--preset", "existence", "--tasks", "bpb", "--limit", 2,
        "--seeds", 1, "--out", tmp_path / "o",
    )  # fmt: skip
    assert sorted(path.stem for path in (tmp_path / "o" / "neurons").glob("*.safetensors")) == ["en", "es"]
    assert load_manifest(tmp_path / "o").pivot == "zh"
    assert "| ∆zh | ∆n-zh |" in (tmp_path / "o" / "report.md").read_text(encoding="utf-8")


def test_an_enhancement_scores_the_pivot_and_its_folder_keeps_it(tiny, sets, tmp_path):
    texts = [f"Hoy es el día {n}, hace buen tiempo y vamos juntos a la escuela." for n in range(36)]
    made = mw.enhance(
        *tiny, sets["es"], texts, documents=(4,), trained_controls=1, tasks="bpb", languages="es,en", limit=2,
        data="embedded", pivot="zh", out=tmp_path / "o", progress=False,
    )  # fmt: skip
    (table,) = made.tables
    heads = [(column.languages, column.against) for column in table.columns]
    assert heads == [(("es",), None), (("zh",), None), (("en",), None), (("es",), "zh")]
    said = json.loads((tmp_path / "o" / "improvement.json").read_text(encoding="utf-8"))
    assert said["pivot"] == made.about["pivot"] == "zh"
    (mean,) = mean_changes([tmp_path / "o"]).tables
    assert [(column.languages, column.against) for column in mean.columns] == [*heads[:2], heads[3]]
    assert mean.columns[2].effects[0].specific.mean.value == pytest.approx(
        table.columns[3].effects[0].specific.mean.value
    )
