"""The manifest of a results folder: its bytes, what it refuses, and what no damage to it may do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.earlier_files import without_digests
from helpers.gate_folders import EN, ES, ZH, answers, check, make_results
from helpers.manifests import edited_manifest
from helpers.matrix_plans import planned
from helpers.neuron_sets import ES as ES_SET
from helpers.neuron_sets import SHAPE, STAGES, make
from helpers.neuron_sets import ZH as ZH_SET
from helpers.report_folders import make_folder
from helpers.square_folders import make_square_folder

from mwork_eval.benchmarks.task_family import TaskFamily
from mwork_eval.errors import InputError
from mwork_eval.gate.reading import read_snapshot
from mwork_eval.matrix import manifest as recording
from mwork_eval.matrix.identity import ModelFacts
from mwork_eval.matrix.options import MatrixOptions
from mwork_eval.matrix.plan import plan_cells, plan_masks
from mwork_eval.matrix.presets import find_preset
from mwork_eval.matrix.whole import dose_masks, draw_masks, plan_cross, plan_pairs
from mwork_eval.reports.formats.json import as_json
from mwork_eval.reports.formats.lm_eval import write_lm_eval_folders
from mwork_eval.reports.html.page import as_html
from mwork_eval.results.manifest import Manifest
from mwork_eval.results.store import load_manifest, save_manifest
from mwork_eval.results.summaries.matrix import read_matrix
from mwork_eval.results.tables import read_results

GOLDEN = Path(__file__).parents[1] / "data" / "manifest_v1.json"
NEWER = ("cross", "dose", "draws", "model_identity", "order", "requests")
NEWER_OF_PRESETS = ("limit", "order", "seeds", "controls", "shared_hits", "draw_overlaps")


def test_a_manifest_is_written_as_it_was_read(tmp_path):
    manifest = Manifest.read(GOLDEN)
    assert (manifest.model, manifest.stages, manifest.order) == ("org/modèle 模型", STAGES, "even")
    assert [preset.name for preset in manifest.presets] == ["existence", "mine"]
    assert {len(manifest.part(part)) for part in ("cells", "cross", "dose", "draws")} == {30, 12, 24, 16}
    assert manifest.presets[1].draw_overlaps["LS all"]["es"] == (1.0, 1.0)
    save_manifest(tmp_path, manifest)
    assert json.loads(without_digests(tmp_path / "manifest.json")) == json.loads(GOLDEN.read_bytes())


def test_a_matrix_makes_the_manifest_that_earlier_versions_made(tmp_path, monkeypatch):
    versions = Manifest.read(GOLDEN).versions
    monkeypatch.setattr(recording, "software_versions", lambda: versions)
    other = make(q0=[1, 0], up1=[2, 5, 7], q3=[1], up3=[4, 5, 6, 7], v7=[2, 3], up7=[3, 4])
    sets = {"zh": ZH_SET.described(corpus={"name": "语料"}), "es": ES_SET}
    draws, family = ({"zh": other, "es": ES_SET}, {"zh": ZH_SET, "es": ES_SET}), TaskFamily("bpb", ("en", "zh", "es"))
    existence = find_preset("existence")
    for preset in (existence, existence.__class__("mine", None, existence.ability, "bpb", existence.settings)):
        masks = plan_masks(preset, sets, STAGES, seeds=(1, 2))
        cells = [*plan_cells(masks, [family]), *plan_cross(masks, [family])]
        cells += plan_pairs(dose_masks(preset, sets, STAGES, (1, 2), (1,)), [family])
        cells += plan_pairs(draw_masks(masks, draws, STAGES), [family])
        more = {"seeds": (1, 2), "limit": 8, "cross": True, "counts": (1,), "set_draws": draws}
        options = MatrixOptions((preset,), ("bpb",), ("en", "zh", "es", "fr"), **more)
        tasks = {f"bpb_{language}": _Requests for language in ("en", "zh", "es")}
        plan = planned(cells, masks, options, tasks=tasks, name=f"{preset.name}-")
        facts = ModelFacts("org/modèle 模型", "identity", "fingerprint", "torch.float32", SHAPE)
        recording.record_matrix(tmp_path, facts, sets, options, plan)
    assert json.loads(without_digests(tmp_path / "manifest.json")) == json.loads(GOLDEN.read_bytes())


class _Requests:
    digest, requests = "é 文 digest", 8


def test_a_manifest_of_the_first_version_is_read_and_gains_nothing(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_bytes(GOLDEN.read_bytes())
    with edited_manifest(tmp_path) as content:
        for name in NEWER:
            del content[name]
        for preset in content["presets"]:
            for name in NEWER_OF_PRESETS:
                del preset[name]
    manifest = load_manifest(tmp_path)
    assert (manifest.draws, manifest.order, manifest.presets[0].seeds) == ((), None, ())
    assert manifest.to_values() == json.loads(path.read_bytes())
    # Presets of a while after it named the seeds of all benchmarks together; newer versions may say more.
    with edited_manifest(tmp_path) as content:
        content["presets"][0]["seeds"] = [1, 2]
        content["presets"][0]["later"] = content["later"] = {"x": [None]}
    assert load_manifest(tmp_path).presets[0].seeds == (1, 2)
    assert load_manifest(tmp_path).to_values() == json.loads(path.read_bytes())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["cells"][3].pop("language"), "found cells.3.language: Field required; run `ablate(repair=True)`"),
        (lambda m: m.update(limit="8"), "found limit: Input should be a valid integer"),
        (lambda m: m["sets"]["zh"].update(total=None), "found sets.zh.total: Input should be a valid integer"),
        (lambda m: m["stages"].update(generation=40), "found stage boundaries do not fit the model; found 2"),
        (lambda m: m["presets"][0]["counts"].pop("zh"), "found presets.0.shared_hits: zh without a number of neurons"),
        (lambda m: m["presets"][1].update(name="yours"), "found cells.15: no preset mine or no task bpb"),
        (lambda m: m["cells"][4].update(setting="LS gen"), "found cells.4: existence has no setting LS gen"),
        (lambda m: m["dose"][2].pop("count"), "found dose.2: no count"),
        (lambda m: m["draws"][0].update(draw=3), "found draws.0: no overlap of draw 3"),
        (lambda m: m["cells"].pop(1), "no cell of bpb zh without a mask"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(change, message, tmp_path):
    (tmp_path / "manifest.json").write_bytes(GOLDEN.read_bytes())
    with edited_manifest(tmp_path) as content:
        change(content)
    with pytest.raises(InputError) as error:
        load_manifest(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'manifest.json'} is damaged; found ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        (
            {"seed": 2, "mask_language": "zh"},
            "cells of mine on xquad are not those of whole rows; found zh 1, es 2; zh 1",
        ),
        (
            {"setting": "R under", "mask_language": "es"},
            "are not those of whole rows; found zh 2; zh 1, es 1; zh 1, es 1",
        ),
        ({"task": "xquad", "language": "en", "setting": None}, "no cell of xquad en without a mask"),
    ],
)
def test_rows_of_which_cells_are_missing_are_not_averaged(left_out, message, tmp_path):
    folder = make_folder(tmp_path)
    with edited_manifest(folder) as content:
        content["cells"] = [cell for cell in content["cells"] if not left_out.items() <= cell.items()]
    with pytest.raises(InputError, match=message):
        read_results(folder)


def test_a_mask_without_its_english_cell_makes_no_row(tmp_path):
    folder = make_folder(tmp_path)
    left_out = {"setting": "LS gen", "mask_language": "es", "language": "en"}
    with edited_manifest(folder) as content:
        content["cells"] = [cell for cell in content["cells"] if not left_out.items() <= cell.items()]
    (table,) = read_results(folder).tables
    assert [row.name for row in table.rows if row.delta is None] == ["LS gen"]


# Damage of any kind is an error of one line, or does not matter.


def damaged(content: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield a manifest once for each of its keys without it, and with a value of another type; of lists the ends."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield (*place, key), {k: v for k, v in content.items() if k != key}
            for other in (None if value is not None else 7, [] if isinstance(value, dict | str | int) else "x"):
                yield (*place, key, other), {**content, key: other}
            for where, changed in damaged(value, (*place, key)):
                yield where, {**content, key: changed}
    elif isinstance(content, list):
        for number in sorted({0, len(content) // 2, len(content) - 1} & set(range(len(content)))):
            yield (*place, number), content[:number] + content[number + 1 :]
            for where, changed in damaged(content[number], (*place, number)):
                yield where, [*content[:number], changed, *content[number + 1 :]]


def read_by_reports(folder: Path) -> None:
    results = read_results(folder)
    as_html(results)
    write_lm_eval_folders(results, folder / "lm-eval")


def read_squares_and_the_like(folder: Path) -> None:
    as_json(read_results(folder))


def read_by_the_gate(folder: Path) -> None:
    read_snapshot(folder)
    check(folder, folder)


def masked(count: int) -> dict:
    rows = [("LS all", None), ("R all", 1), ("R all", 2)]
    return {
        (setting, mask, seed, language): answers(count, 5)
        for setting, seed in rows
        for mask in ("zh", "es")
        for language in (mask, "en")
    }


@pytest.mark.parametrize(
    ("make_it", "read"),
    [
        (lambda folder: make_folder(folder, documents=3), read_by_reports),
        (lambda folder: make_square_folder(folder, draws=2), read_squares_and_the_like),
        (lambda folder: make_folder(folder, documents=5), read_matrix),
        (
            lambda folder: make_results(
                folder, dict.fromkeys((EN, ZH, ES), answers(8, 6)), masked=masked(8), sets={"zh": 1}
            ),
            read_by_the_gate,
        ),
    ],
    ids=["report", "squares", "leaderboard", "gate"],
)
def test_no_damage_to_a_manifest_gives_a_traceback(make_it, read, tmp_path):
    folder = make_it(tmp_path / "o")
    path = folder / "manifest.json"
    tuned = {"stages": {"understanding": 1, "generation": 1, "tuned_on": {"task": "xquad", "documents": 4}}}
    with edited_manifest(folder) as content:
        content["presets"][0] |= {"shared_hits": {"zh": {"R all": [1, None]}}, "order": "even", "controls": "any"}
        content |= {"requests": {"xquad_en": {"digest": "d", "count": 3}}, "model_identity": "i", "order": 3}
        for of_language in content["sets"].values():
            of_language["about"] = tuned
    read(folder)
    refusals, read_anyway = [], 0
    for place, changed in damaged(json.loads(path.read_text())):
        if read is read_squares_and_the_like and place[0] not in ("presets", "cells", "cross", "dose", "draws"):
            continue
        path.write_text(json.dumps(changed))
        try:
            read(folder)
            read_anyway += 1
        except InputError as error:
            refusals.append(str(error))
        except Exception as error:
            pytest.fail(f"{place}: {type(error).__name__} {error}")
    assert len(refusals) > 100
    assert not [refusal for refusal in refusals if "\n" in refusal]
    assert read_anyway > 5
