"""Which benchmarks have which languages, and where their files are found."""

import re
from pathlib import Path

import pytest
from helpers.benchmark_files import write

from mwork_eval.benchmarks import data as task_data
from mwork_eval.benchmarks.data import locate
from mwork_eval.benchmarks.rows import BENCHMARKS, find_benchmark, task_of
from mwork_eval.errors import InputError

pytestmark = pytest.mark.usefixtures("no_other_source")


@pytest.mark.parametrize(
    ("benchmark", "codes"),
    [
        ("xquad", "en de zh es ru vi th ar el hi ro tr"),
        ("mgsm", "en de fr zh es ru th sw"),
        ("xcsqa", "en de fr zh es ru vi ar sw"),
        ("xcsqa_letter", "en de fr zh es ru vi ar sw"),
        ("xlsum", "en fr zh es ru vi th ar sw"),
        ("bpb", "en de fr zh es ru vi th ar sw el hi it ja ko pt ro tr"),
    ],
)
def test_a_benchmark_has_the_published_languages(benchmark: str, codes: str) -> None:
    assert BENCHMARKS[benchmark].languages == codes.split()


def test_there_are_these_benchmarks_and_another_is_an_error() -> None:
    assert list(BENCHMARKS) == ["xquad", "mgsm", "xcsqa", "xcsqa_letter", "xlsum", "bpb"]
    with pytest.raises(InputError, match="unknown benchmark; found 'squad'; expected one of xquad mgsm"):
        find_benchmark("squad")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("xquad_zh", ("xquad", "zh")),
        ("xquad_el", ("xquad", "el")),
        ("xquad_fr", ("xquad", "fr")),
        ("bpb_sw", ("bpb", "sw")),
        ("xcsqa_zh", ("xcsqa", "zh")),
        ("xcsqa_letter_zh", ("xcsqa_letter", "zh")),
        ("xcsqa_letter", None),
        ("xquad_xx", None),
        ("xquad", None),
        ("mgsm_direct_de", None),
        ("wikitext", None),
        ("", None),
    ],
)
def test_the_name_of_a_task_tells_benchmark_and_language(name: str, expected: tuple[str, str] | None) -> None:
    assert task_of(name) == expected


@pytest.mark.parametrize(
    ("benchmark", "language", "file"),
    [
        ("xquad", "zh", "xquad/xquad.zh.json"),
        ("xquad", "zh", "xquad.zh.json"),
        ("mgsm", "sw", "mgsm/mgsm_sw.tsv"),
        ("mgsm", "sw", "mgsm_sw.tsv"),
        ("xcsqa", "vi", "xcsqa/vi.jsonl"),
        ("xcsqa", "vi", "X-CSQA/vi/dev.jsonl"),
        ("xcsqa", "vi", "X-CSR_datasets/X-CSQA/vi/dev.jsonl"),
        ("xcsqa", "vi", "X-CSQA-vi/dev.jsonl"),
        ("xcsqa", "vi", "X-CSQA-vi.dev.jsonl"),
        ("xlsum", "zh", "xlsum/zh.jsonl"),
        ("xlsum", "zh", "chinese_simplified_test.jsonl"),
        ("xlsum", "en", "xlsum/english_test.jsonl"),
        ("bpb", "ar", "heldout/ar.txt"),
        ("bpb", "ar", "corpus/ar.txt"),
    ],
)
def test_a_file_is_found_under_its_published_names(tmp_path: Path, benchmark: str, language: str, file: str) -> None:
    path = write(tmp_path / file, "anything")
    assert locate(benchmark, language, tmp_path) == path
    assert locate(benchmark, language, str(tmp_path)) == path


def test_the_folder_of_a_benchmark_and_heldout_text_come_first(tmp_path: Path) -> None:
    write(tmp_path / "mgsm_de.tsv", "x")
    inside = write(tmp_path / "mgsm/mgsm_de.tsv", "x")
    assert locate("mgsm", "de", tmp_path) == inside
    write(tmp_path / "corpus/de.txt", "x")
    heldout = write(tmp_path / "heldout/de.txt", "x")
    assert locate("bpb", "de", tmp_path) == heldout


def test_an_argument_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locate("mgsm", "de") is None
    for name in ("environment", "argument", "package"):
        write(tmp_path / name / "mgsm_de.tsv", "x")
    monkeypatch.setattr(task_data, "embedded_folder", lambda: tmp_path / "package")
    monkeypatch.setenv("MWORK_DATA", str(tmp_path / "environment"))
    assert locate("mgsm", "de") == tmp_path / "environment/mgsm_de.tsv"
    assert locate("mgsm", "de", tmp_path / "argument") == tmp_path / "argument/mgsm_de.tsv"
    assert locate("mgsm", "de", "embedded") == tmp_path / "package/mgsm_de.tsv"
    monkeypatch.setenv("MWORK_DATA", "embedded")
    assert locate("mgsm", "de") == tmp_path / "package/mgsm_de.tsv"


@pytest.mark.parametrize(
    ("benchmark", "language", "message"),
    [
        ("xquad", "fr", "XQuAD has no French; it has en de zh es ru vi th ar el hi ro tr"),
        ("xlsum", "de", "XL-Sum has no German; it has en fr"),
        ("mgsm", "ar", "MGSM has no Arabic; it has en de"),
        ("xcsqa", "th", "X-CSQA has no Thai; it has"),
        ("mgsm", "el", "MGSM has no Greek; it has"),
        ("mgsm", "xx", "unknown language; found 'xx'; expected a tag such as ja"),
        ("squad", "en", "unknown benchmark; found 'squad'; expected one of"),
    ],
)
def test_languages_and_benchmarks_that_there_are_not_are_named_with_those_there_are(
    benchmark: str, language: str, message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        locate(benchmark, language)


def test_a_missing_folder_of_data_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"no such data directory; found {tmp_path}/no; .*metadata data=embedded"):
        locate("mgsm", "de", tmp_path / "no")


def test_a_missing_file_is_an_error_that_names_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        locate("xquad", "de", tmp_path)
    message = str(caught.value)
    assert message.startswith(f"no file of XQuAD in German; found none in {tmp_path}; expected xquad/xquad.de.json or")
    assert "\n" not in message
    write(tmp_path / "xquad.en.json", "x")
    with pytest.raises(InputError, match="only en; expected"):
        locate("xquad", "de", tmp_path)


@pytest.mark.parametrize(("benchmark", "needs"), [("xquad", True), ("xlsum", True), ("mgsm", False), ("bpb", False)])
def test_thai_words_need_an_extra_where_words_are_counted(
    monkeypatch: pytest.MonkeyPatch, benchmark: str, needs: bool
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    if needs:
        with pytest.raises(InputError, match=r'pip install "mwork-eval\[thai\]"'):
            locate(benchmark, "th")
    else:
        assert locate(benchmark, "th") is None
    assert locate(benchmark, "zh") is None
