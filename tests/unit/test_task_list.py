"""`mwork tasks`: which families have some languages, what scores them, and whether their data can be had."""

from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from huggingface_hub import constants, errors

from mwork_eval.application.tasks import tasks
from mwork_eval.cli.main import main
from mwork_eval.errors import InputError
from mwork_eval.evaluation.families.catalogue import list_families
from mwork_eval.evaluation.families.resolve import resolve_family
from mwork_eval.evaluation.families.sources import DataSource, reach, source_of

CHOICE = {"output_type": "multiple_choice", "dataset_path": "some/choices"}
MCC = [{"metric": "mcc", "aggregation": "matthews_corrcoef"}, {"metric": "acc", "aggregation": "mean"}]


def entry(name, cfg, **more):
    return name, SimpleNamespace(yaml_path=f"/x/{name}.yaml", tags=set(), cfg=cfg, **more)


@pytest.fixture
def index():
    parts = [f"exam_{language}_{part}" for language in ("en", "ja") for part in ("law", "art", "math")]
    groups = {f"exam_{one}": [part for part in parts if part.startswith(f"exam_{one}_")] for one in ("en", "ja")}
    return dict(
        [
            *(entry(f"pick_{code}", CHOICE) for code in ("eng_Latn", "jpn_Jpan", "kor_Hang", "deu_Latn")),
            *(entry(f"tell_{code}", {"output_type": "generate_until", "metric_list": MCC}) for code in ("en", "jp")),
            *(entry(f"own_{name}_x", {"class": "a.B", "task": name}) for name in ("korean", "english")),
            *(entry(part, CHOICE | {"dataset_path": "some/exams"}) for part in parts),
            *(entry(name, {"group": name, "task": members}) for name, members in groups.items()),
            entry("alone_ja", CHOICE),
        ]
    )


def listed(index, languages, name=None):
    rows = list_families(languages, index, name, ask=lambda sources: dict.fromkeys(sources, "asked"))
    return {row.name: row for row in rows if row.name != "bpb"}


def test_families_with_their_languages_tasks_and_scores(index):
    rows = listed(index, ["ja", "ko", "en"])
    assert {name: list(row.tasks) for name, row in rows.items()} == {
        "exam": ["ja", "en"],
        "own_{code}_x": ["ko", "en"],
        "pick": ["ja", "ko", "en"],
        "tell": ["ja", "en"],
    }
    assert {name: (row.subtasks, row.kind, row.metric, row.data) for name, row in rows.items()} == {
        "exam": (3, "choice", "acc", "asked"),
        "own_{code}_x": (1, "own code", "", "asked"),
        "pick": (1, "choice", "acc", "asked"),
        "tell": (1, "generated", "acc", "asked"),
    }
    assert rows["pick"].tasks["ko"] == ("pick_kor_Hang",)
    assert rows["tell"].tasks["ja"] == ("tell_jp",)
    assert rows["exam"].sources == (DataSource("some/exams"),)


def test_only_families_of_a_name(index):
    assert list(listed(index, ["ja", "en"], "exam")) == ["exam"]
    assert list(listed(index, ["ja", "en"], "exam_{code}_law")) == ["exam_{code}_law"]
    # Of a group that is called like others begin, only what is in it: as `tasks` takes it.
    few = dict(
        [
            *(entry(f"few_{language}", CHOICE) for language in ("en", "ja")),
            *(entry(f"some_{kind}_{language}", CHOICE) for kind in "ab" for language in ("en", "ja")),
            entry("some", {"group": "some", "task": ["few_en", "few_ja"]}),
        ]
    )
    assert list(listed(few, ["ja", "en"], "some")) == ["few"]
    assert resolve_family("some", ["ja", "en"], few).tasks == {"ja": "few_ja", "en": "few_en"}
    assert [one.name for one in list_families(["ja", "en"], index, "bpb", ask=lambda s: dict.fromkeys(s, ""))] == [
        "bpb"
    ]
    assert [row.name for row in list_families(["zh", "en"], index, "xquad", ask=lambda s: dict.fromkeys(s, ""))] == [
        "xquad"
    ]
    with pytest.raises(InputError, match="no family of tasks nothing has two of the languages; found ja en"):
        listed(index, ["ja", "en"], "nothing")


def test_where_data_come_from(tmp_path):
    (tmp_path / "a.jsonl").write_text("{}\n")
    local = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(tmp_path / "a.jsonl")}}}
    assert source_of(local) == DataSource("json", (str(tmp_path / "a.jsonl"),))
    assert source_of(None) == source_of({"custom_dataset": "x"}) == DataSource(None)


def test_whether_data_can_be_had(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_DATASETS_CACHE", raising=False)
    monkeypatch.delenv("HF_DATASETS_OFFLINE", raising=False)
    (tmp_path / "datasets" / "some___prepared" / "default").mkdir(parents=True)
    (tmp_path / "hub" / "datasets--some--fetched" / "snapshots" / "0").mkdir(parents=True)
    (tmp_path / "a.jsonl").write_text("{}\n")

    def answer(self, name, timeout):
        assert timeout <= 5
        files = {"some/script": ["script.py"], "some/there": ["data.parquet"]}
        if name == "some/broken":
            raise OSError("no route")
        if name not in files and name != "some/gated":
            raise errors.RepositoryNotFoundError("none", response=SimpleNamespace(headers={}, request=None))
        siblings = [SimpleNamespace(rfilename=file) for file in files.get(name, ())]
        return SimpleNamespace(gated="auto" if name == "some/gated" else False, siblings=siblings)

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", answer)
    sources = {
        DataSource("json", (str(tmp_path / "a.jsonl"),)): "here",
        DataSource("json", (str(tmp_path / "b.jsonl"),)): "not there",
        DataSource(str(tmp_path)): "here",
        DataSource("some/prepared"): "in the cache",
        DataSource("some/fetched"): "in the cache",
        DataSource("some/script"): "a loading script",
        DataSource("some/there"): "reachable",
        DataSource("some/gated"): "gated",
        DataSource("some/gone"): "not there",
        DataSource("some/broken"): "no answer",
        DataSource(None): "not told",
    }
    assert reach(sources) == sources
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert reach([DataSource("some/there"), DataSource("some/fetched")]) == {
        DataSource("some/there"): "offline",
        DataSource("some/fetched"): "in the cache",
    }


def test_the_command_prints_a_table(index, monkeypatch):
    monkeypatch.setattr("mwork_eval.application.tasks.whole_index", lambda: index)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    done = CliRunner().invoke(main, ["tasks", "--languages", "ja,ko,en"])
    assert done.exit_code == 0, done.output
    (row,) = [line for line in done.output.splitlines() if "exam" in line]
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "exam",
        "yes",
        "–",
        "yes",
        "3",
        "choice",
        "acc",
        "offline",
    ]
    named = CliRunner().invoke(main, ["tasks", "--languages", "Japanese", "--family", "pick"])
    assert "pick_jpn_Jpan" in named.output
    assert "pick_eng_Latn" in named.output
    wrong = CliRunner().invoke(main, ["tasks", "--languages", "en"])
    assert (wrong.exit_code, wrong.output) == (
        2,
        "Error: --languages needs two languages; found en; expected such as ja,en\n",
    )


def test_a_single_language_is_listed_with_english(index, monkeypatch):
    monkeypatch.setattr("mwork_eval.application.tasks.whole_index", lambda: index)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert {row.name for row in tasks("ko")} == {"bpb", "own_{code}_x", "pick"}
