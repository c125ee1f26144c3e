"""CONTRIBUTING's recipes, followed in a copy of the repository: what their blocks say is all that it takes."""

import json
import re
import shutil
from pathlib import Path

import pytest
from helpers.commands import mwork, python
from helpers.report_folders import make_folder

import mwork_eval
from mwork_eval.detection.score_table import ScoreTable

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```\w*\n# (\S+), ([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLES = re.compile(r"^\| `bpb` \|.*\n", re.MULTILINE)


def recipe(title: str) -> list[tuple[str, str, str]]:
    """Return the blocks of a recipe: file, where in it, text."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^### {re.escape(title)}\n(.*?)(?=^##)", text, re.MULTILINE | re.DOTALL)
    return BLOCK.findall(section)


def follow(copy: Path, title: str) -> None:
    """Put the blocks of a recipe where they say."""
    for name, where, text in recipe(title):
        path = copy / name
        if where == "a new file":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            continue
        before = path.read_text(encoding="utf-8")
        if where == "at the end":
            path.write_text(f"{before}\n\n{text}", encoding="utf-8")
            continue
        if where == "among the imports":
            (first, *_) = re.findall(r"^from mwork_eval\b.*\n", before, re.MULTILINE)
            path.write_text(before.replace(first, text + first, 1), encoding="utf-8")
            continue
        if where.startswith("above "):
            (line,) = re.findall(rf"^{where.removeprefix('above ')}\b.*\n", before, re.MULTILINE)
            path.write_text(before.replace(line, f"{text}\n\n{line}"), encoding="utf-8")
            continue
        table = where.removeprefix("in ")
        (line,) = re.findall(rf"^{table}\b.*[({{]\n", before, re.MULTILINE)
        path.write_text(before.replace(line, line + text), encoding="utf-8")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new), encoding="utf-8")


def in_copy(copy: Path, *arguments: object) -> str:
    """Run Python in a copy, with its package, and return what it prints."""
    done = python(copy, *map(str, arguments))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def run_tests(copy: Path, *arguments: str) -> None:
    assert "passed" in in_copy(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    for name in ("mwork_eval", "tasks", "neuron_sets", "tests", "benchmarks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


NAMED = """
import torch
from helpers.made_up import MadeUpConfig, MadeUpForCausalLM
from mwork_eval.models.layout import Layout
with torch.device("meta"):
    model = MadeUpForCausalLM(MadeUpConfig())
for step in model.model.steps:
    step.gaze._modules = {"everything_by_group": step.gaze.everything, "o_proj": step.gaze.back}
print(Layout.of(model).shape)
"""


def test_an_architecture_is_known_by_its_names(copy):
    follow(copy, "How to add an architecture")
    script = copy / "tests/named.py"
    script.write_text(NAMED, encoding="utf-8")
    assert "made-up, 3 layers (q 32 k 16 v 16 o 32 gate 40 up 40 down 40)" in in_copy(copy, script)


def test_a_benchmark_is_evaluated_by_lm_eval(copy, tiny_llama):
    follow(copy, "How to add a benchmark")
    readme = copy / "tasks/README.md"
    text, count = TABLES.subn(lambda line: line[0] + line[0].replace("`bpb`", "`quiz`"), readme.read_text("utf-8"))
    assert count == 2
    readme.write_text(text, encoding="utf-8")
    run_tests(copy, "tests/unit/test_benchmark_rows.py", "-k", "quiz or every_table")
    in_copy(
        copy, "-m", "lm_eval", "--model", "mwork-hf", "--model_args", f"pretrained={tiny_llama}", "--device", "cpu",
        "--tasks", "quiz_en", "--metadata", "data=embedded", "--output_path", "out",
    )  # fmt: skip
    (path,) = (copy / "out").rglob("results_*.json")
    results = json.loads(path.read_text(encoding="utf-8"))
    assert results["results"]["quiz_en"]["acc,none"] in (0, 0.5, 1)
    assert results["n-samples"]["quiz_en"]["effective"] == 2


def test_a_language_has_rules_and_data(copy):
    follow(copy, "How to add a language")
    scripts = copy / "mwork_eval/languages/scripts.yaml"
    edit(scripts, " nl ", " ")
    rules = "(bpb or nl or both_tables or numbers) and not new_language"
    run_tests(copy, "tests/unit/test_benchmark_rows.py", "tests/unit/test_languages.py", "-k", rules)
    (copy / "data/heldout").mkdir(parents=True)
    (copy / "data/heldout/nl.txt").write_text("De kat zit op de mat.\n", encoding="utf-8")
    code = (
        "from pathlib import Path\n"
        "from mwork_eval.benchmarks.answers.numbers import last_number\n"
        "from mwork_eval.benchmarks.answers.text import normalise\n"
        "from mwork_eval.benchmarks.data import load\n"
        "texts = load('bpb', 'nl', Path('data'))['test']['text']\n"
        "print(normalise('De kat', 'nl'), last_number('3 duizend', 'nl'), *texts)"
    )
    assert in_copy(copy, "-c", code) == "kat 3000 De kat zit op de mat.\n"


def test_a_detector_selects_from_the_command_line(copy, tiny_llama, tmp_path):
    follow(copy, "How to add a detector")
    in_copy(
        copy, "-m", "mwork_eval", "detect", "--model", tiny_llama, "--languages", "en,zh,de", "--count", "7",
        "--detector", "mean-score", "--max-docs", "4", "--max-tokens", "32", "--device", "cpu",
        "--out", tmp_path / "out",
    )  # fmt: skip
    found = mwork_eval.read_neurons(tmp_path / "out/zh")
    assert found.about["selection"]["detector"] == "mean-score"
    tables = {code: ScoreTable.load(tmp_path / f"out/scores/{code}.safetensors") for code in ("en", "zh", "de")}
    apart = {
        (layer, "up", index): score
        - (tables["en"].mean[layer, "up"][index] + tables["de"].mean[layer, "up"][index]) / 2
        for (layer, name), scores in tables["zh"].mean.items()
        for index, score in enumerate(scores.tolist())
        if name == "up"
    }
    assert set(found) == set(sorted(apart, key=apart.__getitem__)[-7:])


def test_a_record_is_recorded_from_the_command_line(copy, tiny_llama, tmp_path):
    follow(copy, "How to add a record")
    in_copy(
        copy, "-m", "mwork_eval", "detect", "--record", "peaks,responses", "--model", tiny_llama,
        "--languages", "en,zh", "--fraction", "0.3", "--max-docs", "4", "--max-tokens", "32", "--device", "cpu",
        "--out", tmp_path / "out",
    )  # fmt: skip
    code = (
        "from pathlib import Path\n"
        "from mwork_eval.detection.score_table import ScoreTable\n"
        f"table = ScoreTable.load(Path({str(tmp_path / 'out/scores/zh.safetensors')!r}))\n"
        "print(all((rows.max(0) == table.peak[place]).all() for place, rows in table.responses.items()))"
    )
    assert in_copy(copy, "-c", code) == "True\n"


def test_a_kind_of_intervention(copy, tiny_llama):
    follow(copy, "How to add a kind of intervention")
    run_tests(copy, "tests/unit/test_interventions.py", "-k", "every_kind")
    code = (
        "import numpy as np, mwork_eval as mw\n"
        "from mwork_eval.interventions.intervention import Intervention\n"
        "from mwork_eval.lm.model import MworkHF\n"
        f"lm = MworkHF({str(tiny_llama)!r}, device='cpu', dtype='float32')\n"
        "seen = []\n"
        "down = lm.model.model.layers[1].mlp.down_proj\n"
        "neurons = mw.NeuronSet(lm.layout.shape, {(1, 'up'): np.array([3])})\n"
        "lm.mask(Intervention.of(neurons, 'clamp:0.001'))\n"
        "down.register_forward_pre_hook(lambda module, args: seen.append(args[0].abs().amax((0, 1))))\n"
        "lm.model(lm.tokenizer('a b c', return_tensors='pt')['input_ids'])\n"
        "print(bool(seen[0][3] <= 0.001), bool(seen[0][4] > 0.001), lm.masked['by'], lm.masked['intervention'])\n"
        "lm.unmask()\n"
        "lm.model(lm.tokenizer('a b c', return_tensors='pt')['input_ids'])\n"
        "print(bool(seen[1][3] > 0.001))"
    )
    assert in_copy(copy, "-c", code) == "True True activations clamp:0.001\nTrue\n"


def test_an_engine(copy, tiny_llama, tmp_path):
    follow(copy, "How to add an engine")
    code = (
        "import logging, sys; logging.basicConfig(level='INFO', stream=sys.stdout, format='%(message)s')\n"
        "import mwork_eval as mw\n"
        f"model, tokenizer = mw.load_model({str(tiny_llama)!r}, device='cpu')\n"
        "how = {'max_docs': 4, 'max_tokens': 32, 'progress': False}\n"
        "found = mw.detect(model, tokenizer, {'en': 'embedded', 'zh': 'embedded'}, **how)\n"
        "how = {'tasks': 'bpb', 'limit': 1, 'seeds': [1], 'data': 'embedded', 'progress': False}\n"
        f"how |= {{'out': {str(tmp_path / 'out')!r}, 'neurons': found.select(fraction=0.4)}}\n"
        "for engine in ('timed', 'serial'):\n"
        "    mw.ablate(model, tokenizer, engine=engine, **how)"
    )
    said = in_copy(copy, "-c", code)
    assert len(re.findall(r"^.+ took \d+\.\d s$", said, re.MULTILINE)) == 6
    assert "6 cells, 6 to compute" in said
    assert "6 cells, 0 to compute" in said
    assert "[timed|serial|ray|vllm]" in in_copy(copy, "-m", "mwork_eval", "ablate", "--help")


def test_a_preset_of_ones_own_is_a_table(tiny_llama, tmp_path):
    follow(tmp_path, "How to add a table (preset)")
    mwork(
        "detect", "--model", tiny_llama, "--languages", "en,zh", "--fraction", "0.4", "--max-docs", "4",
        "--max-tokens", "32", "--device", "cpu", "--out", tmp_path / "sets",
    )  # fmt: skip
    shown = mwork(
        "ablate", "--model", tiny_llama, "--neurons", tmp_path / "sets", "--preset", tmp_path / "attention.yaml",
        "--languages", "en,zh", "--data", "embedded", "--limit", "2", "--seeds", "1,2", "--device", "cpu",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert "LS under + s-attn" in shown
    assert "R under + s-attn" in shown


def test_a_preset_of_the_package_is_known_by_name(copy):
    ((_, _, text),) = recipe("How to add a table (preset)")
    presets = copy / "mwork_eval/matrix/presets.yaml"
    presets.write_text(presets.read_text("utf-8") + text, encoding="utf-8")
    code = "from mwork_eval.matrix.presets import find_preset; print(find_preset('attention').task)"
    assert in_copy(copy, "-c", code) == "bpb\n"


def test_a_report_format_is_written(copy, tmp_path):
    follow(copy, "How to add a report format")
    edit(copy / "mwork_eval/reports/formats/names.py", '"json")\n"""Formats', '"json", "txt")\n"""Formats')
    files = copy / "mwork_eval/reports/files.py"
    edit(
        files,
        "from mwork_eval.reports.formats.names import",
        "from mwork_eval.reports.formats.plain import as_plain\nfrom mwork_eval.reports.formats.names import",
    )
    folder = make_folder(tmp_path / "folder")
    in_copy(copy, "-m", "mwork_eval", "report", folder, "--formats", "txt")
    lines = (folder / "report.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"mine on xquad, {setting}" for setting in ("R under", "LS under", "LS gen")
    ]
    assert re.fullmatch(r"mine on xquad, LS under: \+\d+\.\d{3} points", lines[1])


def test_a_foreign_format_is_written_and_read(copy, tmp_path):
    follow(copy, "How to add a foreign format")
    run = ["-m", "mwork_eval", "sets"]
    in_copy(copy, *run, "export", "gemma3-270m/zh", "--format", "dotted", "--out", tmp_path / "zh.txt")
    words = (tmp_path / "zh.txt").read_text(encoding="utf-8").split()
    zh = mwork_eval.read_neurons("gemma3-270m/zh")
    assert words == [f"{layer}.{structure}.{index}" for layer, structure, index in zh]
    given = ["--format", "dotted", "--languages", "zh", "--like", "gemma3-270m/zh", "--out", tmp_path]
    in_copy(copy, *run, "import", tmp_path / "zh.txt", *given)
    assert mwork_eval.read_neurons(tmp_path / "zh") == zh
