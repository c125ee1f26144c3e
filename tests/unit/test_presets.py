"""Presets from YAML: what a file may say, and that every mistake is named by its line."""

import pytest

from mwork_eval.errors import InputError
from mwork_eval.matrix.presets import find_preset, find_presets, load_presets

GOOD = """\
# mine
early:
  task: xquad
  settings:
    - {random: true, positions: under}
    - {random: false, positions: under + s-attn}
late:
  table: 7
  ability: speaking
  task: belebele_{l}
  settings:
    - random: no
      positions: all
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "own.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_presets_are_the_papers_tables():
    presets = load_presets()
    assert {name: preset.table for name, preset in presets.items()} == {
        "existence": 1,
        "understanding": 2,
        "reasoning": 3,
        "knowledge": 4,
        "generation": 5,
    }
    names = {name: [setting.name for setting in preset.settings] for name, preset in presets.items()}
    assert names["existence"] == ["R all", "LS all"]
    assert names["understanding"] == ["R under", "R all", "LS s-attn + s-ffn", "LS gen", "LS under"]
    assert names["reasoning"] == [
        "R s-attn + s-ffn", "R all", "LS s-attn + s-ffn", "LS s-attn", "LS under + gen", "LS under + s-ffn + gen",
    ]  # fmt: skip
    assert names["knowledge"] == ["R s-ffn", "R all", "LS s-attn + s-ffn", "LS s-attn", "LS s-ffn"]
    assert names["generation"] == ["R gen", "R all", "LS gen"]
    tasks = {name: preset.task for name, preset in presets.items()}
    assert tasks == {
        "existence": "xlsum",
        "understanding": "xquad",
        "reasoning": "mgsm",
        "knowledge": "xcsqa",
        "generation": "xlsum",
    }
    with pytest.raises(InputError, match="unknown preset; found 'thinking'; expected one of existence"):
        find_preset("thinking")


def test_all_presets_of_a_file_are_used(write):
    early, late, existence = find_presets([write(GOOD), "existence"])
    assert (early.name, early.table, early.ability, early.task) == ("early", None, "", "xquad")
    assert [setting.name for setting in early.settings] == ["R under", "LS under + s-attn"]
    assert (late.table, late.ability, late.task) == (7, "speaking", "belebele_{l}")
    assert [setting.name for setting in late.settings] == ["LS all"]
    assert existence == find_preset("existence")


def test_a_preset_named_twice_counts_once_but_two_of_one_name_are_refused(write):
    assert find_presets(["existence", "existence"]) == (find_preset("existence"),)
    other = write(GOOD.replace("early:", "existence:"))
    with pytest.raises(InputError, match="two presets have one name; found existence"):
        find_presets(["existence", other])
    with pytest.raises(InputError, match="no preset given"):
        find_presets([])


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("task: xquad", "tusk: xquad", 3, "unknown entry; found tusk; expected some of task settings table ability"),
        ("  task: xquad\n", "  task: xquad\n  tusk:\n    a: b\n", 4, "unknown entry; found tusk"),
        ("  task: xquad\n", "", 3, "an entry is missing; expected task"),
        ("    - {random: true, positions: under}", "    - {random: true}", 5, "an entry is missing; expected pos"),
        ("positions: under}", "positions: middle}", 5, "unknown position; found 'middle'; expected all, or some of"),
        ("positions: under}", "positions: [under]}", 5, "wrong type of positions; found a list; expected a text"),
        ("positions: under}", "positions: under, intervention: 3}", 5, "wrong type of intervention; found a whole"),
        ("positions: under}", 'positions: under, intervention: "scale:0,5"}', 5, "the value of the intervention is no"),
        ("random: true", "random: 1", 5, "wrong type of random; found a whole number; expected true or false"),
        ("random: true", 'random: "true"', 5, "wrong type of random; found a text; expected true or false"),
        ("    - {random: true, positions: under}", "    - under", 5, "wrong type of this entry; found a text"),
        ("positions: under}", "positions: s-attn+under}\n    - {random: true, positions: under+s-attn}", 6,
         "a row stands twice; found R under + s-attn; expected it once; line 5 has it"),
        ("task: xquad", "task: {q: {en: a}, r: {en: b}}", 3, "several tasks of a preset; found q r; expected one"),
        ("task: xquad", "task: {q: b}", 3, "q; found a text or number; expected NAME: {en: TASK, zh: TASK}"),
        ("task: xquad", "task: {q: {xx-yy-: b}}", 3, "unknown language"),
        ("table: 7", "table: seven", 8, "wrong type of table; found a text; expected a whole number"),
        ("ability: speaking", "ability:", 9, "wrong type of ability; found nothing; expected a text"),
        ("late:", "early:", 7, "an entry stands twice; found early"),
        ("random: no", "random: yes", 12, "late has no row of language-specific neurons; expected a row with random"),
        ("late:\n", "late: {task: xquad, settings: []}\nother:\n", 7, "late has no row of language-specific neurons"),
        ("late:\n", "late: 3\nother:\n", 7, "wrong type of this entry; found a whole number; expected a mapping"),
        ("late:", "3:", 7, "wrong type of a name; found a whole number; expected a text"),
        ("ability: speaking", "ability: a: b", 9, "not YAML; found mapping values are not allowed here"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_its_line(write, old, new, line, said):
    assert GOOD.count(old) == 1
    path = write(GOOD.replace(old, new))
    with pytest.raises(InputError) as error:
        find_presets([path])
    assert str(error.value).startswith(f"{path}:{line}: {said}"), error.value


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "is empty"), ("{}", ":1: no preset"), ("- early\n", ":1: wrong type of this entry; found a list")],
)
def test_a_file_without_presets(write, text, said):
    with pytest.raises(InputError, match=said):
        find_presets([write(text)])


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*none\.yaml"):
        find_presets([str(tmp_path / "none.yaml")])
    (tmp_path / "bytes.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"cannot read .*bytes\.yml"):
        find_presets([str(tmp_path / "bytes.yml")])
