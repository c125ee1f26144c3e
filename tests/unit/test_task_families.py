"""Families of lm-eval's tasks: which task is which language's, over the whole index of the installed lm-eval."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from lm_eval.tasks._index import Kind

from mwork_eval.application.matrix_arguments import make_matrix_options
from mwork_eval.benchmarks.task_family import FIELDS, TaskFamily
from mwork_eval.errors import InputError
from mwork_eval.evaluation.families.codes import closeness, fields_of, read_code, spoken_of
from mwork_eval.evaluation.families.members import FamilyPattern, Member, families_of, family_of
from mwork_eval.evaluation.families.resolve import fill_pattern, leaves_of, resolve_family
from mwork_eval.evaluation.task_manager import task_manager, whole_index
from mwork_eval.matrix.options import find_family

EXPECTED = yaml.safe_load((Path(__file__).parents[1] / "data" / "task_families.yaml").read_text(encoding="utf-8"))


def index_of(tasks, *, groups=None, tags=None, folder="somewhere"):
    entries = {name: SimpleNamespace(yaml_path=f"/x/{folder}/{name}.yaml", tags=set(), cfg={}) for name in tasks}
    for name, members in (groups or {}).items():
        cfg = {"group": name, "task": members}
        entries[name] = SimpleNamespace(yaml_path=f"/x/{folder}/{name}.yaml", tags=set(), cfg=cfg)
    for name, members in (tags or {}).items():
        entries[name] = SimpleNamespace(yaml_path=None, tags=set(members), cfg=None)
    return entries


@pytest.fixture(scope="module")
def index():
    return whole_index()


def test_tasks_that_were_asked_for_are_not_in_the_next_manager(monkeypatch):
    foreign = index_of(["quiz_en"])["quiz_en"]
    foreign.kind = Kind.TASK
    monkeypatch.setattr("mwork_eval.evaluation.task_manager._index_all", lambda: known)
    known = {"quiz_en": foreign}
    first = task_manager(["quiz_en", "bpb_yue"], "embedded")
    assert {"quiz_en", "bpb_yue", "xquad_en"} <= {*first.task_index} == {*first.all_tasks}
    assert first.metadata == {"data": "embedded"}
    assert {"quiz_en", "bpb_yue"} <= {*first.all_subtasks}
    later = task_manager(["quiz_en"], None)
    assert "bpb_yue" not in later.task_index
    assert list(known) == list(whole_index()) == ["quiz_en"]
    assert later.metadata == {}


def test_the_data_are_of_many_families_and_twelve_languages():
    assert len(EXPECTED) >= 40
    assert {tuple(tasks) for tasks in EXPECTED.values()} == {
        ("en", "zh", "zh-Hant", "ja", "ar", "fa", "sw", "pt", "hi", "nb", "fr", "yo")
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_families_of_the_whole_index(name, index):
    expected = EXPECTED[name]
    found = resolve_family(name, list(expected), index)
    assert {language: found.tasks.get(language) for language in expected} == expected
    assert found.languages == tuple(language for language, task in expected.items() if task)
    assert found.missing == tuple(language for language, task in expected.items() if not task)
    assert all(task in index for task in found.tasks.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("truthfulqa", ["truthfulqa_{code}_mc1", "truthfulqa_{code}_mc2", "truthfulqa-multi_gen_{code}"]),
        ("afrimmlu", ["afrimmlu_direct_{code}_prompt_1", "afrimmlu_translate_{code}_prompt_5"]),
        ("afrimmlu-irokobench", ["afrimmlu_direct_{code}_prompt_1", "afrimmlu_direct_{code}_prompt_5"]),
        ("include", ["include_base_44_{code}", "include_base_44_{code}_few_shot_en"]),
    ],
)
def test_several_families_are_an_error_that_lists_them(name, candidates, index):
    with pytest.raises(InputError, match=f"{name} is several families") as error:
        resolve_family(name, ["en", "zh", "fr", "es", "sw"], index)
    assert all(candidate in str(error.value) for candidate in candidates)


@pytest.mark.slow
def test_pairs_of_languages_are_no_languages(index):
    with pytest.raises(InputError, match=r"wmt16 is several families; found wmt16-en-\{code\} wmt16-"):
        resolve_family("wmt16", ["en", "de", "ro"], index)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("zh", "zh"),
        ("zho_Hans", "zh"),
        ("cmn_hans", "zh"),
        ("zho_Hant", "zh-Hant"),
        ("ZH_CN", "zh-CN"),
        ("zh_zh", "zh"),
        ("chinese", "zh"),
        ("yue_Hant", "yue"),
        ("jp", "ja"),
        ("arb_Arab", "ar"),
        ("arb_Latn", "ar-Latn"),
        ("arz_Arab", "arz"),
        ("ar_xy", "ar"),
        ("pes_Arab", "fa"),
        ("swh_Latn", "sw"),
        ("lvs_Latn", "lv"),
        ("nob_Latn", "nb"),
        ("no", "nb"),
        ("azj_Latn", "az"),
        ("kor_Hang", "ko"),
        ("por_latn_braz", "pt-BR"),
        ("spa_latn_mexi", "es-MX"),
        ("north_macedonian", "mk"),
        ("haitian", "ht"),
        ("stem", None),
        ("high_school", None),
        ("chinese_stem", None),
        ("mt", "mt"),
        ("x1", None),
        ("mul", None),  # several languages
        ("qaa", None),  # whatever its user means
    ],
)
def test_codes_in_names(text, tag):
    spoken = read_code(text)
    assert (None if spoken is None else spoken.tag) == tag


@pytest.mark.parametrize(
    ("asked", "found", "rank"),
    [
        ("zh", "zho_Hans", 0),
        ("zh", "ZH_CN", 1),
        ("zh", "zho_Hant", None),
        ("zh-Hant", "zho_Hans", None),
        ("zh", "yue", None),
        ("ar", "arz_Arab", None),
        ("arz", "arb_Arab", None),
        ("hi", "hin_Latn", None),
        ("sr", "srp_Latn", None),
        ("pt", "pt_br", 1),
        ("pt", "por_latn_port", 2),
        ("pt-PT", "por_Latn", 1),
        ("pt-PT", "pt_br", None),
        ("es", "ES_LA", 2),
        ("no", "nob_Latn", 0),
        ("fa", "prs_Arab", 2),
        ("bla", "bla_Cans", 0),  # how it is mostly written, or where it is spoken, no registry says
        ("bla", "bla_us", 2),
    ],
)
def test_how_close_languages_are(asked, found, rank):
    assert closeness(spoken_of(asked), read_code(found)) == rank


@pytest.mark.parametrize(
    ("tag", "fields"),
    [
        ("zh", ("zh", "zho", "zho_Hans", "chinese")),
        ("ar", ("ar", "ara", "arb_Arab", "arabic")),
        ("sw", ("sw", "swa", "swh_Latn", "swahili")),
        ("fa", ("fa", "fas", "pes_Arab", "persian")),
        ("et", ("et", "est", "est_Latn", "estonian")),
        ("yue", ("yue", "yue", "yue_Hant", "cantonese")),
    ],
)
def test_fields_of_patterns(tag, fields):
    assert tuple(fields_of(tag).values()) == fields


def test_patterns_need_no_index():
    assert fill_pattern("a_{flores}_b", ["en", "zh"]) == {"en": "a_eng_Latn_b", "zh": "a_zho_Hans_b"}
    assert find_family("a_{name}", ["en", "zh"]).task("zh") == "a_chinese"
    with pytest.raises(InputError, match="gives several languages one task"):
        fill_pattern("a_{iso3}", ["zh", "zh-Hant"])
    assert set(FIELDS) == {f"{{{field}}}" for field in fields_of("zh")}


@pytest.mark.parametrize("tag", ["zh-Hant", "zh-TW", "sr-Latn", "pt-PT", "en-GB"])
@pytest.mark.parametrize("field", ["name", "iso3"])
def test_a_field_that_drops_the_script_or_region_is_refused(tag, field):
    with pytest.raises(InputError, match=f"does not say all of {tag}; found a_"):
        fill_pattern(f"a_{{{field}}}", ["ja", tag])
    assert fill_pattern(f"a_{{{field}}}_{{l}}", [tag])[tag].endswith(tag)


def test_a_usual_script_or_region_need_not_be_said():
    assert fill_pattern("a_{name}", ["pt-BR", "zh-Hans", "en-US", "yue", "arz"]) == {
        "pt-BR": "a_portuguese",
        "zh-Hans": "a_chinese",
        "en-US": "a_english",
        "yue": "a_cantonese",
        "arz": "a_egyptian_arabic",
    }


def test_two_tasks_that_are_equally_good_are_an_error_that_lists_them():
    index = index_of(["quiz_eng", "quiz_zho_Hans", "quiz_chinese"])
    with pytest.raises(InputError, match="quiz has several tasks for zh; found quiz_zho_Hans quiz_chinese"):
        resolve_family("quiz", ["en", "zh"], index)


def test_a_task_coded_as_it_was_asked_for_comes_first():
    index = index_of(["quiz_eng", "quiz_en", "quiz_zh", "quiz_zho_Hans"])
    assert resolve_family("quiz", ["en", "zh"], index).tasks == {"en": "quiz_en", "zh": "quiz_zh"}


def test_languages_that_are_missing():
    index = index_of(["quiz_en", "quiz_zh", "quiz_de"])
    assert resolve_family("quiz", ["en", "zh", "ja"], index) == TaskFamily(
        "quiz", ("en", "zh"), ("ja",), tasks={"en": "quiz_en", "zh": "quiz_zh"}
    )


def test_tags_groups_and_folders_are_families():
    tasks = ["a_quiz_en", "a_quiz_zh", "b_quiz_zh"]
    expected = {"en": "a_quiz_en", "zh": "a_quiz_zh"}
    for index in (
        index_of(tasks, groups={"all": ["a_quiz_en", {"task": "a_quiz_zh", "num_fewshot": 1}]}),
        index_of(tasks, tags={"all": ["a_quiz_en", "a_quiz_zh"]}),
        index_of(tasks, tags={"inner": ["a_quiz_en", "a_quiz_zh"]}, groups={"all": ["inner"]}),
        index_of(tasks[:2], folder="all"),
    ):
        assert resolve_family("all", ["en", "zh"], index).tasks == expected


def test_groups_come_before_their_parts():
    parts = [f"quiz_{language}_{part}" for language in ("en", "zh") for part in ("x", "y")]
    groups = {f"quiz_{language}": [f"quiz_{language}_x", f"quiz_{language}_y"] for language in ("en", "zh")}
    index = index_of(parts, groups=groups, folder="the-quiz")
    assert resolve_family("the_quiz", ["en", "zh"], index).tasks == {"en": "quiz_en", "zh": "quiz_zh"}
    assert leaves_of("quiz_zh", index) == ["quiz_zh_x", "quiz_zh_y"]


def test_contexts_and_questions_in_two_languages_are_left_out():
    family = family_of("qa_{code}", ["qa_en_en", "qa_en_de", "qa_de_en", "qa_de_de"])
    assert family == FamilyPattern(
        "qa_{code}",
        (Member("qa_en_en", "en_en", spoken_of("en")), Member("qa_de_de", "de_de", spoken_of("de"))),
    )


def test_families_need_two_of_the_languages():
    names = ["a_en", "a_zh", "b_zh", "b_ja", "c-en-x", "c-zh-x"]
    found = families_of(names, [spoken_of("en"), spoken_of("zh")])
    assert [one.pattern for one in found] == ["a_{code}", "c-{code}-x"]


def test_the_users_own_mapping_wins():
    family = find_family("mine", ["en", "zh", "ja"], {"en": "a", "zh": "b"})
    assert (family.task("zh"), family.languages, family.missing) == ("b", ("en", "zh"), ("ja",))
    with pytest.raises(InputError, match=r"mine has no en, .*among zh ja"):
        find_family("mine", ["en", "zh", "ja"], {"ja": "a", "zh": "b"})


@pytest.mark.slow
def test_a_family_without_english_is_an_error():
    with pytest.raises(InputError, match=r"include_base_44 has no en, .*among zh ja"):
        find_family("include_base_44", ["en", "zh", "ja"])
    with pytest.raises(InputError, match=r"xcopa has none of the languages; found \('fr', 'de'\); expected et eu ht "):
        find_family("xcopa", ["fr", "de"])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"metric": ["mine=acc", "yours=f1"]},
            "mine and yours are one task, bpb_en; found `metric` acc and f1",
        ),
        ({"metric": ["mine=acc"]}, "found `metric` acc and of its own"),
        ({"limit": {"mine": 2, "yours": 3}}, "found `limit` 2 and 3"),
    ],
)
def test_two_names_of_one_task_are_asked_alike(asked, message):
    tasks = {name: {"en": "bpb_en", "zh": "bpb_zh"} for name in ("mine", "yours")}
    options = make_matrix_options("existence", tasks=tasks, languages=("en", "zh"), **asked)
    families = options.families(options.presets[0])
    by_task = options.metrics_by_task if "metric" in asked else options.limits_by_task
    with pytest.raises(InputError, match=re.escape(message)):
        by_task(families)


def test_a_name_of_ours_is_ours():
    with pytest.raises(InputError, match="names of benchmarks; found bpb; expected other names"):
        make_matrix_options("existence", tasks={"bpb": {"en": "flat_en", "zh": "flat_zh"}})
