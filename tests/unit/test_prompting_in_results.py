"""What gate and leaderboard make of scores that were asked for in different ways."""

import csv
import json

import pytest
import yaml
from helpers.gate_folders import EN, ZH, answers, check, make_lm_eval, make_results, problems
from helpers.leaderboard_folders import make_results_file
from helpers.manifests import edited_manifest

from mwork_eval.gate.check import check_folders
from mwork_eval.gate.limits import Limits
from mwork_eval.gate.reading import read_snapshot
from mwork_eval.gate.snapshot import write_baseline
from mwork_eval.leaderboard.board import build_board
from mwork_eval.leaderboard.exports import render_export
from mwork_eval.leaderboard.site import render_site
from mwork_eval.leaderboard.tables import SCORE_FIELDS
from mwork_eval.results.definition import definition_of
from mwork_eval.results.prompting_record import PromptingRecord, changed_prompting
from mwork_eval.results.summaries.folders import find_results, read_all

TEMPLATE = "{{ messages }}"
SHA = "1a1f24ec9bbc1c4c0c6b1a8a4bb8ef57e2f0fe58d7b39cd8b4a9a5d60ee1ab58"
RECORD = PromptingRecord(chat_template_sha=SHA, system_instruction="Be brief; please.", gen_kwargs={"top_k": 5})


def test_definitions_name_what_tells_scores_apart_and_nothing_else():
    def defined(kind, record=RECORD, shots=0):
        return definition_of({"output_type": kind}, 1.0, double_bos=False, prompting=record, shots=shots)

    assert defined("generate_until", None) == defined("generate_until", PromptingRecord()) == "version 1.0"
    choice = "version 1.0; chat template 1a1f24ec; system instruction 'Be brief, please.' (87a4834d)"
    assert defined("multiple_choice") == choice
    assert defined("generate_until") == f"{choice}; generation top_k=5"
    assert defined("multiple_choice", shots=2) == f"{choice}; examples in one turn"
    assert defined("multiple_choice", RECORD.model_copy(update={"fewshot_as_multiturn": True}), 2) == choice
    assert defined("loglikelihood_rolling") == "version 1.0"


def test_what_changed_is_named():
    one, other = "version 1; chat template aa; generation a=1", "version 1; chat template bb; generation a=1"
    assert changed_prompting(one, other) == ("chat template aa", "chat template bb")
    assert changed_prompting("version 1", other) == (
        "no chat template, no generation",
        "chat template bb, generation a=1",
    )
    assert changed_prompting(one, one) is None
    assert changed_prompting("version 1", "version 2; chat template bb") is None
    assert changed_prompting(None, one) is None


def asked(folder, **prompting):
    """Let a matrix say how it was asked."""
    with edited_manifest(folder) as manifest:
        manifest["prompting"] = prompting
    return folder


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ({}, {"system_instruction": "S"}, "found system instruction 'S' (8de0b3c4); expected no system instruction"),
        ({"gen_kwargs": {"top_k": 5}}, {}, "found no generation; expected generation top_k=5"),
        (
            {"chat_template": "a"},
            {"chat_template": "b"},
            "found chat template 3e23e816; expected chat template ca978112",
        ),
    ],
)
def test_another_prompting_cannot_be_compared(old, new, reason, tmp_path):
    folders = [
        asked(make_results(tmp_path / name, {ZH: answers(8, 4)}), **way) for name, way in (("old", old), ("new", new))
    ]
    assert problems(check(*folders)) == f"xquad_zh: another prompting; {reason}; score both in the same way"
    assert check(folders[0], folders[0]).exit_code == 0
    # A written baseline says the same.
    write_baseline(read_snapshot(folders[0]), tmp_path / "baseline")
    assert problems(check(tmp_path / "baseline", folders[1])).endswith(f"{reason}; score both in the same way")


def edit(folder, **parts):
    (path,) = folder.rglob("results_*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | parts))
    return folder


def test_results_of_lm_eval_say_how_models_were_asked(tmp_path):
    scores = {"xquad_zh": answers(8, 4)}
    plain, turned = make_lm_eval(tmp_path / "a", scores), make_lm_eval(tmp_path / "b", scores)
    edit(turned, chat_template=TEMPLATE, chat_template_sha=SHA, system_instruction=None, fewshot_as_multiturn=True)
    assert "another prompting; found chat template 1a1f24ec; expected no chat template" in problems(
        check(plain, turned)
    )
    examples = edit(make_lm_eval(tmp_path / "c", scores, prompt="other"), **{"n-shot": {"xquad_zh": 2}})
    assert "another prompting: another prompt in 8 of 8 documents; found 2 examples; expected no examples" in problems(
        check(plain, examples)
    )
    # What older files say: nothing, or that nothing was given.
    edit(plain, chat_template=None, chat_template_sha=None, config={"model": "hf", "gen_kwargs": {}})
    assert check(make_lm_eval(tmp_path / "d", scores), plain).exit_code == 0


def test_other_arguments_of_a_model_that_say_how_it_is_asked_cannot_be_compared(tmp_path):
    scores = {"xquad_zh": answers(8, 4)}
    old = edit(make_lm_eval(tmp_path / "a", scores), config={"model_args": {"pretrained": "m", "peft": "x"}})
    new = edit(make_lm_eval(tmp_path / "b", scores), config={"model_args": "pretrained=m,max_length=512,dtype=float32"})
    found = check_folders(old, new, Limits(), strict=False)
    assert [(one.subject, one.reason) for one in found.problems] == [
        ("results", "other `model_args`; found max_length=512; expected no max_length; score both in the same way")
    ]
    same = edit(make_lm_eval(tmp_path / "c", scores), config={"model_args": {"pretrained": "n", "max_length": 512}})
    assert check_folders(same, new, Limits(), strict=False).exit_code == 0
    write_baseline(read_snapshot(new), tmp_path / "baseline")
    assert check_folders(tmp_path / "baseline", same, Limits(), strict=False).exit_code == 0
    assert check_folders(tmp_path / "baseline", old, Limits(), strict=False).exit_code == 2


def test_arguments_in_one_text_are_what_they_are_in_a_mapping(tmp_path):
    scores = {"xquad_zh": answers(8, 4)}
    text = "pretrained=m,add_bos_token=True,max_length=512,chat_template_args={'a': 1, 'b': [2, 3]},enable_thinking=no"
    given = {"add_bos_token": True, "max_length": 512, "chat_template_args": {"a": 1, "b": [2, 3]}}
    written = edit(make_lm_eval(tmp_path / "a", scores), config={"model_args": text})
    mapping = edit(make_lm_eval(tmp_path / "b", scores), config={"model_args": given | {"enable_thinking": "no"}})
    assert check_folders(written, mapping, Limits(), strict=False).exit_code == 0
    matrix = make_results(tmp_path / "c", {ZH: answers(8, 4)})
    with edited_manifest(matrix) as manifest:
        manifest["model_args"] = given | {"enable_thinking": "no"}
    assert read_snapshot(matrix).asking == read_snapshot(written).asking
    # What is no such text is read as far as it can be.
    odd = edit(make_lm_eval(tmp_path / "d", scores), config={"model_args": "a.b=1,max_length=512,x=[1,y"})
    assert read_snapshot(odd).asking == {"max_length": "512"}


def board_of(*folders):
    return build_board(read_all(find_results(folders))[0])


def test_files_of_a_leaderboard_say_how_models_were_asked_and_only_then(tmp_path):
    plain = make_results_file(tmp_path / "a", {"xquad_zh": 0.5}, model="org/a").parent
    usual = render_site(board_of(plain))
    asked = make_results_file(tmp_path / "b", {"xquad_zh": 0.5}, model="org/b").parent
    edit(asked, system_instruction="S", **{"n-shot": {"xquad_zh": 3}})
    both = render_site(board_of(tmp_path))
    (fields, *rows) = csv.reader(both["scores.csv"].decode().splitlines())
    assert fields[-2:] == ["prompting", "shots"]
    assert sorted((row[0], *row[-2:]) for row in rows) == [
        ("org/a", "", ""),
        ("org/b", "system instruction 'S' (8de0b3c4)", "3"),
    ]
    assert usual["scores.csv"].splitlines()[0] == ",".join(SCORE_FIELDS).encode()
    pages = {name: text.decode() for name, text in both.items() if name.startswith("models/") and "html" in name}
    said = "system instruction &#39;S&#39; (8de0b3c4); 3 examples"
    assert sorted(said in text for text in pages.values()) == [False, True]
    exported = render_export("model-index", board_of(tmp_path), with_masked=False)
    indices = [yaml.safe_load(text)["model-index"][0] for text in exported.values()]
    told = {index["name"]: index["results"][0]["dataset"]["args"].get("asked") for index in indices}
    assert told == {"org/a": None, "org/b": "system instruction 'S' (8de0b3c4); 3 examples"}


def test_columns_of_a_leaderboard_are_told_apart_by_prompting(tmp_path):
    files = [make_results_file(tmp_path / name, {"xquad_zh": 0.5}, model=f"org/{name}") for name in "abcd"]
    for number in (1, 2):
        edit(files[number].parent, chat_template_sha=SHA, system_instruction="S", fewshot_as_multiturn=True)
    edit(files[3].parent, **{"n-shot": {"xquad_zh": 3}})
    (benchmark,) = board_of(tmp_path).benchmarks
    labels = {
        column.label: sorted(contender.model for contender in benchmark.scores[column]) for column in benchmark.columns
    }
    assert labels == {
        "zh (24)": ["org/a"],
        "zh (24; 3 examples)": ["org/d"],
        "zh (24; chat template 1a1f24ec; system instruction 'S' (8de0b3c4))": ["org/b", "org/c"],
    }


def test_columns_of_a_leaderboard_are_told_apart_by_arguments_that_say_how_a_model_is_asked(tmp_path):
    ways = {"a": "pretrained=m", "b": "pretrained=m,max_length=64", "c": {"max_length": 64, "peft": "x"}}
    for name, way in ways.items():
        make_results_file(tmp_path / name, {"xquad_zh": 0.5}, model="org/m")
        edit(tmp_path / name, config={"model": "hf", "model_args": way})
    matrix = make_results(tmp_path / "d", {EN: answers(8, 4)})
    with edited_manifest(matrix) as manifest:
        manifest["model_args"] = {"add_bos_token": True}
    (benchmark,) = board_of(tmp_path).benchmarks
    assert sorted(column.label for column in benchmark.columns) == [
        "en (8; add_bos_token=true)", "zh (24)", "zh (24; max_length=64)",
    ]  # fmt: skip
