"""What is recognised, checked and sent, and what is not."""

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.leaderboard_folders import make_results_file
from helpers.published import FINGERPRINT, write_matrix, write_sets
from helpers.recorded_tables import recorded
from helpers.report_folders import HOSTILE

from mwork_eval.application.report import write_reports
from mwork_eval.errors import InputError
from mwork_eval.publishing.base_model import Weights, base_model_of, one_model
from mwork_eval.publishing.contents import Contents, read_contents
from mwork_eval.publishing.recognition import recognise


def contents_of(*given: str | Path, **options: Any) -> Contents:
    found = [one for path in given for one in recognise(path)]
    return read_contents(found, advance=lambda label, amount: None, **options)


def test_a_folder_of_sets_goes_along_with_its_scores(tmp_path: Path) -> None:
    folder = write_sets(tmp_path / "sets")
    recorded("zh", 1).save(folder / "scores" / "zh.safetensors")
    write_sets(folder / "draws" / "1")
    (folder / "notes.txt").write_text("mine")
    (folder / ".hidden.safetensors").write_text("half")
    (folder / "scores" / "es.partial.safetensors").write_text("half")
    found = contents_of(folder)
    sets = {"neurons/es.safetensors", "neurons/zh.safetensors"}
    assert found.files.keys() == {*sets, "scores/zh.safetensors"}
    assert {path.relative_to(folder).as_posix() for path in found.left_out} == {
        "draws/1/es.safetensors",
        "draws/1/zh.safetensors",
        "notes.txt",
    }
    assert contents_of(folder, with_scores=False).files.keys() == sets


def test_several_folders_of_sets_keep_their_names_and_one_does_not(tmp_path: Path) -> None:
    one, two = write_sets(tmp_path / "one"), write_sets(tmp_path / "two")
    assert contents_of(one, two).files.keys() == {
        f"neurons/{folder}/{name}.safetensors" for folder in ("one", "two") for name in ("es", "zh")
    }
    assert contents_of(two / "zh.safetensors").files.keys() == {"neurons/zh.safetensors"}
    with pytest.raises(InputError, match=r"two files would be neurons/zh\.safetensors"):
        contents_of(one / "zh.safetensors", two / "zh.safetensors")


def test_a_shipped_name_is_its_sets() -> None:
    assert contents_of("gemma3-270m/zh").files.keys() == {"neurons/zh.safetensors"}
    assert len(contents_of("gemma3-270m").sets[""]) == 5


def test_a_results_folder_goes_whole_and_alone(tmp_path: Path) -> None:
    folder = write_matrix(tmp_path / "o")
    for name in (".manifest.json.lock", "cells/0.lock", "cells/.0.jsonl.half", "secret.txt", "report.md"):
        (folder / name).write_text("x")
    found = contents_of(folder)
    names = {path.removeprefix("results/o/") for path in found.files}
    assert {"manifest.json", "report.md", "cells/0.jsonl", "neurons/zh.safetensors"} <= names
    assert not [name for name in names if "lock" in name or "/." in name or "secret" in name]
    assert found.left_out == [folder / "secret.txt"]
    assert [score.task for score in found.matrices[0].scores] == ["xquad_en", "xquad_zh", "xquad_es"]


def test_a_link_out_of_a_folder_and_pictures_of_the_users_stay_behind(tmp_path: Path) -> None:
    folder = write_matrix(tmp_path / "o")
    (tmp_path / "secret.txt").write_text("mine")
    (folder / "report.md").symlink_to(tmp_path / "secret.txt")
    for name in ("neurons.png", "changes-mine-xquad.svg", "holiday.png"):
        (folder / name).write_bytes(b"picture")
    found = contents_of(folder)
    assert "results/o/report.md" not in found.files
    assert {name for name in found.files if name.endswith(("png", "svg"))} == {
        "results/o/neurons.png",
        "results/o/changes-mine-xquad.svg",
    }
    assert found.left_out == [folder / "holiday.png", folder / "report.md"]


def test_a_folder_of_lm_eval_is_named_after_the_model_alone(tmp_path: Path) -> None:
    folder = write_matrix(tmp_path / "o")
    for number, name in enumerate(("__home__me__tiny", ".__models__tiny", "org__tiny")):
        file = make_results_file(folder / "lm-eval" / f"no-mask-{number}" / name, {"xquad_zh": 0.5}, model="org/tiny")
        assert file.is_file()
    found = {path.rsplit("/", 1)[0] for path in contents_of(folder).files if "/lm-eval/" in path}
    assert found == {
        "results/o/lm-eval/no-mask-0/tiny",
        "results/o/lm-eval/no-mask-1/tiny",
        "results/o/lm-eval/no-mask-2/org__tiny",
    }


def test_figures_of_a_report_go_along(tmp_path: Path) -> None:
    folder = write_matrix(tmp_path / "o")
    write_reports(folder, formats=("md",), figures=True)
    found = contents_of(folder)
    assert "results/o/figures/neurons.svg" in found.files
    assert found.left_out == []


def test_a_cell_that_no_table_has_is_checked_too(tmp_path: Path) -> None:
    folder = write_matrix(tmp_path / "o")
    (folder / "cells" / "old.jsonl").write_text("notes\n")
    with pytest.raises(InputError, match=r"old\.jsonl is damaged"):
        contents_of(folder)


def test_results_of_lm_eval_are_found_below_a_folder_with_their_samples(tmp_path: Path) -> None:
    path = make_results_file(tmp_path / "runs" / "plain" / "__srv__models__tiny", {"xquad_zh": 0.5}, model="org/tiny")
    found = contents_of(tmp_path / "runs")
    assert found.files == {f"results/runs/plain/tiny/{path.name}": path}
    assert contents_of(path).files.keys() == {f"results/tiny/{path.name}"}


@pytest.mark.parametrize("damage", ["set", "cell", "samples", "report"])
def test_what_is_damaged_is_refused(tmp_path: Path, damage: str) -> None:
    folder = write_matrix(tmp_path / "o", text=HOSTILE)
    (folder / "report.json").write_text(json.dumps({"digest": "0" * 64, "format": "mwork-report"}).replace(": ", ": "))
    target = {
        "set": folder / "neurons" / "zh.safetensors",
        "cell": folder / "cells" / "3.jsonl",
        "samples": folder / "cells" / "3.jsonl",
        "report": folder / "report.json",
    }[damage]
    if damage != "report":
        (folder / "report.json").unlink()
        content = bytearray(target.read_bytes())
        content[len(content) - 20 if damage == "samples" else 200] ^= 1
        target.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged|cannot be read|changed"):
        contents_of(folder)


def test_what_is_neither_sets_nor_results_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    with pytest.raises(InputError, match="holds nothing that can be published"):
        contents_of(tmp_path / "empty")
    with pytest.raises(InputError, match=r"model\.safetensors cannot be published"):
        contents_of(tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="no such file or folder"):
        contents_of(tmp_path / "nothing")


def test_everything_is_of_one_models_weights(tmp_path: Path) -> None:
    own, other = write_sets(tmp_path / "own"), write_sets(tmp_path / "other", fingerprint="e")
    one_model(contents_of(own, write_matrix(tmp_path / "o")).weights)
    with pytest.raises(InputError, match=r"a repository is of one model's weights; found .*own.*other"):
        one_model(contents_of(own, other).weights)


def test_what_does_not_say_its_weights_must_have_the_name_of_the_model(tmp_path: Path) -> None:
    known = Weights("sets", "org/tiny", FINGERPRINT)
    assert one_model([Weights("run", "/models/Tiny", None), known]) == known
    with pytest.raises(InputError, match=r"run is of another model; found org/large; expected results of org/tiny"):
        one_model([Weights("run", "org/large", None), known])
    default = Weights("sets", "gemma3-270m", FINGERPRINT)
    assert one_model([default, Weights("run", "google/gemma-3-270m", None)]) == default


def test_a_base_model_is_on_the_hub_or_a_folder_whose_card_tells_of_it(tmp_path: Path) -> None:
    def found(name: str, **given: str | None) -> tuple[str | None, str | None, str]:
        model = base_model_of(Weights("sets", name, "f"), **{"given": None, "license": None, **given})
        return model.hub, model.license, model.name

    assert found("gemma3-270m") == ("google/gemma-3-270m", "gemma", "gemma3-270m")
    assert found("org/tiny") == ("org/tiny", None, "org/tiny")
    assert found("org/tiny", license="mit") == ("org/tiny", "mit", "org/tiny")
    folder = tmp_path / "my-model"
    folder.mkdir()
    assert found(str(folder)) == (None, None, "my-model")
    assert found(str(folder), given="org/mine") == ("org/mine", None, "my-model")
    (folder / "README.md").write_text("---\nlicense: apache-2.0\nbase_model: org/large\n---\n# Mine\n")
    assert found(str(folder)) == (None, "apache-2.0", "my-model")
    assert base_model_of(Weights("sets", str(folder), "f"), given=None, license=None).derived_from == "org/large"
    with pytest.raises(InputError, match="unusable base model"):
        found("org/tiny", given="no id")
