"""The paper's set-up as files that ship with the package, and what a run of them would cost."""

import pytest
import yaml
from helpers.commands import invoke

from mwork_eval.application.matrix_arguments import make_matrix_options
from mwork_eval.application.model_source import find_model
from mwork_eval.application.run_configs import find_config, shipped_configs
from mwork_eval.application.run_estimate import estimate_run
from mwork_eval.benchmarks.rows import BENCHMARKS
from mwork_eval.detection.corpus.documents import DocumentRules
from mwork_eval.detection.corpus.sources import Corpus, parse_corpora
from mwork_eval.detection.detect import DetectOptions
from mwork_eval.errors import InputError
from mwork_eval.resources import configs_folder

PAPER = ["en", "de", "fr", "zh", "es", "ru", "vi", "th", "ar", "sw"]
TABLES = ["existence", "understanding", "reasoning", "knowledge", "generation"]
MODELS = {
    "paper-mistral": "mistralai/Mistral-7B-v0.1",
    "paper-mistral-instruct": "mistralai/Mistral-7B-Instruct-v0.2",
    "paper-vicuna": "lmsys/vicuna-7b-v1.5",
}


def test_the_papers_models_have_configurations():
    assert shipped_configs() == sorted(MODELS)
    assert find_config("paper-vicuna") == configs_folder() / "paper-vicuna.yaml"


@pytest.fixture
def asked(monkeypatch):
    """What a dry run is asked for."""
    found = {}

    def estimated(source, corpora, rules, detection, matrix, **more):
        found.update(model=source.name, corpora=corpora, rules=rules, detection=detection, matrix=matrix, **more)
        raise InputError("asked for")

    monkeypatch.setattr("mwork_eval.application.run_estimate.estimate_run", estimated)
    monkeypatch.delenv("MWORK_DATA", raising=False)
    return found


@pytest.mark.parametrize("name", MODELS)
def test_a_configuration_is_the_papers_set_up(name, asked):
    assert "asked for" in invoke("run", "--config", name, "--dry-run", code=2).output
    matrix = asked["matrix"]
    assert asked["model"] == MODELS[name]
    assert list(matrix.languages) == PAPER
    assert asked["corpora"] == [Corpus(language, "hub:oscar") for language in PAPER]
    assert asked["detection"].method == "paper"
    assert [(preset.name, preset.table) for preset in matrix.presets] == list(zip(TABLES, range(1, 6), strict=True))
    assert matrix.tasks == ()
    # Of the three, one was tuned to chat and has a template.
    assert matrix.prompting.apply_chat_template is (name == "paper-mistral-instruct")
    assert (matrix.limit, dict(matrix.limits), matrix.order) == (None, {"xlsum": 500}, 1)
    assert matrix.data is None
    # Nothing that the paper does not give.
    assert (matrix.understanding_layers, matrix.generation_layers, matrix.seeds) == (None, None, None)
    assert yaml.safe_load(find_config(name).read_text(encoding="utf-8"))["out"] == f"mwork-{name}"


def test_options_beside_a_configuration_win(asked):
    languages = [f"--corpus={language}=embedded" for language in ("en", "zh")]
    given = ["--languages", "en,zh", *languages, "--limit", "8", "--data", "embedded", "--understanding-layers", "6"]
    invoke("run", "--config", "paper-mistral", "--dry-run", *given, code=2)
    matrix = asked["matrix"]
    assert (matrix.languages, matrix.limit, matrix.limits, matrix.data) == (("en", "zh"), 8, {}, "embedded")
    assert matrix.understanding_layers == 6


def test_a_name_is_a_shipped_file_and_a_path_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = "no configuration of that name; found paper-gemma; expected a YAML file, or one of paper-mistral paper-"
    assert message in invoke("run", "--config", "paper-gemma", code=2).output
    assert "cannot read paper-mistral.yaml" in invoke("run", "--config", "paper-mistral.yaml", code=2).output
    assert "cannot read no/paper-mistral" in invoke("run", "--config", "no/paper-mistral", code=2).output
    (tmp_path / "paper-mistral").write_text("modle: x\n")
    assert "unknown entries; found modle" in invoke("run", "--config", "paper-mistral", code=2).output


def test_a_limit_of_a_benchmark(asked, tmp_path):
    def limit(text, *more):
        invoke("run", "--preset", "existence", "--dry-run", "--limit", text, *more, code=2)
        return asked["matrix"].limit, dict(asked["matrix"].limits)

    assert limit("3") == (3, {})
    assert limit("xlsum=500") == (None, {"xlsum": 500})
    assert limit("xlsum=5,xnli=4", "--tasks", "xlsum,xnli_{l}") == (None, {"xlsum": 5, "xnli": 4})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("xquad=3", "a --limit of what is no task of the matrix; found xquad; expected some of xlsum"),
        ("xlsum=0", "0 is not in the range x>=1"),
        ("xlsum=", "'' is not a valid integer"),
        ("xlsum=1,xlsum=2", "'xlsum=1,xlsum=2' is not a number, nor names with one each"),
        ("8,xlsum=2", "'8,xlsum=2' is not a number, nor names with one each"),
    ],
)
def test_a_wrong_limit_is_one_error(text, message):
    assert message in invoke("run", "--preset", "existence", "--dry-run", "--limit", text, code=2).output


@pytest.mark.parametrize("value", [{"xlsum": 0}, {"xlsum": None}, {3: 4}, {"xlsum": "4"}])
def test_a_wrong_limit_in_python(value):
    with pytest.raises(InputError, match="unusable limit"):
        make_matrix_options("existence", limit=value)


def estimated(model, *, corpora=(), languages=("en", "de", "zh"), draws=None, **matrix):
    options = make_matrix_options(languages=languages, **matrix)
    rules, sources = DocumentRules(24, 128), parse_corpora(corpora, list(languages))
    source = find_model(model, device="cpu")
    return estimate_run(source, sources, rules, DetectOptions(), options, set_draws=draws)


def test_without_model_and_network_a_dry_run_counts_cells(monkeypatch):
    def unreachable(**arguments):
        raise ConnectionError("no route")

    monkeypatch.setattr("datasets.load_dataset", unreachable)
    monkeypatch.delenv("MWORK_DATA", raising=False)
    hub = [f"{language}=hub:oscar" for language in ("en", "de", "zh")]
    found = estimated("nobody/nothing", corpora=hub, preset=TABLES)
    # Of each table: a score per language without a mask, and two (the language's and English) per mask; a
    # random row has three.
    assert [(table.preset, table.task, table.languages, table.cells) for table in found.tables] == [
        ("existence", "xlsum", ("en", "zh"), 2 + 1 * 2 * (1 + 3)),
        ("understanding", "xquad", ("en", "de", "zh"), 3 + 2 * 2 * (3 + 2 * 3)),
        ("reasoning", "mgsm", ("en", "de", "zh"), 3 + 2 * 2 * (4 + 2 * 3)),
        ("knowledge", "xcsqa", ("en", "de", "zh"), 3 + 2 * 2 * (3 + 2 * 3)),
        ("generation", "xlsum", ("en", "zh"), 2 + 1 * 2 * (1 + 2 * 3)),
    ]
    assert found.cells == 10 + 39 + 43 + 39 + 16 - 2  # tables 1 and 5 share what is not masked
    assert (found.documents, found.matrix, found.detection) == (None, None, None)
    tokens, documents, texts = found.unknown
    assert tokens.startswith("tokens, time and memory: model nobody/nothing cannot be loaded")
    assert documents.startswith("documents: cannot get XL-Sum in English from the Hugging Face hub")
    assert texts.endswith("at most 24 documents of at most 128 tokens for each of 3 languages")


def test_without_a_model_the_documents_are_those_of_the_data():
    found = estimated("nobody/nothing", preset=["existence", "understanding"], data="embedded", limit={"xlsum": 2})
    assert found.documents == {"xlsum_en": 2, "xlsum_zh": 2, "xquad_en": 24, "xquad_de": 24, "xquad_zh": 24}
    assert found.matrix is None
    assert len(found.unknown) == 1


def test_with_model_and_data_all_is_told(tiny_llama):
    found = estimated(str(tiny_llama), preset="existence", tasks="bpb", data="embedded", limit=2, seeds=[7])
    assert found.unknown == []
    assert found.cells == found.matrix.cost.cells == 3 + 2 * 2 * 2
    assert {name: count for name, (count, _) in found.matrix.cost.tasks.items()} == {
        "bpb_en": 5,
        "bpb_de": 3,
        "bpb_zh": 3,
    }
    assert [cost.language for cost in found.detection.costs] == ["en", "de", "zh"]
    drawn = estimated(str(tiny_llama), preset="existence", tasks="bpb", data="embedded", limit=2, seeds=[7], draws=3)
    assert drawn.cells == found.cells + 3 * 2 * 2


def test_a_dry_run_is_printed(tiny_llama, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = ["--model", tiny_llama, "--preset", "existence", "--tasks", "bpb", "--limit", "1", "--seeds", "1"]
    output = invoke("run", "--dry-run", "--languages", "en,zh", "--device", "cpu", *given).output
    assert "6 cells, 0 finished, 6 to compute" in output
    assert "existence" in output
    assert "not told" not in output
    output = invoke("run", "--dry-run", "--languages", "en,zh", *given[2:], "--model", "nobody/nothing").output
    assert "6 cells, each a benchmark in one language under one mask" in output
    assert "not told: tokens, time and memory: model nobody/nothing cannot be loaded" in output
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_counts_with_the_pivot():
    found = estimated(
        "nobody/nothing", languages=("zh", "de", "es"), pivot="zh", preset="existence", tasks="bpb", data="embedded"
    )
    # An unmasked score per language; for two languages a mask of their own and 20 random ones, on it and on the pivot.
    assert found.cells == 3 + 2 * 2 * (1 + 20)


def test_a_dry_run_refuses_what_the_run_would(tiny_llama):
    given = [
        "run",
        "--dry-run",
        "--model",
        tiny_llama,
        "--preset",
        "understanding",
        "--languages",
        "en,zh",
        "--limit",
        "1",
    ]
    assert "has no chat template" in invoke(*given, "--apply-chat-template", code=2).output
    assert "examples" in invoke(*given, "--num-fewshot", "50", code=2).output


def test_a_configurations_limit_is_of_what_is_left_of_it(asked):
    invoke("run", "--config", "paper-mistral", "--dry-run", "--preset", "understanding", code=2)
    assert (asked["matrix"].limit, dict(asked["matrix"].limits)) == (None, {})
    invoke("run", "--config", "paper-mistral", "--dry-run", "--tasks", "xlsum,bpb", code=2)
    assert dict(asked["matrix"].limits) == {"xlsum": 500}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"preset": "existence", "data": "/no/such"}, "no such data directory"),
        ({"preset": "existence", "tasks": "nothing_{l}", "data": "embedded"}, "unknown task"),
        ({"preset": "existence", "languages": ("en",)}, "expected en and at least one other"),
    ],
)
def test_what_is_wrong_is_an_error_of_a_dry_run(given, message):
    with pytest.raises(InputError, match=message):
        estimated("nobody/nothing", **given)


def test_the_papers_languages_are_those_of_its_benchmarks():
    assert set(PAPER) <= {
        language for name in ("xquad", "mgsm", "xcsqa", "xlsum") for language in BENCHMARKS[name].languages
    }


def test_a_mapping_of_limits_in_a_file(asked, tmp_path):
    (tmp_path / "run.yaml").write_text("preset: existence\ntasks: [xlsum, bpb]\nlimit: {xlsum: 5, bpb: 4}\n")
    invoke("run", "--config", tmp_path / "run.yaml", "--dry-run", code=2)
    assert dict(asked["matrix"].limits) == {"xlsum": 5, "bpb": 4}
